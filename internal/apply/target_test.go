package apply_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/pgdata"
)

var geometry = pgdata.Geometry{BlockSize: 8192, RelSegBlocks: 131072, WALBlockSize: 8192, WALSegSize: 1 << 20}

// newTarget makes a data directory of PostgreSQL 17 from a real control file and
// some files.
func newTarget(t testing.TB, files map[string]string) (*apply.Target, []byte) {
	t.Helper()
	dir, control := newDirectory(t, files)
	tgt, err := apply.Open(dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tgt.Close()) })
	return tgt, control
}

func newDirectory(t testing.TB, files map[string]string) (dir string, control []byte) {
	t.Helper()
	dir = t.TempDir()
	control, err := os.ReadFile("../../controlfile/testdata/17.pg_control")
	require.NoError(t, err)
	files[pgdata.ControlFilePath], files[pgdata.VersionPath] = string(control), "17\n"
	for p, content := range files {
		p = filepath.Join(dir, p)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o700))
		require.NoError(t, os.WriteFile(p, []byte(content), 0o600))
	}
	return dir, control
}

func plan(entries ...filemap.Entry) *filemap.Plan {
	return &filemap.Plan{Geometry: geometry, WALDir: "pg_wal", Entries: entries}
}

func stage(t *testing.T, tgt *apply.Target, control []byte, entries ...filemap.Entry) *apply.Staging {
	t.Helper()
	s, err := tgt.Stage(t.Context(), plan(entries...), control, apply.Options{})
	require.NoError(t, err)
	t.Cleanup(s.Discard)
	return s
}

// newControl is a control file that differs from the given one.
func newControl(t testing.TB, control []byte) []byte {
	t.Helper()
	d, err := controlfile.Parse(control)
	require.NoError(t, err)
	f := d.Fields
	f.Time = f.Time.Add(time.Hour)
	return d.Encode(f)
}

// finish commits and applies.
func finish(t *testing.T, tgt *apply.Target, s *apply.Staging, control []byte) {
	t.Helper()
	commit(t, s, control)
	j, err := tgt.Journal()
	require.NoError(t, err)
	require.NoError(t, tgt.Finish(t.Context(), j, false))
}

func commit(t testing.TB, s *apply.Staging, control []byte) {
	t.Helper()
	committed, err := s.Commit(t.Context(), control, apply.Final{
		Control: newControl(t, control), Files: []apply.SmallFile{{Path: pgdata.BackupLabelPath, Data: []byte("label")}},
	})
	require.NoError(t, err)
	require.True(t, committed)
}

func read(t *testing.T, tgt *apply.Target, p string) string {
	t.Helper()
	b, err := os.ReadFile(tgt.Join(p))
	require.NoError(t, err)
	return string(b)
}

func copyOf(p string, size int64) filemap.Entry {
	return filemap.Entry{Path: p, Type: pgdata.Regular, Action: filemap.Copy, SourceSize: size}
}

