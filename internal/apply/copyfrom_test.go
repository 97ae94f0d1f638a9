package apply_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// sink is what Staging and InPlace have in common.
type sink interface {
	source.FileSink
	Skip(path string) error
	Has(path string) bool
}

// rewindBoth carries out a plan staged and in place, and calls check after each.
func rewindBoth(t *testing.T, files map[string]string, opts apply.Options, entries func() []filemap.Entry, send func(sink) error, check func(*apply.Target)) {
	t.Helper()
	t.Run("staged", func(t *testing.T) {
		tgt, control := newTarget(t, files)
		s, err := tgt.Stage(t.Context(), plan(entries()...), control, opts)
		require.NoError(t, err)
		t.Cleanup(s.Discard)
		require.NoError(t, send(s))
		finish(t, tgt, s, control)
		check(tgt)
	})
	t.Run("in place", func(t *testing.T) {
		tgt, control := newTarget(t, files)
		c, err := tgt.ChangeInPlace(plan(entries()...), opts, nil)
		require.NoError(t, err)
		_, err = c.Begin(t.Context(), control)
		require.NoError(t, err)
		require.NoError(t, send(c))
		require.NoError(t, c.Finish(t.Context(), apply.Final{Control: newControl(t, control)}))
		check(tgt)
	})
}

func open(t *testing.T, content string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "source")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	f, err := os.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestLocalFilesAreCopiedAsIfTheyWereSent(t *testing.T) {
	const page = 8192
	large := strings.Repeat("0123456789abcdef", 20<<20/16+100) // in several pieces
	pages := strings.Repeat("n", 4*page)
	entries := func() []filemap.Entry {
		blocks := new(pgdata.BlockSet)
		blocks.Add(1)
		return []filemap.Entry{
			copyOf("large", int64(len(large))), copyOf("short", 100), copyOf("empty", 100), copyOf("gone", 100),
			{Path: "base/5/1", Type: pgdata.Regular, Action: filemap.CopyTail, SourceSize: 4 * page, TargetSize: 3 * page, Blocks: blocks},
		}
	}
	rewindBoth(t, map[string]string{"base/5/1": strings.Repeat("o", 3*page), "short": strings.Repeat("o", 2000)}, apply.Options{}, entries, func(s sink) error {
		for _, c := range []struct {
			path, content        string
			offset, length, want int64
		}{
			{"large", large, 0, int64(len(large)), int64(len(large))},
			{"short", "ab", 0, 100, 2},
			{"short", "ab", 2, 98, 0},
			{"empty", "", 0, 100, 0},
			{"base/5/1", pages, page, page, page},
			{"base/5/1", pages, 3 * page, page, page},
		} {
			n, err := s.CopyFrom(c.path, open(t, c.content), c.offset, c.length)
			require.NoError(t, err)
			assert.Equal(t, c.want, n, c.path)
		}
		_, err := s.CopyFrom("base/5/1", open(t, pages), 0, page)
		assert.ErrorContains(t, err, "not asked for")
		require.NoError(t, s.Vanished("gone"))
		n, err := s.CopyFrom("gone", open(t, pages), 0, page)
		require.NoError(t, err)
		assert.Zero(t, n)
		return nil
	}, func(tgt *apply.Target) {
		assert.True(t, large == read(t, tgt, "large"))
		assert.Equal(t, "ab", read(t, tgt, "short"))
		assert.Empty(t, read(t, tgt, "empty"))
		assert.NoFileExists(t, tgt.Join("gone"))
		o, n := strings.Repeat("o", page), strings.Repeat("n", page)
		assert.True(t, o+n+o+n == read(t, tgt, "base/5/1"))
	})
}

func TestWALIsZeroAfterWhatTheSourceHasWritten(t *testing.T) {
	const size, written = 1 << 20, 3 * 8192
	half, recycled, skipped := "pg_wal/000000020000000000000001", "pg_wal/000000020000000000000002", "pg_wal/000000020000000000000003"
	content := strings.Repeat("w", written)
	for name, exact := range map[string]bool{"live source": false, "stopped source": true} {
		t.Run(name, func(t *testing.T) {
			rewindBoth(t, map[string]string{half: strings.Repeat("o", size), skipped: "o"}, apply.Options{Exact: exact}, func() []filemap.Entry {
				first, second, third := copyOf(half, size), copyOf(recycled, size), copyOf(skipped, size)
				first.Unwritten, second.Unwritten, third.Unwritten = size-written, size-written, size
				second.Local, second.LocalBytes = "pg_wal/x", 8192
				return []filemap.Entry{first, second, third}
			}, func(s sink) error {
				require.NoError(t, s.WriteAt(half, []byte(content), 0))
				require.NoError(t, s.WriteAt(recycled, []byte(content[:8192]), 0))
				require.NoError(t, s.WriteAt(recycled, []byte(content[8192:]), 8192))
				require.NoError(t, s.Skip(skipped))
				assert.Error(t, s.Skip("pg_wal/x"))
				assert.True(t, s.Has(half))
				assert.False(t, s.Has(skipped))
				return nil
			}, func(tgt *apply.Target) {
				want := content + strings.Repeat("\x00", size-written)
				assert.True(t, want == read(t, tgt, half))
				assert.True(t, want == read(t, tgt, recycled))
				assert.NoFileExists(t, tgt.Join(skipped))
			})
		})
	}
}

