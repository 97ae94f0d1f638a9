package walreader_test

import (
	"context"
	"io/fs"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

func TestReadSeesExactlyTheRecordsOfAStretch(t *testing.T) {
	rnd := seeded(t)
	for range 5 {
		f := waltest.Format([]string{"9.6", "13", "17", "19"}[rnd.IntN(4)])
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		w := randomWAL(rnd, f, 5<<20)
		segs := w.Segments()
		for range 20 {
			i := rnd.IntN(len(w.Records))
			j := i + rnd.IntN(len(w.Records)-i)
			req := walreader.ReadRequest{
				From: w.Records[i].LSN, To: w.Records[j].End, Jobs: rnd.IntN(6), Visitor: walreader.Visitors(newSeen, newSeen),
			}
			if rnd.IntN(2) == 0 && i > 0 {
				req.From = w.Records[i-1].End // perhaps before a page header, perhaps an abandoned record
			}
			res, err := walreader.Read(t.Context(), segs, f, req)
			require.NoError(t, err, "%+v", req)
			want, length := w.Records[i:j+1], int64(0)
			for _, b := range want {
				length += int64(b.Length)
			}
			assert.Equal(t, []int64{int64(len(want)), length}, []int64{res.Records, res.Bytes})
			for _, v := range res.Visitor.(walreader.VisitorList) {
				assertSame(t, want, v.(*seen).records)
			}
		}
		assert.Zero(t, segs.Open, "segments left open")
	}
}

func TestFixturesAreReadInStretches(t *testing.T) {
	eachFixture(t, func(t *testing.T, dir string) {
		w := restoreWAL(t, dir+"/target")
		from, end := w.firstRecord(t, dir+"/target"), w.end(t)
		want, err := readAll(w, w.format(), from, end)
		require.NoError(t, err)
		for _, i := range []int{0, len(want) / 2, len(want) - 1} {
			res, err := walreader.Read(t.Context(), w, w.format(), walreader.ReadRequest{From: want[i].LSN, To: end, Visitor: newSeen})
			require.NoError(t, err)
			assertSame(t, want[i:], res.Visitor.(*seen).records)
		}
	})
}

func TestReadOfNothing(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Fill(0)
	page := w.Pos() // a page begins here, and no record is there
	for name, req := range map[string]walreader.ReadRequest{
		"from a page to itself":          {From: page, To: page},
		"from behind a header to before": {From: page + 24, To: page},
		"from before a header to behind": {From: page, To: page + 24},
	} {
		req.Visitor = newSeen
		res, err := walreader.Read(t.Context(), w.Segments(), w.Format, req)
		require.NoError(t, err, name)
		assert.Equal(t, &walreader.ReadResult{Visitor: new(seen)}, res, name)
	}
	res, err := walreader.Read(t.Context(), w.Segments(), w.Format, walreader.ReadRequest{From: page, To: page})
	require.NoError(t, err)
	assert.Nil(t, res.Visitor)
}

func TestReadErrors(t *testing.T) {
	w, checkpoints := longWAL("17")
	from, to := checkpoints[1].LSN, lastEnd(w) // segments 2 to 7
	short := slices.IndexFunc(w.Records, func(b waltest.Built) bool { return b.LSN > from && b.Length < 100 })
	for _, c := range []struct {
		name     string
		change   func(segs *waltest.Segments)
		from, to pgdata.LSN
		err      error
		text     string
	}{
		{"to before from", nil, to, from, nil, "nothing to read"},
		{"to within a record", nil, from, w.Records[short].LSN + 8, nil, "is not a valid end point; expected " + w.Records[short].End.String()},
		{"to behind the last record", nil, from, to + 24, walreader.ErrEndOfWAL, "got 0"},
		{"from within a record", nil, from + 8, to, walreader.ErrCorrupt, from.String()[:4]},
		{"missing segment", func(segs *waltest.Segments) { delete(segs.Files, 4) }, from, to, fs.ErrNotExist, "000000010000000000000004"},
		{"missing first segment", func(segs *waltest.Segments) { delete(segs.Files, 2) }, from, to, fs.ErrNotExist, "could not find previous WAL record"},
		{"damage", func(segs *waltest.Segments) { segs.Files[4][50_000] ^= 1 }, from, to, walreader.ErrCorrupt, "checksum"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, jobs := range []int{1, 3} {
				segs := w.Segments()
				if c.change != nil {
					c.change(segs)
				}
				_, err := walreader.Read(t.Context(), segs, w.Format, walreader.ReadRequest{From: c.from, To: c.to, Jobs: jobs})
				require.ErrorContains(t, err, c.text)
				if c.err != nil {
					assert.ErrorIs(t, err, c.err)
				}
				assert.Zero(t, segs.Open)
			}
		})
	}
}

