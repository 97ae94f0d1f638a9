package decide_test

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/pgdata"
)

var geometry = pgdata.Geometry{BlockSize: 8192, RelSegBlocks: 131072, WALBlockSize: 8192, WALSegSize: 1 << 20}

func file(path string, size int64) pgdata.FileInfo {
	return pgdata.FileInfo{Path: path, Type: pgdata.Regular, Size: size}
}

func dir(path string) pgdata.FileInfo { return pgdata.FileInfo{Path: path, Type: pgdata.Directory} }

func link(path, to string) pgdata.FileInfo {
	return pgdata.FileInfo{Path: path, Type: pgdata.Symlink, Link: to}
}

// blocks makes a set of blocks.
func blocks(numbers ...pgdata.BlockNumber) *pgdata.BlockSet {
	s := new(pgdata.BlockSet)
	for _, n := range numbers {
		s.Add(n)
	}
	return s
}

func numbers(s *pgdata.BlockSet) []pgdata.BlockNumber {
	var all []pgdata.BlockNumber
	if s != nil {
		for b := range s.All() {
			all = append(all, b)
		}
	}
	return all
}

// add adds the directories that a listing has before a file, and the file.
func add(t *testing.T, to func(pgdata.FileInfo) error, f pgdata.FileInfo) {
	t.Helper()
	for i, c := range f.Path {
		if dir := f.Path[:i]; c == '/' {
			parent := pgdata.FileInfo{Path: dir, Type: pgdata.Directory}
			if strings.HasPrefix(dir, "pg_tblspc/") && strings.Count(dir, "/") == 1 {
				parent = link(dir, "/ts")
			}
			require.NoError(t, to(parent))
		}
	}
	require.NoError(t, to(f))
}

// none stands for "the side does not have the file".
var none = pgdata.FileInfo{}

