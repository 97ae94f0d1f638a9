package decide_test

import (
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
)

const segmentSize = 1 << 20

func TestWALThatNeedNotComeFromTheSource(t *testing.T) {
	const (
		before = "000000010000000000000004" // the divergence is in segment 5
		at     = "000000020000000000000005"
		after  = "000000020000000000000007"
		own    = "000000010000000000000005"
	)
	whole := decide.Segment{Written: segmentSize}
	with := func(change func(*decide.Segment)) decide.Segment {
		s := whole
		change(&s)
		return s
	}
	written := func(bytes int64) decide.Segment { return decide.Segment{Written: bytes} }
	local := func(p string, bytes int64) decide.Segment {
		return decide.Segment{Written: segmentSize, Local: p, LocalBytes: bytes}
	}
	for _, c := range []struct {
		name    string
		segment string
		both    bool
		decided decide.Segment
		want    filemap.Entry // its sizes are not compared; zero: not in the plan
		fetch   int64
		saved   []filemap.Saving
	}{
		{
			name: "proven to be common", segment: before, both: true, decided: with(func(s *decide.Segment) { s.Common = true }),
			want: filemap.Entry{Action: filemap.None, Reason: filemap.CommonWAL}, saved: []filemap.Saving{{Reason: filemap.CommonWAL, Files: 1, Bytes: segmentSize}},
		},
		{
			name: "not proven to be common, so it is copied", segment: before, both: true, decided: whole,
			want: filemap.Entry{Action: filemap.Copy, Reason: filemap.NotARelation}, fetch: segmentSize,
		},
		{
			name: "recycled and new to the target", segment: after, decided: written(0),
			want: filemap.Entry{Action: filemap.Copy, Reason: filemap.NotWritten, Unwritten: segmentSize}, saved: []filemap.Saving{{Reason: filemap.NotWritten, Files: 1, Bytes: segmentSize}},
		},
		{
			name: "recycled, and the target has another file there", segment: after, both: true, decided: written(0),
			want: filemap.Entry{Action: filemap.Copy, Reason: filemap.NotWritten, Unwritten: segmentSize}, saved: []filemap.Saving{{Reason: filemap.NotWritten, Files: 1, Bytes: segmentSize}},
		},
		{
			name: "recycled, but recovery reads the target's file", segment: after, both: true,
			decided: decide.Segment{Keep: true},
			want:    filemap.Entry{Action: filemap.None, Reason: filemap.NeededRecovery},
		},
		{
			name: "partly written", segment: after, decided: written(8192), fetch: 8192,
			want:  filemap.Entry{Action: filemap.Copy, Reason: filemap.OnlyOnSource, Unwritten: segmentSize - 8192},
			saved: []filemap.Saving{{Reason: filemap.NotWritten, Files: 1, Bytes: segmentSize - 8192}},
		},
		{
			name: "partly written, on both sides", segment: after, both: true, decided: written(8192), fetch: 8192,
			want:  filemap.Entry{Action: filemap.Copy, Reason: filemap.NotARelation, Unwritten: segmentSize - 8192},
			saved: []filemap.Saving{{Reason: filemap.NotWritten, Files: 1, Bytes: segmentSize - 8192}},
		},
		{
			name: "more written than the file's size", segment: after, decided: written(2 * segmentSize), fetch: segmentSize,
			want: filemap.Entry{Action: filemap.Copy, Reason: filemap.OnlyOnSource},
		},
		{
			name: "begins like one of the target's", segment: at, decided: local("pg_wal/"+own, 16384), fetch: segmentSize - 16384,
			want:  filemap.Entry{Action: filemap.Copy, Reason: filemap.OnlyOnSource, Local: "pg_wal/" + own, LocalBytes: 16384},
			saved: []filemap.Saving{{Reason: filemap.CommonWAL, Files: 1, Bytes: 16384}},
		},
		{
			name: "begins like one of the target's and ends unwritten", segment: at, fetch: 8192,
			decided: decide.Segment{Written: 24576, Local: "pg_wal/" + own, LocalBytes: 16384},
			want:    filemap.Entry{Action: filemap.Copy, Reason: filemap.OnlyOnSource, Local: "pg_wal/" + own, LocalBytes: 16384, Unwritten: segmentSize - 24576},
			saved:   []filemap.Saving{{Reason: filemap.NotWritten, Files: 1, Bytes: segmentSize - 24576}, {Reason: filemap.CommonWAL, Files: 1, Bytes: 16384}},
		},
		{
			name: "more equal bytes than are written", segment: at,
			decided: decide.Segment{Written: 8192, Local: "pg_wal/" + own, LocalBytes: 16384},
			want:    filemap.Entry{Action: filemap.Copy, Reason: filemap.OnlyOnSource, Local: "pg_wal/" + own, LocalBytes: 8192, Unwritten: segmentSize - 8192},
			saved:   []filemap.Saving{{Reason: filemap.NotWritten, Files: 1, Bytes: segmentSize - 8192}, {Reason: filemap.CommonWAL, Files: 1, Bytes: 8192}},
		},
		{
			name: "equal to a file that the target does not have", segment: at, decided: local("pg_wal/gone", 16384),
			want: filemap.Entry{Action: filemap.Copy, Reason: filemap.OnlyOnSource}, fetch: segmentSize,
		},
		{
			name: "equal to more than the size of the target's file", segment: at, decided: local("pg_wal/"+own, segmentSize+1),
			want: filemap.Entry{Action: filemap.Copy, Reason: filemap.OnlyOnSource}, fetch: segmentSize,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := decide.NewBuilder(decide.Rules{Version: pgdata.VersionByName("17"), Geometry: geometry})
			f := file("pg_wal/"+c.segment, segmentSize)
			add(t, b.AddSource, f)
			if c.both {
				require.NoError(t, b.AddTarget(f))
			}
			require.NoError(t, b.AddTarget(file("pg_wal/"+own, segmentSize)))
			plan, err := b.Plan(decide.Facts{WAL: map[string]decide.Segment{c.segment: c.decided}})
			require.NoError(t, err)
			var got filemap.Entry
			for _, e := range plan.Entries {
				if path.Base(e.Path) == c.segment {
					got = e
				}
			}
			if c.want != (filemap.Entry{}) {
				assert.Equal(t, f.Size, got.SourceSize)
				c.want.Path, c.want.Type, c.want.SourceSize, c.want.TargetSize = f.Path, f.Type, f.Size, got.TargetSize
			}
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.fetch, got.FetchBytes(geometry))
			assert.ElementsMatch(t, c.saved, plan.Saved())
			total := int64(0)
			for _, s := range c.saved {
				total += s.Bytes
			}
			assert.Equal(t, total, plan.SavedBytes())
			if got.Action == filemap.Copy {
				assert.True(t, decide.Asks(&got, geometry, 0, segmentSize), "a running source keeps writing")
			}
		})
	}
}