func TestReadDoesNotCareAboutWhatStandsBeforeIt(t *testing.T) {
	w, checkpoints := longWAL("17")
	from := checkpoints[2].LSN
	segs := w.Segments()
	delete(segs.Files, w.Format.Geometry.SegNo(from)-1)
	segs.At(w.Format.Geometry.SegStart(w.Format.Geometry.SegNo(from)))[5000] ^= 1
	_, err := walreader.Read(t.Context(), segs, w.Format, walreader.ReadRequest{From: from, To: lastEnd(w)})
	assert.NoError(t, err)
}

// costlySegments are segments of which the older ones are expensive to open.
type costlySegments struct {
	*waltest.Segments
	below pgdata.SegNo // those are
	asked atomic.Int64
}

func (c *costlySegments) Costly(s pgdata.SegNo) bool {
	c.asked.Add(1)
	return s < c.below
}

func TestScanOpensNoCostlySegmentThatItDoesNotNeed(t *testing.T) {
	w, checkpoints := longWAL("17")
	req := walreader.ScanRequest{Fork: checkpoints[2].End, End: lastEnd(w)}
	oldest := w.Format.Geometry.SegNo(checkpoints[2].LSN)
	for below := oldest - 1; below <= 8; below++ {
		for _, req.Jobs = range []int{1, 2, 8} {
			segs := &costlySegments{Segments: w.Segments(), below: below}
			res, err := walreader.Scan(t.Context(), segs, w.Format, req)
			require.NoError(t, err)
			require.Equal(t, checkpoints[2].LSN, res.Checkpoint.LSN)
			costly := slices.DeleteFunc(segs.Opened, func(s pgdata.SegNo) bool { return s >= below })
			slices.Sort(costly)
			for s := range slices.Values(slices.Compact(costly)) {
				assert.GreaterOrEqual(t, s, oldest, "%d jobs, costly below %d", req.Jobs, below)
			}
			assert.NotZero(t, segs.asked.Load())
		}
	}
}

func TestCostlySegmentsOpenedInOrder(t *testing.T) {
	w, checkpoints := longWAL("17")
	segs := &costlySegments{Segments: w.Segments(), below: 100}
	_, err := walreader.Scan(t.Context(), segs, w.Format, walreader.ScanRequest{Fork: checkpoints[1].LSN, End: lastEnd(w), Jobs: 4})
	require.NoError(t, err)
	first := []pgdata.SegNo{}
	for _, s := range segs.Opened {
		if !slices.Contains(first, s) {
			first = append(first, s)
		}
	}
	assert.Equal(t, []pgdata.SegNo{7, 6, 5, 4, 3, 2, 1}, first)

	_, err = walreader.Scan(t.Context(), segs, w.Format, walreader.ScanRequest{Fork: checkpoints[0].LSN, End: lastEnd(w), Jobs: 4})
	assert.ErrorIs(t, err, fs.ErrNotExist, "it ends, too, where there is no checkpoint")
	delete(segs.Files, 4)
	_, err = walreader.Scan(t.Context(), segs, w.Format, walreader.ScanRequest{Fork: checkpoints[0].LSN, End: lastEnd(w), Jobs: 4})
	assert.ErrorIs(t, err, fs.ErrNotExist, "or a segment is missing")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = walreader.Scan(ctx, segs, w.Format, walreader.ScanRequest{Fork: checkpoints[0].LSN, End: lastEnd(w), Jobs: 4})
	assert.ErrorIs(t, err, context.Canceled)
}