func TestDecisions(t *testing.T) {
	const page = 8192
	rel := "base/5/16384"
	seg := pgdata.RelSegment{Locator: pgdata.RelFileLocator{Tablespace: pgdata.DefaultTablespace, Database: 5, Relation: 16384}}
	seg1 := seg
	seg1.Segment = 1
	for _, c := range []struct {
		name           string
		source, target pgdata.FileInfo
		changed        pgdata.ChangedBlocks
		limits         map[pgdata.RelFileLocator]pgdata.BlockNumber
		want           filemap.Step // zero: the plan does not mention the file
		reason         filemap.Reason
		blocks         []pgdata.BlockNumber
	}{
		{name: "a directory that only the source has is created", source: dir("base/7"), want: filemap.Create, reason: filemap.OnlyOnSource},
		{name: "a tablespace that only the source has is linked", source: link("pg_tblspc/9", "/ts"), want: filemap.Create, reason: filemap.OnlyOnSource},
		{name: "a relation that only the source has is copied", source: file(rel, page), want: filemap.Copy, reason: filemap.OnlyOnSource},
		{name: "PG_VERSION of a new database is copied", source: file("base/7/PG_VERSION", 3), want: filemap.Copy, reason: filemap.OnlyOnSource},
		{name: "a relation that only the target has is removed", target: file(rel, page), want: filemap.Remove, reason: filemap.OnlyOnTarget},
		{name: "a directory that only the target has is removed", target: dir("base/7"), want: filemap.Remove, reason: filemap.OnlyOnTarget},
		{name: "the target's divergent WAL is removed", target: file("pg_wal/000000010000000000000009", 1<<20), want: filemap.Remove, reason: filemap.OnlyOnTarget},
		{name: "WAL that recovery needs stays", target: file("pg_wal/000000010000000000000003", 1<<20), want: filemap.None, reason: filemap.NeededRecovery},
		{name: "the target's own segment of the divergence stays if a newer timeline has it", target: file("pg_wal/000000010000000000000008", 1<<20), want: filemap.None, reason: filemap.Superseded},
		{name: "the source's segment of that name is copied", source: file("pg_wal/000000010000000000000008", 1<<20), target: file("pg_wal/000000010000000000000008", 1<<20), want: filemap.Copy, reason: filemap.NotARelation},
		{name: "an equal relation stays", source: file(rel, page), target: file(rel, page)},
		{name: "a grown relation gets its tail", source: file(rel, 3*page), target: file(rel, page), want: filemap.CopyTail, reason: filemap.Grown},
		{name: "the tail of a file that ends within a block begins with that block", source: file(rel, 3*page), target: file(rel, page+page/2), want: filemap.CopyTail, reason: filemap.Grown},
		{name: "a shrunk relation is truncated, and its first block is copied: it can refer to removed pages", source: file(rel, page), target: file(rel, 3*page), want: filemap.Truncate, reason: filemap.Shrunk, blocks: []pgdata.BlockNumber{0}},
		{name: "a relation truncated to nothing has no first block", source: file(rel, 0), target: file(rel, page), want: filemap.Truncate, reason: filemap.Shrunk},
		{name: "all blocks from where the target truncated a relation are copied", source: file(rel, 4*page), target: file(rel, 5*page), limits: map[pgdata.RelFileLocator]pgdata.BlockNumber{seg.Locator: 2}, want: filemap.Truncate, reason: filemap.Shrunk, blocks: []pgdata.BlockNumber{0, 2, 3}},
		{name: "a relation that the target recreated is copied completely", source: file(rel, 2*page), target: file(rel, 2*page), limits: map[pgdata.RelFileLocator]pgdata.BlockNumber{seg.Locator: 0}, want: filemap.None, reason: filemap.ChangedBlocks, blocks: []pgdata.BlockNumber{0, 1}},
		{name: "a relation in a database that the target recreated is copied completely", source: file(rel, 2*page), target: file(rel, 2*page), limits: map[pgdata.RelFileLocator]pgdata.BlockNumber{{Tablespace: seg.Locator.Tablespace, Database: seg.Locator.Database}: 0}, want: filemap.None, reason: filemap.ChangedBlocks, blocks: []pgdata.BlockNumber{0, 1}},
		{name: "a limit counts from the relation's first segment", source: file(rel+".1", 2*page), target: file(rel+".1", 2*page), limits: map[pgdata.RelFileLocator]pgdata.BlockNumber{seg.Locator: pgdata.BlockNumber(geometry.RelSegBlocks) + 1}, want: filemap.None, reason: filemap.ChangedBlocks, blocks: []pgdata.BlockNumber{1}},
		{name: "a limit in a later segment does not affect the first one", source: file(rel, 2*page), target: file(rel, 2*page), limits: map[pgdata.RelFileLocator]pgdata.BlockNumber{seg.Locator: pgdata.BlockNumber(geometry.RelSegBlocks) + 1}},
		{name: "the state of a transaction that recovery prepares is not copied", source: file("pg_twophase/000002F1", 99), want: filemap.None, reason: filemap.MadeByRecovery},
		{name: "the target's state of such a transaction is removed", source: file("pg_twophase/000002F1", 99), target: file("pg_twophase/000002F1", 99), want: filemap.Remove, reason: filemap.MadeByRecovery},
		{name: "the state of another transaction is copied", source: file("pg_twophase/000002F2", 99), want: filemap.Copy, reason: filemap.OnlyOnSource},
		{name: "a visibility map is copied", source: file(rel+"_vm", page), target: file(rel+"_vm", page), want: filemap.Copy, reason: filemap.NotARelation},
		{name: "a free space map is copied", source: file(rel+"_fsm", page), target: file(rel+"_fsm", page), want: filemap.Copy, reason: filemap.NotARelation},
		{name: "an init fork is copied", source: file(rel+"_init", page), target: file(rel+"_init", page), want: filemap.Copy, reason: filemap.NotARelation},
		{name: "a status file is copied", source: file("pg_xact/0000", page), target: file("pg_xact/0000", page), want: filemap.Copy, reason: filemap.NotARelation},
		{name: "a configuration file is copied", source: file("postgresql.conf", 9), target: file("postgresql.conf", 9), want: filemap.Copy, reason: filemap.NotARelation},
		{name: "PG_VERSION on both sides stays", source: file("base/5/PG_VERSION", 3), target: file("base/5/PG_VERSION", 3)},
		{name: "a directory on both sides stays", source: dir("base/5"), target: dir("base/5")},
		{name: "a link on both sides stays wherever it leads", source: link("pg_tblspc/9", "/a"), target: link("pg_tblspc/9", "/b")},
		{name: "WAL from before the divergence stays", source: file("pg_wal/000000010000000000000004", 1<<20), target: file("pg_wal/000000010000000000000004", 1<<20), want: filemap.None, reason: filemap.CommonWAL},
		{name: "WAL from before the divergence of another size is copied", source: file("pg_wal/000000010000000000000006", 1<<20), target: file("pg_wal/000000010000000000000006", 7), want: filemap.Copy, reason: filemap.NotARelation},
		{name: "the segment of the divergence is copied", source: file("pg_wal/000000010000000000000005", 1<<20), target: file("pg_wal/000000010000000000000005", 1<<20), want: filemap.Copy, reason: filemap.NotARelation},
		{name: "a timeline history is copied", source: file("pg_wal/00000002.history", 41), target: file("pg_wal/00000002.history", 41), want: filemap.Copy, reason: filemap.NotARelation},
		{name: "the control file is not in the plan", source: file("global/pg_control", page), target: file("global/pg_control", page)},

		{name: "changed blocks are overwritten", source: file(rel, 4*page), target: file(rel, 4*page), changed: pgdata.ChangedBlocks{seg: blocks(0, 3)}, want: filemap.None, reason: filemap.ChangedBlocks, blocks: []pgdata.BlockNumber{0, 3}},
		{name: "changed blocks are numbered from the start of their file", source: file(rel+".1", 4*page), target: file(rel+".1", 4*page), changed: pgdata.ChangedBlocks{seg: blocks(0), seg1: blocks(2)}, want: filemap.None, reason: filemap.ChangedBlocks, blocks: []pgdata.BlockNumber{2}},
		{name: "blocks in the tail are not overwritten", source: file(rel, 4*page), target: file(rel, 2*page), changed: pgdata.ChangedBlocks{seg: blocks(1, 2, 3)}, want: filemap.CopyTail, reason: filemap.Grown, blocks: []pgdata.BlockNumber{1}},
		{name: "truncated blocks are not overwritten", source: file(rel, 2*page), target: file(rel, 4*page), changed: pgdata.ChangedBlocks{seg: blocks(1, 2, 3)}, want: filemap.Truncate, reason: filemap.Shrunk, blocks: []pgdata.BlockNumber{0, 1}},
		{name: "a partial block is not overwritten", source: file(rel, 2*page-1), target: file(rel, 2*page-1), changed: pgdata.ChangedBlocks{seg: blocks(1)}},
		{name: "changed blocks of a copied file are copied with it", source: file(rel, page), changed: pgdata.ChangedBlocks{seg: blocks(0)}, want: filemap.Copy, reason: filemap.OnlyOnSource},
		{name: "changed blocks of a removed file are removed with it", target: file(rel, page), changed: pgdata.ChangedBlocks{seg: blocks(0)}, want: filemap.Remove, reason: filemap.OnlyOnTarget},

		{name: "the source's postmaster.pid is not copied", source: file("postmaster.pid", 9)},
		{name: "the source's backup label is not copied", source: file("backup_label", 9)},
		{name: "the target's old backup label is removed", source: file("backup_label", 9), target: file("backup_label", 9), want: filemap.Remove, reason: filemap.OnlyOnTarget},
		{name: "the source's replication slots are not copied", source: file("pg_replslot/a/state", 200)},
		{name: "the directory of replication slots is created", source: dir("pg_replslot"), want: filemap.Create, reason: filemap.OnlyOnSource},
		{name: "the target's replication slots are removed", target: dir("pg_replslot/a"), want: filemap.Remove, reason: filemap.OnlyOnTarget},
		{name: "a relation cache is not copied", source: file("base/5/pg_internal.init.77", 9)},
		{name: "temporary files are not copied", source: file("base/pgsql_tmp/pgsql_tmp5.0", 9)},
		{name: "files of macOS are left alone", target: file("base/.DS_Store", 9)},
		{name: "gorewind's own files are left alone", target: file(ownfiles.Prefix+"/pg_control", page)},
		{name: "other files in a tablespace are left alone", target: dir("pg_tblspc/9/lost+found")},
		{name: "another version's directory in a tablespace is left alone", target: dir("pg_tblspc/9/PG_13_202007201/5")},
		{name: "files in this version's directory are not left alone", target: dir("pg_tblspc/9/PG_17_202406281/5"), want: filemap.Remove, reason: filemap.OnlyOnTarget},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := decide.NewBuilder(decide.Rules{
				Version: pgdata.VersionByName("17"), Geometry: geometry,
			})
			if c.source != none {
				add(t, b.AddSource, c.source)
			}
			if c.target != none {
				add(t, b.AddTarget, c.target)
			}
			plan, err := b.Plan(decide.Facts{
				Changed: pgdata.Changes{Blocks: c.changed, Limits: c.limits},
				WAL: map[string]decide.Segment{
					"000000010000000000000003": {Keep: true}, "000000010000000000000008": {Superseded: true, Written: 1 << 20}, "000000010000000000000004": {Common: true},
				},
				Made: map[string]bool{"pg_twophase/000002F1": true},
			})
			require.NoError(t, err)
			var got filemap.Entry
			for _, e := range plan.Entries {
				if e.Path == c.source.Path || e.Path == c.target.Path {
					got = e
				}
			}
			if c.want == 0 {
				assert.Zero(t, got)
				return
			}
			assert.Equal(t, c.want, got.Action, "action is %s", got.Action)
			assert.Equal(t, c.reason, got.Reason)
			assert.Equal(t, c.blocks, numbers(got.Blocks))
			assert.Equal(t, c.source.Link, got.Link)
		})
	}
}