func TestEveryKindOfActionIsCarriedOut(t *testing.T) {
	space := t.TempDir()
	tgt, control := newTarget(t, map[string]string{
		"conf": "old and longer than the new", "base/5/1": strings.Repeat("o", 3*8192), "base/5/2": strings.Repeat("o", 8192),
		"base/9/1": "gone", "base/5/3": "vanishes", "pg_wal/000000010000000000000001": "old", "mode": "x",
	})
	require.NoError(t, os.Chmod(tgt.Join("mode"), 0o640))
	blocks := new(pgdata.BlockSet)
	blocks.Add(0)
	c := stage(t, tgt, control,
		filemap.Entry{Path: "base/7", Type: pgdata.Directory, Action: filemap.Create},
		filemap.Entry{Path: "pg_tblspc", Type: pgdata.Directory, Action: filemap.Create},
		filemap.Entry{Path: "pg_tblspc/99", Type: pgdata.Symlink, Action: filemap.Create, Link: space},
		filemap.Entry{Path: "pg_tblspc/99/PG_17_202406281", Type: pgdata.Directory, Action: filemap.Create},
		copyOf("pg_tblspc/99/PG_17_202406281/1", 3), copyOf("base/7/1", 3), copyOf("conf", 3), copyOf("empty", 0), copyOf("mode", 1),
		copyOf("base/5/3", 3),
		filemap.Entry{Path: "base/5/2", Type: pgdata.Regular, Action: filemap.CopyTail, SourceSize: 16384, TargetSize: 8192, Blocks: blocks},
		filemap.Entry{Path: "base/5/1", Type: pgdata.Regular, Action: filemap.Truncate, SourceSize: 8192, TargetSize: 3 * 8192},
		filemap.Entry{Path: "pg_wal/000000010000000000000001", Type: pgdata.Regular, Action: filemap.Remove},
		filemap.Entry{Path: "base/9/1", Type: pgdata.Regular, Action: filemap.Remove},
		filemap.Entry{Path: "base/9", Type: pgdata.Directory, Action: filemap.Remove},
	)
	for p, data := range map[string]string{
		"pg_tblspc/99/PG_17_202406281/1": "abc", "base/7/1": "abc", "conf": "new", "empty": "", "mode": "y",
	} {
		require.NoError(t, c.WriteAt(p, []byte(data), 0))
	}
	require.NoError(t, c.WriteAt("base/5/2", []byte(strings.Repeat("b", 8192)), 0))
	require.NoError(t, c.WriteAt("base/5/2", []byte(strings.Repeat("t", 8192)), 8192))
	require.NoError(t, c.Vanished("base/5/3"))
	require.NoError(t, c.WriteAt("base/5/3", []byte("x"), 0), "the answer to another part of the same file may be under way")
	assert.Equal(t, "old and longer than the new", read(t, tgt, "conf"), "before the commit nothing changes")
	finish(t, tgt, c, control)

	assert.Equal(t, "abc", read(t, tgt, "base/7/1"))
	assert.Equal(t, "new", read(t, tgt, "conf"))
	assert.Equal(t, "", read(t, tgt, "empty"))
	assert.Equal(t, strings.Repeat("b", 8192)+strings.Repeat("t", 8192), read(t, tgt, "base/5/2"))
	assert.Equal(t, strings.Repeat("o", 8192), read(t, tgt, "base/5/1"))
	assert.Equal(t, string(newControl(t, control)), read(t, tgt, pgdata.ControlFilePath))
	assert.Equal(t, "label", read(t, tgt, pgdata.BackupLabelPath))
	for _, gone := range []string{"base/9", "base/5/3", "pg_wal/000000010000000000000001", ownfiles.Prefix} {
		assert.NoFileExists(t, tgt.Join(gone))
		assert.NoDirExists(t, tgt.Join(gone))
	}
	inSpace, err := os.ReadFile(filepath.Join(space, "PG_17_202406281", "1"))
	require.NoError(t, err)
	assert.Equal(t, "abc", string(inSpace))
	info, err := os.Stat(tgt.Join("mode"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode().Perm(), "files that are there keep their mode")
}

// TestAFileThatChangesMostlyIsRebuilt compares the result with what the plan says,
// for everything that can happen to a relation segment.
func TestAFileThatChangesMostlyIsRebuilt(t *testing.T) {
	const page, pages = 8192, 400
	side := func(c string, n int) string { return strings.Repeat(c, n*page) }
	for _, c := range []struct {
		name           string
		action         filemap.Step
		source, target int // pages
		changed        func(int) bool
	}{
		{"most blocks", filemap.None, pages, pages, func(b int) bool { return b%5 != 0 }},
		{"all blocks", filemap.None, pages, pages, func(int) bool { return true }},
		{"few blocks", filemap.None, pages, pages, func(b int) bool { return b%5 == 0 }},
		{"some blocks and a long tail", filemap.CopyTail, pages, pages / 3, func(b int) bool { return b%5 == 0 }},
		{"no blocks and a long tail", filemap.CopyTail, pages, 1, func(int) bool { return false }},
		{"no blocks and a short tail", filemap.CopyTail, pages, pages - 1, func(int) bool { return false }},
		{"most blocks of a shorter file", filemap.Truncate, pages, 2 * pages, func(b int) bool { return b%5 != 0 }},
		{"few blocks of a shorter file", filemap.Truncate, pages, 2 * pages, func(b int) bool { return b%50 == 0 }},
		{"a tail of an empty file", filemap.CopyTail, pages, 0, func(int) bool { return false }},
	} {
		t.Run(c.name, func(t *testing.T) {
			tgt, control := newTarget(t, map[string]string{"base/5/1": side("o", c.target)})
			require.NoError(t, os.Chmod(tgt.Join("base/5/1"), 0o640))
			e := filemap.Entry{Path: "base/5/1", Type: pgdata.Regular, Action: c.action, SourceSize: int64(c.source * page), TargetSize: int64(c.target * page)}
			want := []byte(side("o", min(c.source, c.target)) + side("n", max(0, c.source-c.target)))
			s := new(pgdata.BlockSet)
			for b := range min(c.source, c.target) {
				if c.changed(b) {
					s.Add(pgdata.BlockNumber(b))
					copy(want[b*page:], side("n", 1))
				}
			}
			if s.Len() > 0 {
				e.Blocks = s
			}
			staging := stage(t, tgt, control, e)
			for b := range s.All() {
				require.NoError(t, staging.WriteAt(e.Path, []byte(side("n", 1)), int64(b)*page))
			}
			if tail := c.source - c.target; tail > 0 {
				require.NoError(t, staging.WriteAt(e.Path, []byte(side("n", tail)), int64(c.target)*page))
			}
			finish(t, tgt, staging, control)
			assert.True(t, string(want) == read(t, tgt, e.Path), "the file is what it should be")
			info, err := os.Stat(tgt.Join(e.Path))
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o640), info.Mode().Perm())
		})
	}
}

