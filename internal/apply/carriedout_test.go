//go:build unix

package apply_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/pgdata"
)

func directory(p string) filemap.Entry {
	return filemap.Entry{Path: p, Type: pgdata.Directory, Action: filemap.Create, Reason: filemap.OnlyOnSource}
}

func symlink(p, to string) filemap.Entry {
	return filemap.Entry{Path: p, Type: pgdata.Symlink, Action: filemap.Create, Reason: filemap.OnlyOnSource, Link: to}
}

// socket makes a Unix socket, which stays in the file system.
func socket(t *testing.T, name string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer func() { _ = syscall.Close(fd) }()
	t.Chdir(filepath.Dir(name)) // socket addresses are too short for long paths
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: filepath.Base(name)}))
}

// obstacle is something because of which no run could carry out the rewind.
type obstacle struct {
	name    string
	entries []filemap.Entry
	send    map[string]string // what the source sends
	// before changes the target before the plan is checked, later after everything is
	// staged.
	before, later func(t *testing.T, tgt *apply.Target)
	last          string // a file that is written last; default backup_label
	control       []byte // the new control file, if not nil
	says          []string
}

func (o *obstacle) do(t *testing.T, f func(*testing.T, *apply.Target), tgt *apply.Target) {
	if f != nil {
		f(t, tgt)
	}
}