func TestFilesThatCannotBeReconciledAreRefused(t *testing.T) {
	newBuilder := func() *decide.Builder {
		return decide.NewBuilder(decide.Rules{Version: pgdata.VersionByName("17"), Geometry: geometry})
	}
	t.Run("a relation that is a directory on the source", func(t *testing.T) {
		b := newBuilder()
		require.NoError(t, b.AddSource(dir("base")))
		require.NoError(t, b.AddSource(dir("base/5")))
		assert.ErrorContains(t, b.AddSource(dir("base/5/16384")), `"base/5/16384" of the source is not a regular file`)
	})
	for _, p := range []string{"", "/etc/passwd", "..", "../x", "base/../../x", ".", "base//x", "./base", "base/", "base/x\x00"} {
		t.Run("a path that leads elsewhere: "+p, func(t *testing.T) {
			err := newBuilder().AddSource(file(p, 1))
			assert.ErrorContains(t, err, "target file path is unsafe for open")
			assert.ErrorIs(t, err, decide.ErrUntrusted)
		})
	}
	t.Run("a file of negative size", func(t *testing.T) {
		assert.ErrorContains(t, newBuilder().AddSource(file("x", -1)), "-1 bytes, which is impossible")
	})
	t.Run("sizes that are too large", func(t *testing.T) {
		b := newBuilder()
		require.NoError(t, b.AddSource(file("x", 1<<60)))
		assert.ErrorContains(t, b.AddSource(file("y", 1<<60)), "which is impossible")
		require.NoError(t, b.AddSource(dir("global")))
		assert.ErrorContains(t, b.AddSource(file("global/1262", 1<<31)), "which is impossible")
	})
	whole := func(b *decide.Builder) *decide.Builder {
		for _, f := range []pgdata.FileInfo{dir("base"), dir("global"), dir("pg_wal"), file("PG_VERSION", 3), dir("pg_tblspc")} {
			require.NoError(t, b.AddSource(f))
		}
		return b
	}
	for _, p := range []string{"x/y", "link/y", "pg_tblspc/y/PG_17_202406281", "base/1/2", "base/link/y"} {
		t.Run("a file in something that is not a directory: "+p, func(t *testing.T) {
			b := whole(newBuilder())
			for _, f := range []pgdata.FileInfo{file(p, 1), file("x", 1), link("link", "/"), link("base/link", "/"), file("pg_tblspc/y", 1)} {
				require.NoError(t, b.AddSource(f))
			}
			err := b.EndSource()
			assert.ErrorContains(t, err, fmt.Sprintf("has %q, but %q is not a directory there", p, path.Dir(p)))
			assert.ErrorIs(t, err, decide.ErrUntrusted)
		})
	}
	t.Run("a listing may have files before their directories", func(t *testing.T) {
		b := newBuilder()
		for _, f := range []pgdata.FileInfo{file("base/5/1", 8192), dir("base/5"), dir("pg_tblspc/9/PG_17_202406281"), link("pg_tblspc/9", "/ts")} {
			require.NoError(t, b.AddSource(f))
		}
		assert.NoError(t, whole(b).EndSource())
	})
	t.Run("a listing of an incomplete data directory", func(t *testing.T) {
		b := newBuilder()
		for _, p := range []string{"base", "global", "pg_wal"} {
			assert.ErrorContains(t, b.EndSource(), fmt.Sprintf("lacks %q", p))
			require.NoError(t, b.AddSource(dir(p)))
		}
		assert.ErrorContains(t, b.EndSource(), `lacks "PG_VERSION"`)
		require.NoError(t, b.AddSource(file("PG_VERSION", 3)))
		assert.NoError(t, b.EndSource())
	})
	t.Run("a file without a type", func(t *testing.T) {
		assert.ErrorContains(t, newBuilder().AddSource(pgdata.FileInfo{Path: "x"}), "unknown file type")
	})
	t.Run("a file that is a directory on the other side", func(t *testing.T) {
		b := newBuilder()
		require.NoError(t, b.AddSource(file("x", 1)))
		require.NoError(t, b.AddTarget(dir("x")))
		_, err := b.Plan(decide.Facts{})
		assert.ErrorContains(t, err, `"x" is a regular file on the source and a directory on the target`)
	})
}