func TestNewFilesHaveInitdbsModesWhateverTheUmask(t *testing.T) {
	narrowUmask(t)
	for _, c := range []struct {
		root, file, dir os.FileMode
	}{{0o700, 0o600, 0o700}, {0o750, 0o640, 0o750}} {
		dir := t.TempDir()
		require.NoError(t, os.Chmod(dir, c.root))
		require.NoError(t, os.Mkdir(filepath.Join(dir, "global"), c.root))
		control, err := os.ReadFile("../../controlfile/testdata/17.pg_control")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, pgdata.ControlFilePath), control, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, pgdata.VersionPath), []byte("17\n"), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "old"), nil, 0o600))
		require.NoError(t, os.Chmod(filepath.Join(dir, "old"), 0o664))
		require.NoError(t, os.Chmod(filepath.Join(dir, pgdata.ControlFilePath), 0o640))
		tgt, err := apply.Open(dir, nil)
		require.NoError(t, err)
		s := stage(t, tgt, control, filemap.Entry{Path: "d", Type: pgdata.Directory, Action: filemap.Create}, copyOf("d/f", 1), copyOf("old", 1))
		require.NoError(t, s.WriteAt("d/f", []byte("x"), 0))
		require.NoError(t, s.WriteAt("old", []byte("x"), 0))
		finish(t, tgt, s, control)
		for p, want := range map[string]os.FileMode{"d": c.dir, "d/f": c.file, "old": 0o664, pgdata.ControlFilePath: 0o640, pgdata.BackupLabelPath: c.file} {
			info, err := os.Stat(filepath.Join(dir, p))
			require.NoError(t, err)
			assert.Equal(t, want, info.Mode().Perm(), p)
		}
		require.NoError(t, tgt.Close())
	}
}