func obstacles() []obstacle {
	fifo := func(p string) func(*testing.T, *apply.Target) {
		return func(t *testing.T, tgt *apply.Target) {
			_ = os.Remove(tgt.Join(p))
			require.NoError(t, syscall.Mkfifo(tgt.Join(p), 0o600))
		}
	}
	sock := func(p string) func(*testing.T, *apply.Target) {
		return func(t *testing.T, tgt *apply.Target) { socket(t, tgt.Join(p)) }
	}
	mkdir := func(p string) func(*testing.T, *apply.Target) {
		return func(t *testing.T, tgt *apply.Target) {
			_ = os.Remove(tgt.Join(p))
			require.NoError(t, os.MkdirAll(tgt.Join(p), 0o700))
		}
	}
	remove := func(p string) func(*testing.T, *apply.Target) {
		return func(t *testing.T, tgt *apply.Target) { require.NoError(t, os.RemoveAll(tgt.Join(p))) }
	}
	long := strings.Repeat("n", 300)
	blocks := new(pgdata.BlockSet)
	blocks.Add(1)
	relation := filemap.Entry{Path: "base/5/1", Type: pgdata.Regular, Action: filemap.None, SourceSize: 10 * 8192, TargetSize: 10 * 8192, Blocks: blocks}
	cut := filemap.Entry{Path: "base/5/1", Type: pgdata.Regular, Action: filemap.Truncate, SourceSize: 8192, TargetSize: 10 * 8192}
	page := func(c obstacle) obstacle {
		c.send = map[string]string{}
		return c
	}
	list := []obstacle{
		{name: "a link with a zero byte", entries: []filemap.Entry{symlink("base/link", "a\x00b")}, says: []string{"base/link", "which is not a valid path"}},
		{name: "a link of 5000 bytes", entries: []filemap.Entry{symlink("base/link", strings.Repeat("a/", 2500))}, says: []string{"base/link", "5000 bytes"}},
		{name: "a link to nothing", entries: []filemap.Entry{symlink("base/link", "")}, says: []string{"base/link", "has no destination"}},
		{name: "a directory with a long name", entries: []filemap.Entry{directory(long)}, says: []string{long, "name too long"}},
		{name: "a link with a long name", entries: []filemap.Entry{symlink(long, "x")}, says: []string{long, "name too long"}},
		{name: "a directory inside a file", entries: []filemap.Entry{directory("base/5/1/x")}, says: []string{"base/5/1", "a directory belongs there"}},
		{name: "a directory before the one that it is in", entries: []filemap.Entry{directory("a/b"), directory("a")}, says: []string{`"a/b"`, "in its way"}},
		{name: "one path twice", entries: []filemap.Entry{directory("a"), symlink("a", "b")}, says: []string{`"a"`, "two for the same path"}},
		{
			name: "a file in a directory that is removed", says: []string{"base/6/1", "in its way"}, send: map[string]string{"base/6/1": "x"},
			entries: []filemap.Entry{copyOf("base/6/1", 1), {Path: "base/6", Type: pgdata.Directory, Action: filemap.Remove}},
		},
		{name: "a step for the control file", entries: []filemap.Entry{{Path: pgdata.ControlFilePath, Type: pgdata.Regular, Action: filemap.Remove}}, says: []string{"global/pg_control"}},
		{name: "WAL that was not restored", entries: []filemap.Entry{{Path: "pg_wal/000000010000000000000007", Type: pgdata.Regular, Action: filemap.Restore, SourceSize: 1 << 20}}, says: []string{"000000010000000000000007", "no such file"}},
		{name: "an invalid new control file", control: []byte("x"), says: []string{"the new control file"}},

		{name: "a directory named standby.signal on the source", entries: []filemap.Entry{directory("standby.signal")}, last: "standby.signal", says: []string{"standby.signal", "in its way"}},
	}
	for _, place := range []string{"backup_label", "standby.signal", "recovery.signal", "recovery.conf", "postgresql.auto.conf", "tablespace_map"} {
		list = append(list,
			obstacle{name: "a directory named " + place, before: mkdir(place), last: place, says: []string{place, "is a directory, and a file belongs there"}},
			obstacle{name: "a directory that appears as " + place, later: mkdir(place), last: place, says: []string{place, "is a directory, and a file belongs there"}})
	}
	for what, put := range map[string]func(p string) func(*testing.T, *apply.Target){"fifo": fifo, "socket": sock} {
		list = append(list,
			obstacle{name: "a " + what + " where a directory belongs", before: put("new"), entries: []filemap.Entry{directory("new")}, says: []string{"new", "is a " + what}},
			obstacle{name: "a " + what + " that appears where a directory belongs", later: put("new"), entries: []filemap.Entry{directory("new")}, says: []string{"new", "is a " + what}},
			obstacle{name: "a " + what + " where a link belongs", later: put("new"), entries: []filemap.Entry{symlink("new", "x")}, says: []string{"new", "is a " + what}})
	}
	return append(list,
		obstacle{name: "a directory where a file belongs", later: mkdir("new"), entries: []filemap.Entry{copyOf("new", 1)}, send: map[string]string{"new": "x"}, says: []string{"new", "is a directory"}},
		obstacle{name: "another link where one belongs", later: func(t *testing.T, tgt *apply.Target) { require.NoError(t, os.Symlink("y", tgt.Join("new"))) }, entries: []filemap.Entry{symlink("new", "x")}, says: []string{"new", "is a symbolic link"}},
		page(obstacle{name: "a fifo in place of a relation to write to", later: fifo("base/5/1"), entries: []filemap.Entry{relation}, says: []string{"base/5/1", "is a fifo"}}),
		page(obstacle{name: "a relation to write to that is gone", later: remove("base/5/1"), entries: []filemap.Entry{relation}, says: []string{"base/5/1", "is gone"}}),
		obstacle{name: "a relation to truncate that is gone", later: remove("base/5/1"), entries: []filemap.Entry{cut}, says: []string{"base/5/1", "is gone"}},
		obstacle{name: "a directory that is gone", later: remove("base/6"), entries: []filemap.Entry{copyOf("base/6/2", 1)}, send: map[string]string{"base/6/2": "x"}, says: []string{"base/6", "is gone"}},
		obstacle{name: "a staged file that is gone", later: remove(ownfiles.Prefix + "/0"), entries: []filemap.Entry{copyOf("new", 1)}, send: map[string]string{"new": "x"}, says: []string{ownfiles.Prefix + "/0", "no such file"}},
		obstacle{
			name: "a staged file that was truncated", entries: []filemap.Entry{copyOf("new", 1)}, send: map[string]string{"new": "x"}, says: []string{ownfiles.Prefix + "/0", "changed"},
			later: func(t *testing.T, tgt *apply.Target) {
				require.NoError(t, os.Truncate(tgt.Join(ownfiles.Prefix+"/0"), 0))
			},
		},
	)
}

