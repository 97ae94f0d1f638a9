package rewind_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// pair has the data directories of a fixture, for tests to damage.
type pair struct {
	t              *testing.T
	version        *pgdata.Version
	home           string // holds both
	target, source string
	// What the rewind is given, if that is something else.
	targetName, sourceName string
	live                   *source.State // the source is a server that says this
}

func restorePair(t *testing.T, major, scenario string) *pair {
	t.Helper()
	p := &pair{t: t, version: pgdata.VersionByName(major), home: t.TempDir()}
	p.target, p.source = filepath.Join(p.home, "target"), filepath.Join(p.home, "source")
	dir := filepath.Join("..", "testdata", "clusters", major+"-"+scenario)
	restoreSmall(t, filepath.Join(dir, "target"), p.target)
	restoreSmall(t, filepath.Join(dir, "source"), p.source)
	p.targetName, p.sourceName = p.target, p.source
	return p
}

// catalog matches the files of system catalogs.
var catalog = regexp.MustCompile(`(?m)^f .*"base/\d+/\d{1,4}[_"].*\n|^f .*"base/\d+/1[2-4]\d{3}[_"].*\n`)

// restoreSmall restores a fixture without the hundreds of files that no test here
// needs.
func restoreSmall(t *testing.T, from, to string) {
	t.Helper()
	small := t.TempDir()
	from, err := filepath.Abs(from)
	require.NoError(t, err)
	entries, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() != savedcluster.ListingName {
			require.NoError(t, os.Symlink(filepath.Join(from, e.Name()), filepath.Join(small, e.Name())))
		}
	}
	listing := catalog.ReplaceAllString(readText(t, filepath.Join(from, savedcluster.ListingName)), "")
	require.NoError(t, os.WriteFile(filepath.Join(small, savedcluster.ListingName), []byte(listing), 0o600))
	require.NoError(t, savedcluster.Restore(small, to))
}

func (p *pair) wal(dir, name string) string { return filepath.Join(dir, p.version.WALDir, name) }

func (p *pair) write(name string, data []byte) {
	p.t.Helper()
	require.NoError(p.t, os.MkdirAll(filepath.Dir(name), 0o700))
	require.NoError(p.t, os.WriteFile(name, data, 0o600))
}

func (p *pair) remove(name string) {
	p.t.Helper()
	require.NoError(p.t, os.Remove(name))
}

// configure gives the target a readable configuration; the fixture's cannot be read.
func (p *pair) configure(conf string) {
	p.t.Helper()
	p.write(filepath.Join(p.target, "postgresql.conf"), []byte(conf))
	p.write(filepath.Join(p.target, "postgresql.auto.conf"), nil)
}

// change replaces a file with what edit makes of it.
func (p *pair) change(name string, edit func([]byte) []byte) {
	p.t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(p.t, err)
	p.write(name, edit(b))
}

// lock removes all permissions until the test ends.
func (p *pair) lock(name string) {
	p.t.Helper()
	info, err := os.Stat(name)
	require.NoError(p.t, err)
	require.NoError(p.t, os.Chmod(name, 0))
	p.t.Cleanup(func() { _ = os.Chmod(name, info.Mode()) })
}

func (p *pair) controlFile(dir string) string { return filepath.Join(dir, pgdata.ControlFilePath) }

func (p *pair) control(dir string) *controlfile.Data {
	p.t.Helper()
	raw, err := os.ReadFile(p.controlFile(dir))
	require.NoError(p.t, err)
	d, err := controlfile.Parse(raw)
	require.NoError(p.t, err)
	return d
}