func TestPlanIsInAnOrderThatCanBeCarriedOut(t *testing.T) {
	b := decide.NewBuilder(decide.Rules{Version: pgdata.VersionByName("17"), Geometry: geometry})
	for _, f := range []pgdata.FileInfo{dir("base"), dir("base/5"), dir("base/7"), file("base/7/1", 8192), file("base/5/2", 8192), file("base/5/3", 16384)} {
		require.NoError(t, b.AddSource(f))
	}
	for _, f := range []pgdata.FileInfo{dir("base"), dir("base/5"), dir("base/9"), file("base/9/1", 8192), file("base/5/2", 16384), file("base/5/3", 8192)} {
		require.NoError(t, b.AddTarget(f))
	}
	plan, err := b.Plan(decide.Facts{})
	require.NoError(t, err)
	var got []string
	for _, e := range plan.Entries {
		got = append(got, e.Action.String()+" "+e.Path)
	}
	assert.Equal(t, []string{
		"CREATE base/7", "COPY base/7/1", "COPY_TAIL base/5/3", "TRUNCATE base/5/2", "REMOVE base/9/1", "REMOVE base/9",
	}, got)
	assert.EqualValues(t, 3*8192, plan.FetchBytes())
	assert.EqualValues(t, 8192*4, plan.SourceBytes)
}