func TestWhatWasNotAskedForIsRefused(t *testing.T) {
	tgt, control := newTarget(t, map[string]string{"base/5/1": "old"})
	blocks := new(pgdata.BlockSet)
	blocks.Add(0)
	blocks.Add(2)
	c := stage(t, tgt, control, copyOf("conf", 3),
		filemap.Entry{Path: "base/5/2", Type: pgdata.Regular, Action: filemap.None, SourceSize: 3 * 8192, TargetSize: 3 * 8192, Blocks: blocks})
	for name, err := range map[string]error{
		"another file":       c.WriteAt("base/5/1", []byte("x"), 0),
		"a file outside":     c.WriteAt("../x", []byte("x"), 0),
		"before its start":   c.WriteAt("conf", []byte("x"), -1),
		"beyond its end":     c.WriteAt("conf", []byte("x"), 1<<20),
		"far beyond it":      c.WriteAt("conf", []byte("x"), 1<<62),
		"another is gone":    c.Vanished("base/5/1"),
		"an overflow":        c.WriteAt("conf", []byte("xx"), 1<<63-1),
		"an unchanged block": c.WriteAt("base/5/2", make([]byte, 8192), 8192),
		"a file is missing":  second(c.Commit(t.Context(), control, apply.Final{})),
	} {
		assert.Error(t, err, name)
	}
	assert.Equal(t, "old", read(t, tgt, "base/5/1"))
}

func second(_ bool, err error) error { return err }

func TestStoppedSourceMustSendAllThatItListed(t *testing.T) {
	for name, c := range map[string]struct {
		send func(*apply.Staging) error
		want apply.SourceFileError
	}{
		"less": {func(c *apply.Staging) error { return c.WriteAt("conf", []byte("ab"), 0) }, apply.SourceFileError{Path: "conf", Expected: 3, Copied: 2}},
		"more": {func(c *apply.Staging) error { return c.WriteAt("conf", []byte("abcd"), 0) }, apply.SourceFileError{Path: "conf", Expected: 3, Copied: 4}},
		"gone": {func(c *apply.Staging) error { return c.Vanished("conf") }, apply.SourceFileError{Path: "conf", Gone: true}},
	} {
		tgt, control := newTarget(t, map[string]string{})
		s, err := tgt.Stage(t.Context(), plan(copyOf("conf", 3)), control, apply.Options{Exact: true})
		require.NoError(t, err)
		if err = c.send(s); err == nil {
			_, err = s.Commit(t.Context(), control, apply.Final{})
		}
		var changed *apply.SourceFileError
		require.ErrorAs(t, err, &changed, name)
		assert.Equal(t, c.want, *changed, name)
		s.Discard()
		assert.NoDirExists(t, tgt.Join(ownfiles.Prefix))
	}
}

func TestTwoRewindsOfOneTargetAreNotPossible(t *testing.T) {
	tgt, _ := newTarget(t, map[string]string{})
	_, err := apply.Open(tgt.Name(), nil)
	assert.ErrorIs(t, err, apply.ErrLocked)
	status, err := apply.Inspect(tgt.Name())
	require.NoError(t, err)
	assert.True(t, status.Locked)
}

