package apply_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/pgdata"
)

// watch opens a target. before is called before each of its operations, and may
// refuse it.
func watch(t *testing.T, files map[string]string, before func(dir string, op faultdisk.Op) error) (*apply.Target, []byte) {
	t.Helper()
	dir, control := newDirectory(t, files)
	tgt, err := apply.Open(dir, func(d apply.Disk) apply.Disk {
		return faultdisk.Wrap(d, func(op faultdisk.Op) error { return before(dir, op) })
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tgt.Close()) })
	return tgt, control
}

func TestCleanUpKeepsWhatACommittedRewindNeeds(t *testing.T) {
	dir, control := newDirectory(t, map[string]string{"conf": "old"})
	tgt, err := apply.Open(dir, nil)
	require.NoError(t, err)
	s, err := tgt.Stage(t.Context(), plan(copyOf("conf", 3)), control, apply.Options{})
	require.NoError(t, err)
	require.NoError(t, s.WriteAt("conf", []byte("new"), 0))
	commit(t, s, control)
	s.Discard()
	require.NoError(t, tgt.Close())

	tgt, err = apply.Open(dir, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tgt.Close()) }()
	require.ErrorContains(t, tgt.CleanUp(), "finish that first")
	_, err = tgt.Stage(t.Context(), plan(copyOf("conf", 3)), control, apply.Options{})
	require.ErrorIs(t, err, apply.ErrChanged)
	j, err := tgt.Journal()
	require.NoError(t, err)
	require.NoError(t, tgt.Finish(t.Context(), j, true))
	assert.Equal(t, "new", read(t, tgt, "conf"))
}

func TestPostmasterPidAppearsWithItsContent(t *testing.T) {
	var seen []string
	tgt, control := watch(t, map[string]string{}, func(_ string, op faultdisk.Op) error {
		if op.Path == pgdata.PostmasterPid {
			seen = append(seen, op.Name)
		}
		return nil
	})
	commit(t, stage(t, tgt, control), control)
	assert.Equal(t, []string{"link", "remove"}, seen, "a server does not start if the file is empty")

	// It is also made if the file system has no hard links.
	var content string
	tgt, control = watch(t, map[string]string{}, func(dir string, op faultdisk.Op) error {
		if op.Path == pgdata.ControlFilePath && op.Name == "rename" {
			content = readFrom(t, dir, pgdata.PostmasterPid)
		}
		if op.Name == "link" {
			return &os.LinkError{Op: "link", Err: syscall.EPERM}
		}
		return nil
	})
	commit(t, stage(t, tgt, control), control)
	assert.True(t, strings.HasPrefix(content, fmt.Sprintf("%d\n%s\n", os.Getpid(), tgt.Name())), content)
	assert.NoFileExists(t, tgt.Join(pgdata.PostmasterPid))
}

func readFrom(t *testing.T, dir, p string) string {
	t.Helper()
	b, err := os.ReadFile(dir + "/" + p)
	require.NoError(t, err)
	return string(b)
}

// TestOnlyAPostmasterPidOfGorewindIsStale has one of a gorewind that died and whose
// process ID is in use again, and one of a server.
func TestOnlyAPostmasterPidOfGorewindIsStale(t *testing.T) {
	sleeper := exec.Command("sleep", "600")
	require.NoError(t, sleeper.Start())
	t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
	for mark, stale := range map[string]bool{"gorewind": true, "5432": false} {
		dir, control := newDirectory(t, map[string]string{})
		text := fmt.Sprintf("%d\n%s\n%d\n%s\n", sleeper.Process.Pid, dir, 1700000000, mark)
		require.NoError(t, os.WriteFile(dir+"/"+pgdata.PostmasterPid, []byte(text), 0o600))
		tgt, err := apply.Open(dir, nil)
		require.NoError(t, err)
		_, err = os.Stat(tgt.Join(pgdata.PostmasterPid))
		if stale {
			assert.ErrorIs(t, err, fs.ErrNotExist)
			commit(t, stage(t, tgt, control), control)
		} else {
			assert.NoError(t, err)
			_, err := tgt.Stage(t.Context(), plan(), control, apply.Options{})
			assert.ErrorIs(t, err, apply.ErrRunning)
		}
		require.NoError(t, tgt.Close())
	}
}