// What is made, removed or cut counts from there on; what was changed below
// stays changed.
func TestLimitsOfChanges(t *testing.T) {
	f := waltest.Format("17")
	wal := &f.Version.WAL
	rel := waltest.HeapTable
	other := rel
	other.Relation++
	cut := func(blocks, flags uint32) waltest.Record {
		return waltest.Words(2, 0x21, blocks, rel.Tablespace, rel.Database, rel.Relation, flags)
	}
	drop := waltest.Transaction{XID: 700, Xinfo: 1 << 2, Drops: []pgdata.RelFileLocator{rel, other}, Prepared: 699}
	prepared := drop
	prepared.Xinfo |= 1 << 4
	limits := func(b pgdata.BlockNumber, of ...pgdata.RelFileLocator) map[pgdata.RelFileLocator]pgdata.BlockNumber {
		m := map[pgdata.RelFileLocator]pgdata.BlockNumber{}
		for _, l := range of {
			m[l] = b
		}
		return m
	}
	ofDatabase := func(tablespace, database uint32) pgdata.RelFileLocator {
		return pgdata.RelFileLocator{Tablespace: tablespace, Database: database}
	}
	newSegment := waltest.Record{Info: 0x40}
	checkpoint := waltest.Record{Info: 0x10, Main: make([]byte, wal.CheckPointSize)}
	for _, c := range []struct {
		name    string
		records []waltest.Record
		want    map[pgdata.RelFileLocator]pgdata.BlockNumber
	}{
		{"a main fork that is made", []waltest.Record{waltest.RelationFile(false, rel, 0)}, limits(0, rel)},
		{"the init fork of an unlogged relation", []waltest.Record{waltest.RelationFile(false, rel, 3)}, limits(0, rel)},
		{"maps that are made", []waltest.Record{waltest.RelationFile(false, rel, 1), waltest.RelationFile(false, rel, 2)}, nil},
		{"a relation that is cut", []waltest.Record{cut(7, 7)}, limits(7, rel)},
		{"maps that are cut", []waltest.Record{cut(7, 6)}, nil},
		{"cut twice, the lower one last", []waltest.Record{cut(7, 1), cut(5, 1)}, limits(5, rel)},
		{"cut twice, the lower one first", []waltest.Record{cut(5, 1), cut(7, 1)}, limits(5, rel)},
		{"cut in two segments, the lower one first", []waltest.Record{cut(5, 1), newSegment, cut(7, 1)}, limits(5, rel)},
		{"cut in two segments, the lower one last", []waltest.Record{cut(7, 1), newSegment, cut(5, 1)}, limits(5, rel)},
		{"a commit that drops", []waltest.Record{drop.Record(waltest.InfoCommit, wal)}, limits(0, rel, other)},
		{"a rollback that drops", []waltest.Record{drop.Record(waltest.InfoAbort, wal)}, limits(0, rel, other)},
		{"COMMIT PREPARED that drops", []waltest.Record{prepared.Record(waltest.InfoCommitPrepared, wal)}, limits(0, rel, other)},
		{"ROLLBACK PREPARED that drops", []waltest.Record{prepared.Record(waltest.InfoAbortPrepared, wal)}, limits(0, rel, other)},
		{"a commit that drops nothing", []waltest.Record{waltest.Transaction{XID: 700}.Record(waltest.InfoCommit, wal)}, nil},
		{"a database that is made as a copy of files", []waltest.Record{waltest.Words(4, 0x01, 9, 1663, 1, 1663)}, limits(0, ofDatabase(1663, 9))},
		{"a database whose files records describe", []waltest.Record{waltest.Words(4, 0x11, 9, 1663)}, limits(0, ofDatabase(1663, 9))},
		{"a database that is dropped from two tablespaces", []waltest.Record{waltest.Words(4, 0x21, 9, 2, 1663, 77)}, limits(0, ofDatabase(1663, 9), ofDatabase(77, 9))},
		{"before the last checkpoint", []waltest.Record{cut(5, 1), checkpoint, cut(7, 1)}, limits(7, rel)},
		{"long before it", []waltest.Record{cut(5, 1), newSegment, checkpoint}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := waltest.NewBuilder(f)
			w.Checkpoint(0, w.Pos()+40)
			w.Add(waltest.Insert(rel, 9))
			for _, s := range c.records {
				w.Add(s)
			}
			fork := w.Add(waltest.Insert(rel, 3)).LSN
			res, err := walreader.Scan(t.Context(), w.Segments(), f, walreader.ScanRequest{Fork: fork, End: lastEnd(w), Jobs: 2})
			require.NoError(t, err)
			assert.Equal(t, c.want, res.Changes.Limits)
			assert.Equal(t, readChanges(t, w.Segments(), f, res.Checkpoint.LSN, lastEnd(w)), res.Changes)
			assert.True(t, res.Changes.Blocks[pgdata.RelSegment{Locator: rel}].Has(3))
			if res.Checkpoint.LSN == w.Records[0].LSN {
				assert.True(t, res.Changes.Blocks[pgdata.RelSegment{Locator: rel}].Has(9), "whatever was cut later")
			}
			assert.Equal(t, map[pgdata.RelFileLocator]int64{rel: 1}, res.BlocksAfterFork)
		})
	}
}