// TestATargetWithoutAControlFile gets one with the commit: nothing of it exists before,
// and no other one counts afterwards.
func TestATargetWithoutAControlFile(t *testing.T) {
	control, err := os.ReadFile("../../controlfile/testdata/17.pg_control")
	require.NoError(t, err)
	source, err := controlfile.Parse(control)
	require.NoError(t, err)
	dir, fails := t.TempDir(), true
	tgt, err := apply.OpenAny(dir, func(d apply.Disk) apply.Disk {
		return faultdisk.Wrap(d, func(op faultdisk.Op) error {
			if fails && op.Name == "rename" && strings.HasPrefix(op.Path, "global") {
				return syscall.EIO
			}
			return nil
		})
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, tgt.Close()) }()
	tgt.UseSourceControl(source)
	for _, fails = range []bool{true, false} {
		s := stage(t, tgt, control, filemap.Entry{Path: "global", Type: pgdata.Directory, Action: filemap.Create}, copyOf("PG_VERSION", 3))
		require.NoError(t, s.WriteAt("PG_VERSION", []byte("17\n"), 0))
		committed, err := s.Commit(t.Context(), control, apply.Final{Control: newControl(t, control)})
		assert.Equal(t, !fails, committed)
		if !fails {
			require.NoError(t, err)
			break
		}
		require.ErrorIs(t, err, syscall.EIO)
		s.Discard()
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, left)
	}
	poisoned := read(t, tgt, pgdata.ControlFilePath)
	require.NoError(t, os.WriteFile(tgt.Join(pgdata.ControlFilePath), []byte("damaged"), 0o600))
	_, err = tgt.Journal()
	require.ErrorContains(t, err, "control file")
	require.NoError(t, os.WriteFile(tgt.Join(pgdata.ControlFilePath), []byte(poisoned), 0o600))
	j, err := tgt.Journal()
	require.NoError(t, err)
	require.NoError(t, tgt.Finish(t.Context(), j, false))
	assert.Equal(t, "17\n", read(t, tgt, "PG_VERSION"))
}

func TestTargetThatChangedIsLeftAlone(t *testing.T) {
	tgt, control := newTarget(t, map[string]string{})
	d, err := controlfile.Parse(control)
	require.NoError(t, err)
	f := d.Fields
	f.Time = f.Time.Add(1e9)
	require.NoError(t, os.WriteFile(tgt.Join(pgdata.ControlFilePath), d.Encode(f), 0o600))
	_, err = tgt.Stage(t.Context(), plan(), control, apply.Options{})
	assert.ErrorIs(t, err, apply.ErrChanged)
}

func TestTablespaceDirectoriesInUseAreRefused(t *testing.T) {
	tgt, _ := newTarget(t, map[string]string{})
	for name, want := range map[string]string{"PG_17_202406281": "another cluster uses it", "passwd": `it is not empty, it contains "passwd"`, "": "no such file or directory: create it"} {
		dir := t.TempDir()
		if name == "" {
			dir = filepath.Join(dir, "gone")
		} else {
			require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		}
		err := tgt.Check(plan(filemap.Entry{Path: "pg_tblspc/99", Type: pgdata.Symlink, Action: filemap.Create, Link: dir}), pgdata.VersionByName("17"))
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, dir)
	}
	assert.NoDirExists(t, tgt.Join(ownfiles.Prefix))
}

func TestEveryObstacleIsFoundBeforeAnythingIsWritten(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere; run this as an ordinary user")
	}
	tgt, _ := newTarget(t, map[string]string{"conf": "x", "base/5/1": "x", "base/6/1": "x", "fine": "x"})
	require.NoError(t, os.Chmod(tgt.Join("conf"), 0o400))
	require.NoError(t, os.Chmod(tgt.Join("base/5"), 0o500))
	t.Cleanup(func() { _ = os.Chmod(tgt.Join("base/5"), 0o700) })
	plan := plan([]filemap.Entry{
		copyOf("conf", 1), copyOf("fine", 1),
		{Path: "base/5/1", Type: pgdata.Regular, Action: filemap.Remove},
		{Path: "base/6/1", Type: pgdata.Regular, Action: filemap.Remove},
		{Path: "base/7", Type: pgdata.Directory, Action: filemap.Create},
		{Path: "base/7/1", Type: pgdata.Regular, Action: filemap.Copy, Reason: filemap.OnlyOnSource},
	}...)
	err := tgt.Check(plan, pgdata.VersionByName("17"))
	var obstacles apply.Obstacles
	require.ErrorAs(t, err, &obstacles)
	require.Len(t, obstacles, 2)
	assert.ErrorIs(t, err, os.ErrPermission)
	assert.ErrorContains(t, err, `conf" for writing: permission denied: make it writable, or keep it with Options.Keep; could not write in directory`)
	assert.ErrorContains(t, err, `base/5": permission denied`)
}
