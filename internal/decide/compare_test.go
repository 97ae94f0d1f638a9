package decide_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
)

func TestWhatComparingSaves(t *testing.T) {
	const page = 8192
	for _, c := range []struct {
		name           string
		source, target int64
		different      *pgdata.BlockSet
		want           filemap.Step
		reason         filemap.Reason
		blocks         []pgdata.BlockNumber
		fetch          int64
		saved          int64
	}{
		{name: "all", source: 4 * page, target: 4 * page, want: filemap.None, reason: filemap.SameContent, saved: 4 * page},
		{name: "all, of a file with a partial block", source: 77, target: 77, different: blocks(), want: filemap.None, reason: filemap.SameContent, saved: 77},
		{name: "all of an empty file", want: filemap.None, reason: filemap.SameContent},
		{name: "all but a block", source: 4 * page, target: 4 * page, different: blocks(2), want: filemap.None, reason: filemap.NotARelation, blocks: []pgdata.BlockNumber{2}, fetch: page, saved: 3 * page},
		{name: "nothing, all blocks differ", source: 2 * page, target: 2 * page, different: blocks(0, 1, 2, 3), want: filemap.Copy, reason: filemap.NotARelation, fetch: 2 * page},
		{name: "nothing, a block after its end differs", source: 2 * page, target: 2 * page, different: blocks(7), want: filemap.Copy, reason: filemap.NotARelation, fetch: 2 * page},
		{name: "nothing of a file with a partial block", source: 77, target: 77, different: blocks(0), want: filemap.Copy, reason: filemap.NotARelation, fetch: 77},
		{name: "nothing if one side has a partial block", source: 2 * page, target: page + 1, want: filemap.Copy, reason: filemap.NotARelation, fetch: 2 * page},
		{name: "the blocks before a tail", source: 4 * page, target: 3 * page, different: blocks(1, 3), want: filemap.CopyTail, reason: filemap.NotARelation, blocks: []pgdata.BlockNumber{1}, fetch: 2 * page, saved: 2 * page},
		{name: "some blocks of a truncated file", source: 3 * page, target: 4 * page, different: blocks(1, 3), want: filemap.Truncate, reason: filemap.NotARelation, blocks: []pgdata.BlockNumber{1}, fetch: page, saved: 2 * page},
		{name: "all blocks of a truncated file", source: 3 * page, target: 4 * page, want: filemap.Truncate, reason: filemap.NotARelation, saved: 3 * page},
		{name: "nothing, the target's file is empty", source: 3 * page, want: filemap.Copy, reason: filemap.NotARelation, fetch: 3 * page},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := decide.NewBuilder(decide.Rules{Version: pgdata.VersionByName("17"), Geometry: geometry})
			require.NoError(t, b.AddSource(file("base/5/1_fsm", c.source)))
			require.NoError(t, b.AddTarget(file("base/5/1_fsm", c.target)))
			plan, err := b.Plan(decide.Facts{})
			require.NoError(t, err)
			require.Len(t, plan.Entries, 1)
			decide.SetDifferent(plan, 0, c.different)
			e := plan.Entries[0]
			assert.Equal(t, c.want, e.Action, "action is %s", e.Action)
			assert.Equal(t, c.reason, e.Reason)
			assert.Equal(t, c.blocks, numbers(e.Blocks))
			assert.Equal(t, c.fetch, e.FetchBytes(geometry))
			assert.Equal(t, c.saved, plan.SavedBytes())
			unchanged := int64(0)
			for span := range e.Unchanged(geometry, 0, e.SourceSize) {
				unchanged += span.Length
				assert.Equal(t, c.want == filemap.Copy, decide.Asks(&e, geometry, span.Offset, span.Length) && span.Length > 0)
			}
			if c.want != filemap.Copy {
				assert.Equal(t, c.source, c.fetch+unchanged, "all of the source's file is either fetched or unchanged")
			}
		})
	}
}

func TestOnlyCommonFilesThatWALDoesNotDescribeAreCompared(t *testing.T) {
	b := decide.NewBuilder(decide.Rules{Version: pgdata.VersionByName("17"), Geometry: geometry})
	for _, f := range []pgdata.FileInfo{
		file("base/5/1", 8192), file("base/5/1_fsm", 8192), file("base/5/2_fsm", 8192), file("postgresql.conf", 7), file("pg_wal/00000002.history", 41),
		file("pg_wal/000000010000000000000009", 1<<20), dir("base"),
	} {
		require.NoError(t, b.AddSource(f))
		if f.Path != "base/5/2_fsm" {
			f.Size++
			require.NoError(t, b.AddTarget(f))
		}
	}
	plan, err := b.Plan(decide.Facts{})
	require.NoError(t, err)
	var got []string
	for i, e := range decide.Candidates(plan) {
		assert.Same(t, &plan.Entries[i], e)
		got = append(got, e.Path)
	}
	assert.Equal(t, []string{"base/5/1_fsm", "pg_wal/00000002.history", "postgresql.conf"}, got)
}

func TestAdjacentBlocksAreOneRun(t *testing.T) {
	const page = 8192
	for _, c := range []struct {
		name   string
		blocks *pgdata.BlockSet
		want   []filemap.Span
		stays  []filemap.Span // of a file of ten blocks
	}{
		{"no set", nil, nil, []filemap.Span{{Offset: 0, Length: 10 * page}}},
		{"an empty set", blocks(), nil, []filemap.Span{{Offset: 0, Length: 10 * page}}},
		{"the first", blocks(0), []filemap.Span{{Offset: 0, Length: page}}, []filemap.Span{{Offset: page, Length: 9 * page}}},
		{"all", blocks(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), []filemap.Span{{Offset: 0, Length: 10 * page}}, nil},
		{
			"two runs and a single one", blocks(0, 1, 4, 5, 6, 9),
			[]filemap.Span{{Offset: 0, Length: 2 * page}, {Offset: 4 * page, Length: 3 * page}, {Offset: 9 * page, Length: page}},
			[]filemap.Span{{Offset: 2 * page, Length: 2 * page}, {Offset: 7 * page, Length: 2 * page}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := filemap.Entry{SourceSize: 10 * page, TargetSize: 10 * page, Blocks: c.blocks}
			assert.Equal(t, c.want, slices.Collect(e.Runs(geometry)))
			assert.Equal(t, c.stays, slices.Collect(e.Unchanged(geometry, 0, e.SourceSize)))
			for range e.Runs(geometry) {
				break // the iterator must stop, too
			}
			for range e.Unchanged(geometry, 0, e.SourceSize) {
				break
			}
		})
	}
}