// TestWhatCouldNotBeCarriedOutIsNotCommitted creates obstacles that no run could
// overcome (invariant I2).
func TestWhatCouldNotBeCarriedOutIsNotCommitted(t *testing.T) {
	for _, o := range obstacles() {
		t.Run(o.name, func(t *testing.T) {
			tgt, control := newTarget(t, map[string]string{"base/5/1": strings.Repeat("o", 10*8192), "base/6/1": "old", "pg_wal/x": "", "conf": "old"})
			o.do(t, o.before, tgt)
			err := tgt.Check(plan(o.entries...), pgdata.VersionByName("17"))
			if o.before != nil {
				require.Error(t, err, "it is found before anything is written")
				for _, says := range o.says {
					assert.ErrorContains(t, err, says)
				}
			}
			s, err := tgt.Stage(t.Context(), plan(o.entries...), control, apply.Options{})
			if err == nil {
				for p, data := range o.send {
					require.NoError(t, s.WriteAt(p, []byte(data), 0))
				}
				for _, e := range o.entries {
					for b := range blocksOf(e).All() {
						require.NoError(t, s.WriteAt(e.Path, make([]byte, 8192), int64(b)*8192))
					}
				}
				o.do(t, o.later, tgt)
				last := apply.SmallFile{Path: pgdata.BackupLabelPath, Data: []byte("label")}
				if o.last != "" {
					last.Path = o.last
				}
				final := apply.Final{Control: newControl(t, control), Files: []apply.SmallFile{last}}
				if o.control != nil {
					final.Control = o.control
				}
				var committed bool
				committed, err = s.Commit(t.Context(), control, final)
				assert.False(t, committed)
				s.Discard()
			}
			require.Error(t, err)
			for _, says := range o.says {
				assert.ErrorContains(t, err, says)
			}
			assert.True(t, string(control) == read(t, tgt, pgdata.ControlFilePath), "the control file is as it was")
			assert.NoDirExists(t, tgt.Join(ownfiles.Prefix))
			assert.NoFileExists(t, tgt.Join(pgdata.PostmasterPid))
		})
	}
}

func blocksOf(e filemap.Entry) *pgdata.BlockSet {
	if e.Blocks == nil {
		return new(pgdata.BlockSet)
	}
	return e.Blocks
}

// TestInPlaceWhatCouldNotBeCarriedOutIsNotBegun is the same for a rewind in place.
func TestInPlaceWhatCouldNotBeCarriedOutIsNotBegun(t *testing.T) {
	for name, e := range map[string]filemap.Entry{
		"a link with a zero byte": symlink("base/link", "a\x00b"), "a link of 5000 bytes": symlink("base/link", strings.Repeat("a", 5000)),
		"a long name": directory(strings.Repeat("n", 300)), "a file in its place": directory("conf"),
	} {
		tgt, control := newTarget(t, map[string]string{"conf": "old"})
		c, err := tgt.ChangeInPlace(plan(e), apply.Options{}, nil)
		require.NoError(t, err, name)
		begun, err := c.Begin(t.Context(), control)
		require.Error(t, err, name)
		assert.False(t, begun, name)
		assert.True(t, string(control) == read(t, tgt, pgdata.ControlFilePath), name)
		assert.NoDirExists(t, tgt.Join(ownfiles.Prefix), name)
	}
}

// TestApparentObstaclesAreCarriedOut has files that only seem to be in the way.
func TestApparentObstaclesAreCarriedOut(t *testing.T) {
	tgt, control := newTarget(t, map[string]string{"standby.signal": "", "new/x": "", "\xff old": "x"})
	socket(t, tgt.Join("socket"))
	require.NoError(t, os.Symlink("x", tgt.Join("link")))
	require.NoError(t, os.Symlink("/dev/null", tgt.Join("backup_label")))
	entries := []filemap.Entry{
		directory("new"), directory("two\nlines"), symlink("link", "x"), symlink("loop", "loop"), symlink("two\nlines/\xff", "nowhere/at all"),
		copyOf("socket", 1), copyOf("two\nlines/"+strings.Repeat("n", 255), 1), copyOf("\xff old", 1),
	}
	require.NoError(t, tgt.Check(plan(entries...), pgdata.VersionByName("17")))
	s := stage(t, tgt, control, entries...)
	for _, e := range entries {
		if e.Action == filemap.Copy {
			require.NoError(t, s.WriteAt(e.Path, []byte("n"), 0))
		}
	}
	finish(t, tgt, s, control)
	for _, e := range entries {
		info, err := os.Lstat(tgt.Join(e.Path))
		if assert.NoError(t, err) && e.Action == filemap.Copy {
			assert.True(t, info.Mode().IsRegular(), e.Path)
			assert.Equal(t, "n", read(t, tgt, e.Path))
		}
	}
	assert.Equal(t, "label", read(t, tgt, pgdata.BackupLabelPath))
	assert.NoDirExists(t, tgt.Join(ownfiles.Prefix))
}