// readChanges is what [walreader.Read] finds changed.
func readChanges(t *testing.T, segs walreader.Segments, f walreader.Format, from, to pgdata.LSN) pgdata.Changes {
	t.Helper()
	read, err := walreader.Read(t.Context(), segs, f, walreader.ReadRequest{
		From: from, To: to, Visitor: func() walreader.Visitor { return walreader.NewChangesVisitor(f, nil) },
	})
	require.NoError(t, err)
	changes, err := read.Visitor.(*walreader.ChangesVisitor).Changes()
	require.NoError(t, err)
	return changes
}

// Untrusted WAL can name any number of files; unwanted ones take no memory.
func TestChangesOfUnwantedFilesAreNotKept(t *testing.T) {
	f := waltest.Format("17")
	w := waltest.NewBuilder(f)
	w.Checkpoint(0, w.Pos()+40)
	for i := range uint32(2000) {
		other := waltest.HeapTable
		other.Relation += 1 + i
		w.Add(waltest.Insert(other, 131071))
		w.Add(waltest.Insert(waltest.HeapTable, i))
	}
	read, err := walreader.Read(t.Context(), w.Segments(), f, walreader.ReadRequest{
		From: w.Start, To: lastEnd(w), Visitor: func() walreader.Visitor {
			return walreader.NewChangesVisitor(f, func(s pgdata.RelSegment) bool { return s.Locator == waltest.HeapTable })
		},
	})
	require.NoError(t, err)
	changes, err := read.Visitor.(*walreader.ChangesVisitor).Changes()
	require.NoError(t, err)
	require.Len(t, changes.Blocks, 1)
	assert.Equal(t, 2000, changes.Blocks[pgdata.RelSegment{Locator: waltest.HeapTable}].Len())
}

// An unknown record makes everything that was collected worthless, in whichever
// segment it is; the first one is named.
func TestChangesOfUnknownRecordsAreNotCollected(t *testing.T) {
	f := waltest.Format("17")
	unknown := waltest.Record{Rmgr: 10, Info: 0x71}
	for _, before := range []int{0, 1} {
		w := waltest.NewBuilder(f)
		w.Checkpoint(0, w.Pos()+40)
		for range before {
			w.Add(waltest.Record{Info: 0x40}) // a new segment
		}
		first := w.Add(unknown)
		w.Add(waltest.Record{Info: 0x40})
		w.Add(unknown)
		w.Add(waltest.Record{Info: 0x40})
		w.Add(waltest.Insert(waltest.HeapTable, 1))
		read, err := walreader.Read(t.Context(), w.Segments(), f, walreader.ReadRequest{
			From: w.Start, To: lastEnd(w), Visitor: func() walreader.Visitor { return walreader.NewChangesVisitor(f, nil) },
		})
		require.NoError(t, err)
		_, err = read.Visitor.(*walreader.ChangesVisitor).Changes()
		var e *walreader.UnknownRecordError
		require.ErrorAs(t, err, &e)
		assert.Equal(t, first.LSN, e.LSN)
	}
}