// TestARestoredSegmentIsOnlyPutInPlace has files of that name on both sides: the segment
// from the archive must not be removed or copied as well.
func TestARestoredSegmentIsOnlyPutInPlace(t *testing.T) {
	const name = "000000020000000000000005"
	for _, sides := range []string{"", "target", "source", "target source"} {
		b := decide.NewBuilder(decide.Rules{Version: pgdata.VersionByName("17"), Geometry: geometry})
		for side, to := range map[string]func(pgdata.FileInfo) error{"source": b.AddSource, "target": b.AddTarget} {
			if strings.Contains(sides, side) {
				require.NoError(t, to(file("pg_wal/"+name, segmentSize)))
			}
		}
		plan, err := b.Plan(decide.Facts{WAL: map[string]decide.Segment{name: {Restored: segmentSize}}})
		require.NoError(t, err)
		assert.Equal(t, []filemap.Entry{{
			Path: "pg_wal/" + name, Type: pgdata.Regular, Action: filemap.Restore, Reason: filemap.NeededRecovery, SourceSize: segmentSize,
		}}, plan.Entries, sides)
	}
}

func TestLookingUpWhatWasListed(t *testing.T) {
	b := decide.NewBuilder(decide.Rules{Version: pgdata.VersionByName("17"), Geometry: geometry})
	wal := func(names ...string) (all []pgdata.FileInfo) {
		for _, name := range names {
			all = append(all, file("pg_wal/"+name, 7))
		}
		return all
	}
	for _, f := range append(wal("c", "a", "b"), dir("pg_wal"), dir("pg_wal/archive_status"), file("pg_wal/archive_status/x", 0), file("postmaster.pid", 1)) {
		require.NoError(t, b.AddSource(f))
	}
	for _, f := range append(wal("z", "y"), dir("pg_wal"), file("postmaster.pid", 1)) {
		require.NoError(t, b.AddTarget(f))
	}
	var target []pgdata.FileInfo
	for f := range b.TargetWAL() {
		target = append(target, f)
	}
	assert.Equal(t, wal("y", "z"), target)

	f, has := b.Source("pg_wal/a")
	assert.True(t, has)
	assert.Equal(t, file("pg_wal/a", 7), f)
	_, has = b.Source("pg_wal/z")
	assert.False(t, has)
	_, has = b.Source("postmaster.pid")
	assert.False(t, has, "it is of no use to another server")
	_, has = b.Target("postmaster.pid")
	assert.True(t, has)
	_, has = b.Target("nowhere/z")
	assert.False(t, has)
}