// TestALostStagedFileIsNotTakenForAReplacedOne removes a staged file. The file that
// it would replace has the same size (invariant I2).
func TestALostStagedFileIsNotTakenForAReplacedOne(t *testing.T) {
	for _, p := range []string{"base/5/1", "global/1", "pg_xact/0000", "pg_wal/000000010000000000000001", "PG_VERSION"} {
		for _, resumed := range []bool{false, true} {
			tgt, control := newTarget(t, map[string]string{p: "old"})
			was := read(t, tgt, p)
			s := stage(t, tgt, control, copyOf(p, 3))
			require.NoError(t, s.WriteAt(p, []byte("new"), 0))
			commit(t, s, control)
			require.NoError(t, os.Rename(tgt.Join(ownfiles.Prefix+"/0"), tgt.Join("aside")))
			j, err := tgt.Journal()
			require.NoError(t, err)
			err = tgt.Finish(t.Context(), j, resumed)
			require.ErrorIs(t, err, apply.ErrLost, p)
			assert.ErrorContains(t, err, p)
			assert.True(t, tgt.Poisoned())
			assert.Equal(t, was, read(t, tgt, p))

			require.NoError(t, os.Rename(tgt.Join("aside"), tgt.Join(p)), "it is found in place")
			require.NoError(t, tgt.Finish(t.Context(), j, resumed), p)
			assert.Equal(t, "new", read(t, tgt, p))
			assert.False(t, tgt.Poisoned())
		}
	}
}

// TestADiskThatFailsIsNotTakenForALostFile has the disk fail during the check whether a
// file is already in place.
func TestADiskThatFailsIsNotTakenForALostFile(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		dir, control := newDirectory(t, map[string]string{"base/5/1": "old"})
		fails := false
		tgt, err := apply.Open(dir, func(d apply.Disk) apply.Disk {
			return faultdisk.Wrap(d, func(op faultdisk.Op) error {
				if fails && op.Name == "lstat" && op.Path == "base/5/1" {
					return syscall.EIO
				}
				return nil
			})
		})
		require.NoError(t, err)
		s := stage(t, tgt, control, copyOf("base/5/1", 3))
		require.NoError(t, s.WriteAt("base/5/1", []byte("new"), 0))
		commit(t, s, control)
		require.NoError(t, os.Rename(tgt.Join(ownfiles.Prefix+"/0"), tgt.Join("base/5/1")))
		j, err := tgt.Journal()
		require.NoError(t, err)
		fails = true
		err = tgt.Finish(t.Context(), j, resumed)
		require.ErrorIs(t, err, syscall.EIO)
		assert.NotErrorIs(t, err, apply.ErrLost)
		fails = false
		require.NoError(t, tgt.Finish(t.Context(), j, resumed))
		assert.Equal(t, "new", read(t, tgt, "base/5/1"))
		require.NoError(t, tgt.Close())
	}
}

// TestADirectoryThatWasCopiedInBetweenIsFinished copies the directory, so every
// file has another inode.
func TestADirectoryThatWasCopiedInBetweenIsFinished(t *testing.T) {
	tgt, control := newTarget(t, map[string]string{"base/5/1": "old"})
	s := stage(t, tgt, control, copyOf("base/5/1", 3))
	require.NoError(t, s.WriteAt("base/5/1", []byte("new"), 0))
	commit(t, s, control)
	staged := tgt.Join(ownfiles.Prefix + "/0")
	info, err := os.Stat(staged)
	require.NoError(t, err)
	require.NoError(t, os.Remove(tgt.Join("base/5/1")))
	require.NoError(t, os.WriteFile(tgt.Join("base/5/1"), []byte("new"), 0o600))
	require.NoError(t, os.Chtimes(tgt.Join("base/5/1"), info.ModTime(), info.ModTime()))
	require.NoError(t, os.Remove(staged))
	j, err := tgt.Journal()
	require.NoError(t, err)
	require.NoError(t, tgt.Finish(t.Context(), j, true))
}

// TestTwoNewTablespacesInOneDirectory has what a wrong mapping or a lying source asks for.
func TestTwoNewTablespacesInOneDirectory(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	tgt, _ := newTarget(t, map[string]string{})
	space := func(oid, to string) filemap.Entry {
		return filemap.Entry{Path: "pg_tblspc/" + oid, Type: pgdata.Symlink, Link: to, Action: filemap.Create}
	}
	v := pgdata.VersionByName("17")
	require.NoError(t, tgt.Check(&filemap.Plan{Entries: []filemap.Entry{space("1", dir), space("2", t.TempDir())}}, v))
	err := tgt.Check(&filemap.Plan{Entries: []filemap.Entry{space("1", dir), space("2", link)}}, v)
	require.ErrorContains(t, err, `the new tablespace "pg_tblspc/1" would be there, too`)
}