// setState makes a cluster look as if its server ended in that state.
func (p *pair) setState(dir string, s controlfile.State) {
	p.t.Helper()
	d := p.control(dir)
	f := d.Fields
	f.State = s
	p.write(p.controlFile(dir), d.Encode(f))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// patch changes bytes of a control file and corrects the checksum.
func (p *pair) patch(dir string, edit func(b []byte)) {
	p.t.Helper()
	p.change(p.controlFile(dir), func(b []byte) []byte {
		for o := 16; o+4 <= 512; o += 4 {
			if crc32.Checksum(b[:o], castagnoli) == binary.LittleEndian.Uint32(b[o:]) {
				edit(b)
				binary.LittleEndian.PutUint32(b[o:], crc32.Checksum(b[:o], castagnoli))
				return b
			}
		}
		require.FailNow(p.t, "the control file has no checksum")
		return nil
	})
}

// clear sets to zero the byte of the control file that makes is true.
func (p *pair) clear(dir string, is func(*controlfile.Data) bool) {
	p.t.Helper()
	for o := range 512 {
		before, err := os.ReadFile(p.controlFile(dir))
		require.NoError(p.t, err)
		if before[o] == 0 {
			continue
		}
		p.patch(dir, func(b []byte) { b[o] = 0 })
		after, err := os.ReadFile(p.controlFile(dir))
		require.NoError(p.t, err)
		if d, err := controlfile.Parse(after); err == nil && is(d) {
			return
		}
		p.write(p.controlFile(dir), before)
	}
	require.FailNow(p.t, "no byte of the control file does that")
}

// runServerIn writes the process ID of a running process to a data directory.
func (p *pair) runServerIn(dir string) {
	p.t.Helper()
	cmd := exec.Command("sleep", "600")
	require.NoError(p.t, cmd.Start())
	p.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p.write(filepath.Join(dir, pgdata.PostmasterPid), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"+dir+"\n"))
}

// server is a stopped data directory that says it is a running server.
type server struct {
	source.Source
	state source.State
}

func (s server) State(context.Context) (source.State, error) { return s.state, nil }

// rewind does what gorewind does with its arguments.
func (p *pair) rewind() error {
	dir, err := source.OpenDir(p.sourceName)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	var src source.Source = dir
	if p.live != nil {
		src = server{dir, *p.live}
	}
	r, err := rewind.Prepare(p.t.Context(), rewind.Options{TargetDir: p.targetName, Source: src, NoSync: true})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	require.True(p.t, r.Plan().Required, r.Plan().Reason)
	return r.Apply(p.t.Context())
}

// WAL of the target. A record starts in the first segment, fills the middle one and
// ends in the last.
const (
	firstSegment  = "00000001000000000000000A"
	middleSegment = "00000001000000000000000B"
	lastSegment   = "00000001000000000000000C"
)

// refusal is bad input, and the error that it must cause.
type refusal struct {
	name     string
	scenario string // of the fixture, "basic" unless given
	spoil    func(p *pair)
	phase    rewind.Phase // none: the source cannot even be opened
	is       error        // an error that the error wraps, or nil
	names    func(p *pair) string
	says     string
	touched  bool // an earlier run changed the target
	needs    bool // a base backup
}

func targetControl(p *pair) string { return p.controlFile(p.target) }
func targetDir(p *pair) string     { return p.target }
func sourceDir(p *pair) string     { return p.source }

func text(s string) func(*pair) string { return func(*pair) string { return s } }

var refusals = []refusal{
	{
		name: "a target that does not exist", phase: rewind.PhaseInspect, is: fs.ErrNotExist, names: text("nowhere"), says: "no such file or directory",
		spoil: func(p *pair) { p.targetName = filepath.Join(p.home, "nowhere") },
	},
	{
		name: "a source that does not exist", is: fs.ErrNotExist, names: text("nowhere"), says: "no such file or directory",
		spoil: func(p *pair) { p.sourceName = filepath.Join(p.home, "nowhere") },
	},
	{
		name: "a target that is a file", phase: rewind.PhaseInspect, names: text("PG_VERSION"), says: "give the data directory of a PostgreSQL cluster",
		spoil: func(p *pair) { p.targetName = filepath.Join(p.target, "PG_VERSION") },
	},
	{
		name: "a target without a control file", phase: rewind.PhaseInspect, is: rewind.ErrNoControlFile, names: targetControl, says: "take a base backup", needs: true,
		spoil: func(p *pair) { p.remove(p.controlFile(p.target)) },
	},
	{
		name: "a target that is no cluster", phase: rewind.PhaseInspect, is: rewind.ErrNotADataDirectory, names: targetControl, says: "give the data directory of a PostgreSQL cluster",
		spoil: func(p *pair) {
			p.remove(p.controlFile(p.target))
			p.remove(filepath.Join(p.target, "PG_VERSION"))
		},
	},
	{
		name: "a source that is no cluster", names: text("pg_control"), says: "for reading: no such file or directory",
		spoil: func(p *pair) { p.remove(p.controlFile(p.source)) },
	},
	{
		needs: true, name: "an empty control file on the target", phase: rewind.PhaseInspect, is: controlfile.ErrSize, names: targetControl, says: "take a new base backup",
		spoil: func(p *pair) { p.write(p.controlFile(p.target), nil) },
	},
	{
		needs: true, name: "a truncated control file on the target", phase: rewind.PhaseInspect, is: controlfile.ErrSize, names: targetControl, says: "cut short",
		spoil: func(p *pair) { p.change(p.controlFile(p.target), func(b []byte) []byte { return b[:4096] }) },
	},
	{
		needs: true, name: "garbage in the target's control file", phase: rewind.PhaseInspect, is: controlfile.ErrCRC, names: targetControl, says: "damaged",
		spoil: func(p *pair) { p.write(p.controlFile(p.target), bytes.Repeat([]byte("garbage\n"), 1024)) },
	},
	{
		needs: true, name: "a flipped bit in the target's control file", phase: rewind.PhaseInspect, is: controlfile.ErrCRC, names: targetControl, says: "damaged",
		spoil: func(p *pair) { p.change(p.controlFile(p.target), func(b []byte) []byte { b[50] ^= 1; return b }) },
	},
	{
		name: "an empty control file on the source", phase: rewind.PhaseInspect, is: controlfile.ErrSize, names: sourceDir, says: "empty",
		spoil: func(p *pair) { p.write(p.controlFile(p.source), nil) },
	},
	{
		name: "garbage in the source's control file", phase: rewind.PhaseInspect, is: controlfile.ErrCRC, names: sourceDir, says: "damaged",
		spoil: func(p *pair) { p.write(p.controlFile(p.source), bytes.Repeat([]byte("garbage\n"), 1024)) },
	},
	{
		name: "a beta", phase: rewind.PhaseInspect, names: targetControl, says: "perhaps it is a beta: use a released PostgreSQL",
		spoil: func(p *pair) { p.patch(p.target, func(b []byte) { b[12]-- }) },
	},
	{
		name: "a version that is not known", phase: rewind.PhaseInspect, names: targetControl, says: "is there a newer gorewind?",
		spoil: func(p *pair) { p.patch(p.target, func(b []byte) { binary.LittleEndian.PutUint32(b[8:], 2401) }) },
	},
	{
		name: "a target that runs", phase: rewind.PhaseInspect, is: rewind.ErrTargetRunning, names: targetDir, says: "stop it",
		spoil: func(p *pair) { p.runServerIn(p.target) },
	},
	{
		name: "a target that is about to start", phase: rewind.PhaseInspect, names: targetDir, says: "is a server about to start there?",
		spoil: func(p *pair) { p.write(filepath.Join(p.target, pgdata.PostmasterPid), nil) },
	},
	{
		name: "a target that was not stopped", phase: rewind.PhaseAnalyze, is: rewind.ErrTargetNotClean, names: targetDir, says: "start the server",
		spoil: func(p *pair) { p.setState(p.target, controlfile.InProduction) },
	},
	{
		name: "a source directory whose server runs", phase: rewind.PhaseInspect, is: rewind.ErrSourceRunning, names: sourceDir, says: "stop it, or give the running server as Options.Source",
		spoil: func(p *pair) { p.runServerIn(p.source) },
	},
	{
		name: "a source directory that was not stopped", phase: rewind.PhaseInspect, is: rewind.ErrSourceNotClean, names: sourceDir, says: "start the server",
		spoil: func(p *pair) { p.setState(p.source, controlfile.InProduction) },
	},
	{
		name: "a source that is itself half rewound", phase: rewind.PhaseInspect, names: sourceDir, says: "finish that first",
		spoil: func(p *pair) { p.write(p.controlFile(p.source), poison.Of(p.control(p.source))) },
	},
	{
		name: "a half rewound target whose journal is gone", phase: rewind.PhaseInspect, touched: true, needs: true, names: text("pgsql_tmp_gorewind/journal"), says: "take a base backup",
		spoil: func(p *pair) { p.write(p.controlFile(p.target), poison.Of(p.control(p.target))) },
	},

	{
		name: "source and target are one path", phase: rewind.PhaseInspect, is: rewind.ErrSameDirectory, names: targetDir, says: "give two different ones",
		spoil: func(p *pair) { p.sourceName = p.target },
	},
	{
		name: "the source is a link to the target", phase: rewind.PhaseInspect, is: rewind.ErrSameDirectory, names: targetDir, says: "give two different ones",
		spoil: func(p *pair) {
			p.sourceName = filepath.Join(p.home, "link")
			require.NoError(p.t, os.Symlink("target", p.sourceName))
		},
	},
	{
		name: "the target is reached through a linked parent", phase: rewind.PhaseInspect, is: rewind.ErrSameDirectory, names: targetDir, says: "give two different ones",
		spoil: func(p *pair) {
			require.NoError(p.t, os.Symlink(".", filepath.Join(p.home, "parent")))
			p.sourceName, p.targetName = filepath.Join(p.home, "parent", "target"), p.target+"/./base/.."
		},
	},
	{
		name: "the source lies in the target", phase: rewind.PhaseInspect, is: rewind.ErrNested, names: targetDir, says: "inside the other",
		spoil: func(p *pair) {
			p.sourceName = filepath.Join(p.target, "base", "source")
			require.NoError(p.t, os.Rename(p.source, p.sourceName))
		},
	},
	{
		name: "the target lies in the source", phase: rewind.PhaseInspect, is: rewind.ErrNested, names: sourceDir, says: "inside the other",
		spoil: func(p *pair) {
			p.targetName = filepath.Join(p.source, "target")
			require.NoError(p.t, os.Rename(p.target, p.targetName))
			p.target = p.targetName
		},
	},
	{
		name: "two systems", phase: rewind.PhaseInspect, is: rewind.ErrDifferentSystems, names: targetDir, says: "system identifier",
		spoil: func(p *pair) { p.patch(p.source, func(b []byte) { b[3]++ }) },
	},
	{
		name: "two majors", phase: rewind.PhaseInspect, is: rewind.ErrIncompatible, names: sourceDir, says: "is of PostgreSQL 12",
		spoil: func(p *pair) {
			id := p.control(p.target).SystemIdentifier
			p.source = restorePair(p.t, "12", "basic").source
			p.sourceName = p.source
			p.patch(p.source, func(b []byte) { binary.LittleEndian.PutUint64(b, id) })
		},
	},
	{
		name: "two geometries", phase: rewind.PhaseInspect, is: rewind.ErrIncompatible, names: sourceDir, says: "block or segment sizes differ",
		spoil: func(p *pair) {
			g := p.control(p.source).Geometry
			is := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, g.BlockSize), g.RelSegBlocks)
			p.patch(p.source, func(b []byte) { binary.LittleEndian.PutUint32(b[bytes.Index(b, is)+4:], g.RelSegBlocks/2) })
		},
	},
	{
		name: "neither checksums nor hints", phase: rewind.PhaseAnalyze, is: rewind.ErrNoPageHints, names: targetDir, says: "take a base backup", needs: true,
		spoil: func(p *pair) {
			p.clear(p.target, func(d *controlfile.Data) bool { return d.DataChecksumVersion == 0 && !d.WALLogHints })
		},
	},
	{
		name: "a source server without full page writes", phase: rewind.PhaseAnalyze, is: rewind.ErrFullPageWrites, names: sourceDir, says: "set it there",
		spoil: func(p *pair) { p.live = &source.State{Live: true} },
	},
	{
		name: "a source server with more WAL than there can be", phase: rewind.PhaseAnalyze, is: rewind.ErrSourceUntrusted, names: sourceDir, says: "it has WAL up to 40000000/0",
		spoil: func(p *pair) { p.live = &source.State{Live: true, FullPageWrites: true, FlushLSN: 1 << 62} },
	},
	{
		name: "a source server with too much WAL since its checkpoint", phase: rewind.PhaseAnalyze, is: rewind.ErrSourceUntrusted, names: sourceDir, says: "impossible",
		spoil: func(p *pair) {
			p.live = &source.State{Live: true, InRecovery: true, FullPageWrites: true, ReplayLSN: 1 << 51}
		},
	},
	{
		name: "a source server with less WAL than its checkpoint", phase: rewind.PhaseAnalyze, is: rewind.ErrSourceUntrusted, names: sourceDir, says: "which is later",
		spoil: func(p *pair) {
			p.live = &source.State{Live: true, FullPageWrites: true, FlushLSN: p.control(p.source).CheckPoint}
		},
	},
	{
		name: "a source control file with an implausible checkpoint", phase: rewind.PhaseInspect, is: rewind.ErrSourceUntrusted, names: sourceDir, says: "impossible",
		spoil: func(p *pair) {
			d := p.control(p.source)
			f := d.Fields
			f.CheckPoint = 1<<62 + 40
			p.write(p.controlFile(p.source), d.Encode(f))
		},
	},
	{
		name: "a source control file with a checkpoint before its redo point", phase: rewind.PhaseInspect, is: rewind.ErrSourceUntrusted, names: sourceDir, says: "with redo at",
		spoil: func(p *pair) {
			d := p.control(p.source)
			f := d.Fields
			f.CheckPoint -= 8192
			p.write(p.controlFile(p.source), d.Encode(f))
		},
	},
	{
		name: "a source server that is far ahead of all WAL", phase: rewind.PhaseAnalyze, names: text("000000020000000000000010"), says: " and more", needs: true,
		spoil: func(p *pair) {
			p.configure("")
			p.live = &source.State{Live: true, FullPageWrites: true, Timeline: 2, FlushLSN: p.control(p.source).CheckPoint + 1<<49}
		},
	},

	{
		name: "the target lacks WAL between the checkpoint and its end", phase: rewind.PhaseAnalyze, is: fs.ErrNotExist, names: text(middleSegment), says: "take a base backup", needs: true,
		spoil: func(p *pair) { p.remove(p.wal(p.target, middleSegment)); p.configure("") },
	},
	{
		name: "the target lacks the WAL of its last checkpoint", phase: rewind.PhaseAnalyze, is: fs.ErrNotExist, names: text(lastSegment), says: "take a base backup", needs: true,
		spoil: func(p *pair) { p.remove(p.wal(p.target, lastSegment)); p.configure("") },
	},
	{ // how far its WAL went is not known, and so not that it stayed before the divergence
		name: "a crashed target lacks the WAL of its last checkpoint, which is before the divergence", phase: rewind.PhaseAnalyze, is: fs.ErrNotExist, names: text(firstSegment),
		says: "take a base backup", needs: true,
		spoil: func(p *pair) {
			d := p.control(p.target)
			f := d.Fields
			f.State, f.CheckPoint = controlfile.InProduction, d.Geometry.SegStart(0xA)+40
			p.write(p.controlFile(p.target), d.Encode(f))
			p.remove(p.wal(p.target, firstSegment))
			p.configure("")
		},
	},
	{
		name: "the target lacks WAL that an archive may have", phase: rewind.PhaseAnalyze, is: fs.ErrNotExist, names: text(middleSegment), says: "Options.RestoreTargetWAL",
		spoil: func(p *pair) {
			p.remove(p.wal(p.target, middleSegment))
			p.configure("restore_command = 'false'\n")
		},
	},
	{
		name: "the target lacks WAL, and its configuration lies elsewhere", phase: rewind.PhaseAnalyze, is: fs.ErrNotExist, names: text(middleSegment), says: "Options.RestoreTargetWAL",
		spoil: func(p *pair) {
			p.remove(p.wal(p.target, middleSegment))
			p.remove(filepath.Join(p.target, "postgresql.conf"))
		},
	},
	{
		name: "the target's WAL cannot be read", phase: rewind.PhaseAnalyze, is: fs.ErrPermission, names: text(middleSegment), says: "permission denied",
		spoil: func(p *pair) { p.lock(p.wal(p.target, middleSegment)) },
	},
	{
		name: "the target's WAL segment is cut short", phase: rewind.PhaseAnalyze, names: text(middleSegment), says: "too short", needs: true,
		spoil: func(p *pair) {
			p.change(p.wal(p.target, middleSegment), func(b []byte) []byte { return b[:len(b)/2] })
		},
	},
	{
		name: "a flipped bit in the target's WAL", phase: rewind.PhaseAnalyze, is: walreader.ErrCorrupt, names: text(firstSegment), says: "corrupt", needs: true,
		spoil: func(p *pair) {
			p.change(p.wal(p.target, middleSegment), func(b []byte) []byte { b[5*8192+3000] ^= 1; return b })
		},
	},
	{
		name: "the target's WAL ends before its last checkpoint", phase: rewind.PhaseAnalyze, is: walreader.ErrEndOfWAL, names: text(lastSegment), says: "end of WAL", needs: true,
		spoil: func(p *pair) {
			at := p.control(p.target).CheckPoint
			p.change(p.wal(p.target, lastSegment), func(b []byte) []byte { clear(b[uint64(at)%(1<<20):]); return b })
		},
	},
	{
		name: "the target's last checkpoint is torn", phase: rewind.PhaseAnalyze, is: walreader.ErrCorrupt, names: text(lastSegment), says: "corrupt", needs: true,
		spoil: func(p *pair) {
			at := uint64(p.control(p.target).CheckPoint)%(1<<20) + 40
			p.change(p.wal(p.target, lastSegment), func(b []byte) []byte { clear(b[at:]); return b })
		},
	},

	{
		name: "the source lacks its timeline history", phase: rewind.PhaseAnalyze, is: fs.ErrNotExist, names: text("00000002.history"), says: "source",
		spoil: func(p *pair) { p.remove(p.wal(p.source, "00000002.history")) },
	},
	{
		name: "an empty timeline history on the source", phase: rewind.PhaseAnalyze, names: text("00000002.history"), says: "restore it",
		spoil: func(p *pair) { p.write(p.wal(p.source, "00000002.history"), nil) },
	},
	{
		name: "garbage in the source's timeline history", phase: rewind.PhaseAnalyze, names: text("00000002.history"), says: "Expected a numeric timeline ID.",
		spoil: func(p *pair) {
			p.write(p.wal(p.source, "00000002.history"), []byte("\x00\xffgar\nbage\n\r"))
		},
	},
	{
		name: "the target lacks its timeline history", scenario: "ladder", phase: rewind.PhaseAnalyze, is: fs.ErrNotExist, names: text("00000003.history"), says: "target",
		spoil: func(p *pair) { p.remove(p.wal(p.target, "00000003.history")) },
	},
	{
		name: "garbage in the target's timeline history", scenario: "ladder", phase: rewind.PhaseAnalyze, names: text("00000003.history"), says: "Expected a write-ahead log switchpoint location.",
		spoil: func(p *pair) { p.write(p.wal(p.target, "00000003.history"), []byte("1\tgarbage\n")) },
	},
	{
		name: "no common ancestor", scenario: "ladder", phase: rewind.PhaseAnalyze, is: timeline.ErrNoCommonAncestor, names: sourceDir, says: "take a base backup", needs: true,
		spoil: func(p *pair) { p.write(p.wal(p.source, "00000004.history"), []byte("2\t0/5000000\tremark\n")) },
	},
	{
		name: "a history that parts where no record starts", phase: rewind.PhaseAnalyze, names: text("divergence point 0/"), says: "take a base backup", needs: true,
		spoil: func(p *pair) {
			p.change(p.wal(p.source, "00000002.history"), func(b []byte) []byte {
				h, err := timeline.Parse(2, b)
				require.NoError(p.t, err)
				return []byte("1\t" + (h[0].End + 8).String() + "\tremark\n")
			})
		},
	},

	{
		name: "a subdirectory of the target that cannot be read", phase: rewind.PhaseAnalyze, is: fs.ErrPermission, names: text("base/5"), says: "permission denied",
		spoil: func(p *pair) { p.lock(filepath.Join(p.target, "base", "5")) },
	},
	{
		name: "a subdirectory of the source that cannot be read", phase: rewind.PhaseAnalyze, is: fs.ErrPermission, names: text("base/5"), says: "permission denied",
		spoil: func(p *pair) { p.lock(filepath.Join(p.source, "base", "5")) },
	},
	{
		name: "a control file of the target that cannot be read", phase: rewind.PhaseInspect, is: fs.ErrPermission, names: targetControl, says: "permission denied",
		spoil: func(p *pair) { p.lock(p.controlFile(p.target)) },
	},
	{
		name: "a target directory that cannot be entered", phase: rewind.PhaseInspect, is: fs.ErrPermission, names: targetDir, says: "permission denied",
		spoil: func(p *pair) { p.lock(p.target) },
	},
	{
		name: "a file of the target that cannot be written", is: fs.ErrPermission, phase: rewind.PhaseAnalyze, names: text("pg_filenode.map"), says: "permission denied",
		spoil: func(p *pair) { p.lock(filepath.Join(p.target, "global", "pg_filenode.map")) },
	},
	{
		name: "a directory of the target that cannot be written", is: fs.ErrPermission, phase: rewind.PhaseAnalyze, names: targetDir, says: "permission denied",
		spoil: func(p *pair) {
			require.NoError(p.t, os.Chmod(p.target, 0o500))
			p.t.Cleanup(func() { _ = os.Chmod(p.target, 0o700) })
		},
	},
}

// TestBadInputIsRefusedBeforeAnythingIsWritten damages one thing at a time.
func TestBadInputIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			scenario := c.scenario
			if scenario == "" {
				scenario = "basic"
			}
			c.mustRefuse(t, restorePair(t, "18", scenario))
		})
	}
}

func (c *refusal) mustRefuse(t *testing.T, p *pair) {
	t.Helper()
	c.spoil(p)
	before := treeOf(t, p.target)
	err := p.rewind()
	require.Error(t, err)
	assert.Empty(t, before.Diff(treeOf(t, p.target)), "changes of the target")

	assert.NotContains(t, err.Error(), "\n")
	assert.Contains(t, err.Error(), c.names(p))
	assert.Contains(t, strings.ToLower(err.Error()), strings.ToLower(c.says))
	if c.is != nil {
		assert.ErrorIs(t, err, c.is)
	}
	if c.phase == "" {
		return
	}
	var failed *rewind.Error
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, c.phase, failed.Phase)
	assert.Equal(t, !c.touched, failed.TargetUntouched, "the target is said to be untouched")
	assert.Equal(t, c.needs, failed.BaseBackupNeeded(), "a base backup is said to be needed")
	assert.False(t, failed.Retryable(), "none of these goes away by itself")
}