// TestDamagedStagedFilesAreFound damages what a committed rewind staged.
func TestDamagedStagedFilesAreFound(t *testing.T) {
	for name, damage := range map[string]func(f *os.File) error{
		"a byte that was sent":        func(f *os.File) error { _, err := f.WriteAt([]byte{1}, 5000); return err },
		"the end of what was copied":  func(f *os.File) error { return f.Truncate(8192 + 100) },
		"all of it":                   func(f *os.File) error { return f.Truncate(0) },
		"something after its end":     func(f *os.File) error { return f.Truncate(1 << 20) },
		"nothing, which is no damage": func(*os.File) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			tgt, control := newTarget(t, map[string]string{"base/5/2": ""})
			s := stage(t, tgt, control, copyOf("base/5/1", 3*8192))
			require.NoError(t, s.WriteAt("base/5/1", bytes.Repeat([]byte{'n'}, 8192), 0))
			n, err := s.CopyFrom("base/5/1", open(t, strings.Repeat("n", 3*8192)), 8192, 2*8192)
			require.NoError(t, err)
			require.EqualValues(t, 2*8192, n)
			commit(t, s, control)

			f, err := os.OpenFile(tgt.Join(ownfiles.Prefix+"/0"), os.O_WRONLY, 0)
			require.NoError(t, err)
			require.NoError(t, damage(f))
			require.NoError(t, f.Close())
			j, err := tgt.Journal()
			require.NoError(t, err)
			err = tgt.Finish(t.Context(), j, true)
			if strings.Contains(name, "no damage") {
				require.NoError(t, err)
				assert.Equal(t, strings.Repeat("n", 3*8192), read(t, tgt, "base/5/1"))
				return
			}
			require.ErrorIs(t, err, apply.ErrLost)
			assert.NoFileExists(t, tgt.Join("base/5/1"))
		})
	}
}

// TestOnlyWhatWasWrittenIsSynced rewinds two blocks among many files.
func TestOnlyWhatWasWrittenIsSynced(t *testing.T) {
	files := map[string]string{}
	for _, dir := range []string{"base/1/", "base/5/", "base/6/"} {
		for _, f := range []string{"1", "2", "3", "4"} {
			files[dir+f] = strings.Repeat("o", 8192)
		}
	}
	blocks := new(pgdata.BlockSet)
	blocks.Add(0)
	entries := []filemap.Entry{
		{Path: "base/5/1", Type: pgdata.Regular, SourceSize: 8192, TargetSize: 8192, Action: filemap.None, Blocks: blocks},
		{Path: "base/6/2", Type: pgdata.Regular, SourceSize: 8192, TargetSize: 8192, Action: filemap.None, Blocks: blocks},
	}
	page := bytes.Repeat([]byte{'n'}, 8192)
	for _, c := range []struct {
		name    string
		mode    apply.SyncMode
		inPlace bool
		want    []string // besides the staging area, the control file and backup_label
	}{
		{"staged", apply.SyncMode{}, false, []string{"base/5/1", "base/6/2"}},
		{"in place", apply.SyncMode{}, true, []string{"base/5/1", "base/6/2"}},
		{"by file system", apply.SyncMode{FileSystem: true}, false, []string{"syncfs base", "syncfs staging"}},
		{"not at all", apply.SyncMode{Off: true}, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, control := newDirectory(t, files)
			var mu sync.Mutex
			var synced []string
			tgt, err := apply.Open(dir, func(d apply.Disk) apply.Disk {
				return faultdisk.Wrap(d, func(op faultdisk.Op) error {
					mu.Lock()
					defer mu.Unlock()
					switch {
					case op.Name == "syncfs" && strings.HasPrefix(op.Path, ownfiles.Prefix):
						synced = append(synced, "syncfs staging")
					case op.Name == "syncfs":
						synced = append(synced, "syncfs base")
					case op.Syncs() && strings.HasPrefix(op.Path, "base"):
						synced = append(synced, op.Path)
					}
					return nil
				})
			})
			require.NoError(t, err)
			defer func() { require.NoError(t, tgt.Close()) }()
			opts := apply.Options{Sync: c.mode}
			if c.inPlace {
				in, err := tgt.ChangeInPlace(plan(entries...), opts, nil)
				require.NoError(t, err)
				_, err = in.Begin(t.Context(), control)
				require.NoError(t, err)
				require.NoError(t, in.WriteAt("base/5/1", page, 0))
				require.NoError(t, in.WriteAt("base/6/2", page, 0))
				require.NoError(t, in.Finish(t.Context(), apply.Final{Control: newControl(t, control)}))
			} else {
				s, err := tgt.Stage(t.Context(), plan(entries...), control, opts)
				require.NoError(t, err)
				require.NoError(t, s.WriteAt("base/5/1", page, 0))
				require.NoError(t, s.WriteAt("base/6/2", page, 0))
				finish(t, tgt, s, control)
			}
			assert.ElementsMatch(t, c.want, synced)
		})
	}
}