// TestTheSpaceThatIsNeededIsEnough has exactly that much space, and one byte less.
func TestTheSpaceThatIsNeededIsEnough(t *testing.T) {
	entries := []filemap.Entry{copyOf("conf", 100_000), {Path: "base/5/1", Type: pgdata.Regular, Action: filemap.CopyTail, SourceSize: 3 * 8192, TargetSize: 8192}}
	for _, inPlace := range []bool{false, true} {
		disk := &limited{bytes: 1 << 40}
		dir, control := newDirectory(t, map[string]string{"base/5/1": strings.Repeat("o", 8192)})
		tgt, err := apply.Open(dir, func(d apply.Disk) apply.Disk { disk.Disk = d; return disk })
		require.NoError(t, err)
		spaces, err := tgt.Space(plan(entries...), true, inPlace)
		require.NoError(t, err)
		require.Len(t, spaces, 1)
		begin := func() error {
			if inPlace {
				_, err := tgt.ChangeInPlace(plan(entries...), apply.Options{Exact: true}, nil)
				return err
			}
			s, err := tgt.Stage(t.Context(), plan(entries...), control, apply.Options{Exact: true})
			if err == nil {
				s.Discard()
			}
			return err
		}
		disk.bytes = spaces[0].Needed
		require.NoError(t, begin())
		disk.bytes--
		var short *apply.SpaceError
		require.ErrorAs(t, begin(), &short)
		assert.Equal(t, short.Needed-1, short.Free)
		assert.Equal(t, inPlace, short.InPlace)
		require.NoError(t, tgt.Close())
	}
}

type limited struct {
	apply.Disk
	bytes int64
}

func (r *limited) Free(string) (int64, uint64, bool) { return r.bytes, 1, true }

// TestNothingIsRemovedBeforeEverythingElseIsDurable checks the order of a rewind's disk
// operations after the commit.
func TestNothingIsRemovedBeforeEverythingElseIsDurable(t *testing.T) {
	for name, mode := range map[string]apply.SyncMode{"one by one": {}, "the file system": {FileSystem: true}, "everything": {Everything: true}} {
		var mu sync.Mutex
		var ops []string
		tgt, control := watch(t, map[string]string{"base/5/1": strings.Repeat("o", 3*8192), "conf": "old", "gone": "x"}, func(_ string, op faultdisk.Op) error {
			mu.Lock()
			defer mu.Unlock()
			if !op.Read {
				ops = append(ops, op.Name+" "+op.Path)
			}
			return nil
		})
		s, err := tgt.Stage(t.Context(), plan(
			copyOf("conf", 3),
			filemap.Entry{Path: "base/5/1", Type: pgdata.Regular, Action: filemap.Truncate, SourceSize: 8192, TargetSize: 3 * 8192},
			filemap.Entry{Path: "gone", Type: pgdata.Regular, Action: filemap.Remove},
		), control, apply.Options{Sync: mode})
		require.NoError(t, err)
		require.NoError(t, s.WriteAt("conf", []byte("new"), 0))
		commit(t, s, control)
		ops = nil
		j, err := tgt.Journal()
		require.NoError(t, err)
		require.NoError(t, tgt.Finish(t.Context(), j, false))

		at := func(op string) int {
			i := slices.Index(ops, op)
			require.GreaterOrEqual(t, i, 0, "%s: %s in %q", name, op, ops)
			return i
		}
		removed := at("remove gone")
		assert.Less(t, at("truncate base/5/1"), removed, name)
		switch {
		case mode.FileSystem:
			assert.Less(t, at("syncfs ."), removed, name)
		default:
			assert.Less(t, at("sync base/5/1"), removed, name)
			assert.Less(t, at("sync ."), removed, name)
		}
		assert.Less(t, removed, at("rename "+pgdata.ControlFilePath), name)
		last := slices.Index(ops[removed:], "sync .") + removed
		assert.Greater(t, last, removed, "%s: removals are durable before the new control file is in place", name)
		assert.Less(t, last, at("rename "+pgdata.ControlFilePath), name)
	}
}

// While the system makes whole file systems durable, it says nothing. What is shown
// then must be that, and not the last thing that was counted.
func TestWorkIsSyncingWhileFileSystemsAreSynced(t *testing.T) {
	var tgt *apply.Target
	var during []apply.Work
	var control []byte
	tgt, control = watch(t, map[string]string{"conf": "old"}, func(_ string, op faultdisk.Op) error {
		if op.Name == "syncfs" {
			during = append(during, tgt.Work())
		}
		return nil
	})
	s, err := tgt.Stage(t.Context(), plan(copyOf("conf", 3)), control, apply.Options{Sync: apply.SyncMode{FileSystem: true}})
	require.NoError(t, err)
	require.NoError(t, s.WriteAt("conf", []byte("new"), 0))
	commit(t, s, control)
	j, err := tgt.Journal()
	require.NoError(t, err)
	require.NoError(t, tgt.Finish(t.Context(), j, false))
	assert.GreaterOrEqual(t, len(during), 2, "before the commit and at the end")
	for _, w := range during {
		assert.Equal(t, apply.Work{Syncing: true}, w)
	}
}
