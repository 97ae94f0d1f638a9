package walreader_test

import (
	"context"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// seen is a visitor that knows which records it saw.
type seen struct{ records []waltest.Built }

func (s *seen) Visit(rec *walreader.Record) {
	s.records = append(s.records, waltest.Built{LSN: rec.LSN, End: rec.End, Prev: rec.Prev, Length: rec.Length})
}

func (s *seen) Prepend(earlier walreader.Visitor) {
	s.records = append(earlier.(*seen).records, s.records...)
}

func newSeen() walreader.Visitor { return new(seen) }

// scanSequentially is Scan in its simplest form: it reads everything from start,
// where a record starts.
func scanSequentially(t *testing.T, segs walreader.Segments, f walreader.Format, start pgdata.LSN, req walreader.ScanRequest) *walreader.ScanResult {
	t.Helper()
	var (
		res   = &walreader.ScanResult{LastSegment: f.Geometry.SegNo(req.End - 1), BlocksAfterFork: map[pgdata.RelFileLocator]int64{}}
		seen  = new(seen)
		after = pgdata.ChangedBlocks{}
		r     = walreader.NewReader(segs, f)
	)
	defer func() { _ = r.Close() }()
	for rec, err := range r.Records(context.Background(), start, req.End) {
		require.NoError(t, err)
		seen.Visit(rec)
		if c, ok := rec.Checkpoint(); ok && rec.LSN < req.Fork {
			res.Checkpoint, res.FirstSegment = c, f.Geometry.SegNo(rec.LSN)
			res.Changes, res.Records, res.Bytes = pgdata.Changes{Blocks: pgdata.ChangedBlocks{}}, 0, 0
		}
		if res.Checkpoint.LSN == 0 {
			continue
		}
		res.Records++
		res.Bytes += int64(rec.Length)
		for _, b := range rec.Blocks {
			if b.Fork == pgdata.MainFork {
				res.Changes.Blocks.Add(f.Geometry, b.Locator, b.Block)
				if rec.LSN >= req.Fork {
					after.Add(f.Geometry, b.Locator, b.Block)
				}
			}
		}
		if l, fork, ok := f.StorageCreate(rec); ok && (fork == pgdata.MainFork || fork == pgdata.InitFork) {
			res.Changes.Limit(l, 0)
		}
		if l, blocks, main, ok := f.StorageTruncate(rec); ok && main {
			res.Changes.Limit(l, blocks)
		}
		if e, ok := f.Ended(rec); ok {
			for l := range e.Relations() {
				res.Changes.Limit(l, 0)
			}
		}
		if d, ok := f.DatabaseCopy(rec); ok {
			res.Changes.Limit(pgdata.RelFileLocator{Tablespace: d.Tablespace, Database: d.Database}, 0)
		}
		if database, tablespace, ok := f.DatabaseCreate(rec); ok {
			res.Changes.Limit(pgdata.RelFileLocator{Tablespace: tablespace, Database: database}, 0)
		}
		if database, tablespaces, ok := f.DatabaseDrop(rec); ok {
			for _, tablespace := range tablespaces {
				res.Changes.Limit(pgdata.RelFileLocator{Tablespace: tablespace, Database: database}, 0)
			}
		}
	}
	for file, blocks := range after {
		res.BlocksAfterFork[file.Locator] += int64(blocks.Len())
	}
	// Visitors see all of the segments that are read.
	seen.records = slices.DeleteFunc(seen.records, func(b waltest.Built) bool { return f.Geometry.SegNo(b.LSN) < res.FirstSegment })
	res.Visitor = walreader.VisitorList{seen}
	return res
}

// assertScan compares Scan with scanSequentially.
func assertScan(t *testing.T, segs walreader.Segments, f walreader.Format, start pgdata.LSN, req walreader.ScanRequest) {
	t.Helper()
	want := scanSequentially(t, segs, f, start, req)
	req.Visitor = walreader.Visitors(newSeen)
	got, err := walreader.Scan(context.Background(), segs, f, req)
	if want.Checkpoint.LSN == 0 {
		require.ErrorIs(t, err, fs.ErrNotExist)
		return
	}
	require.NoError(t, err, "%+v", req)
	wantBlocks, gotBlocks := blockLists(want.Changes.Blocks), blockLists(got.Changes.Blocks)
	want.Changes.Blocks, got.Changes.Blocks = nil, nil
	wantSeen, gotSeen := want.Visitor.(walreader.VisitorList)[0].(*seen), got.Visitor.(walreader.VisitorList)[0].(*seen)
	assertSame(t, wantSeen.records, gotSeen.records)
	want.Visitor, got.Visitor = nil, nil
	assert.Equal(t, want, got, "%+v", req)
	if !maps.EqualFunc(wantBlocks, gotBlocks, slices.Equal[[]pgdata.BlockNumber]) {
		assert.Equal(t, wantBlocks, gotBlocks, "%+v", req)
	}
}

func blockLists(blocks pgdata.ChangedBlocks) map[pgdata.RelSegment][]pgdata.BlockNumber {
	lists := map[pgdata.RelSegment][]pgdata.BlockNumber{}
	for file, set := range blocks {
		lists[file] = slices.Collect(set.All())
	}
	return lists
}

func TestScanEqualsSequentialReading(t *testing.T) {
	rnd := seeded(t)
	for range 8 {
		f := waltest.Format([]string{"9.6", "13", "17", "19"}[rnd.IntN(4)])
		f.Geometry.RelSegBlocks = 1 << (8 + rnd.IntN(10))
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		f.Geometry.WALSegSize = 1 << (20 + rnd.IntN(2))
		w := randomWAL(rnd, f, 6<<20)
		segs := w.Segments()
		for range 20 {
			from := rnd.IntN(len(w.Records))
			to := from + rnd.IntN(len(w.Records)-from)
			fork := w.Records[from].LSN
			if rnd.IntN(2) == 0 && from > 0 {
				fork = w.Records[from-1].End // perhaps before a page header, perhaps an abandoned record
			}
			assertScan(t, segs, f, w.Start, walreader.ScanRequest{Fork: fork, End: w.Records[to].End, Jobs: rnd.IntN(6)})
		}
		assert.Zero(t, segs.Open, "segments left open")
	}
}

// Damage anywhere that Scan reads is found by it exactly if a sequential reader
// finds it that begins with the first record of the checkpoint's segment.
func TestScanFindsTheDamageThatSequentialReadingFinds(t *testing.T) {
	rnd := seeded(t)
	found, harmless := 0, 0
	for range 3 {
		f := waltest.Format([]string{"9.6", "13", "17", "19"}[rnd.IntN(4)])
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		w := randomWAL(rnd, f, 6<<20)
		segs := w.Segments()
		for range 25 {
			i := rnd.IntN(len(w.Records))
			req := walreader.ScanRequest{Fork: w.Records[i].LSN, End: lastEnd(w), Jobs: 1 + rnd.IntN(3)}
			whole, err := walreader.Scan(context.Background(), segs, f, req)
			if err != nil {
				require.ErrorIs(t, err, fs.ErrNotExist)
				continue
			}
			start := w.Records[firstAfter(w, f.Geometry.SegStart(whole.FirstSegment))].LSN
			at := start + pgdata.LSN(rnd.Int64N(int64(req.End-start)))
			if rnd.IntN(3) == 0 {
				at = max(start, f.Geometry.PageStart(at)+pgdata.LSN(rnd.IntN(40))) // page headers
			}
			bit := byte(1) << rnd.IntN(8)
			segs.At(at)[0] ^= bit
			_, sequential := readAll(segs, f, start, req.End)
			damaged, err := walreader.Scan(context.Background(), segs, f, req)
			segs.At(at)[0] ^= bit
			require.Equal(t, sequential != nil, err != nil, "bit %02X at %s, %+v\n%v\n%v", bit, at, req, sequential, err)
			if err == nil {
				harmless++
				require.Equal(t, whole, damaged)
			} else {
				found++
			}
		}
	}
	t.Logf("%d damaged, %d harmless", found, harmless)
	assert.Greater(t, found, 10)
}

// longWAL is a segment and a half of records per checkpoint, over six segments.
func longWAL(version string) (w *waltest.Builder, checkpoints []waltest.Built) {
	w = waltest.NewBuilder(waltest.Format(version))
	checkpoints = append(checkpoints, w.Checkpoint(0, w.Pos()+40))
	for len(w.Buf) < 6<<20 {
		for end := len(w.Buf) + 3<<19; len(w.Buf) < end; {
			w.Add(waltest.Message(3000))
			w.Add(waltest.Insert(waltest.HeapTable, uint32(len(w.Records))))
		}
		checkpoints = append(checkpoints, w.Checkpoint(0x10, w.Pos()))
	}
	w.Add(waltest.Message(3000))
	return w, checkpoints
}

// firstAfter is the index of the first record at or after lsn.
func firstAfter(w *waltest.Builder, lsn pgdata.LSN) int {
	return slices.IndexFunc(w.Records, func(b waltest.Built) bool { return b.LSN >= lsn })
}

func lastEnd(w *waltest.Builder) pgdata.LSN { return w.Records[len(w.Records)-1].End }

func TestScanFindsTheLastCheckpointBeforeTheFork(t *testing.T) {
	w, checkpoints := longWAL("17")
	segs := w.Segments()
	for i, c := range checkpoints[1:] {
		for name, fork := range map[string]pgdata.LSN{"at a checkpoint": c.LSN, "behind a checkpoint": c.End} {
			want := checkpoints[i]
			if fork != c.LSN {
				want = c
			}
			res, err := walreader.Scan(context.Background(), segs, w.Format, walreader.ScanRequest{Fork: fork, End: lastEnd(w)})
			require.NoError(t, err)
			assert.Equal(t, want.LSN, res.Checkpoint.LSN, name)
			assert.Equal(t, w.Format.Geometry.SegNo(want.LSN), res.FirstSegment, name)
			assertScan(t, segs, w.Format, w.Start, walreader.ScanRequest{Fork: fork, End: lastEnd(w)})
		}
	}
}

func TestScanOpensNoOlderSegmentsThanItNeeds(t *testing.T) {
	w, checkpoints := longWAL("17")
	segs := w.Segments()
	fork := checkpoints[2].End
	_, err := walreader.Scan(context.Background(), segs, w.Format, walreader.ScanRequest{Fork: fork, End: lastEnd(w), Jobs: 1})
	require.NoError(t, err)
	assert.Equal(t, w.Format.Geometry.SegNo(checkpoints[2].LSN), slices.Min(segs.Opened))
}

func TestScanDoesNotCareAboutOlderSegments(t *testing.T) {
	w, checkpoints := longWAL("17")
	req := walreader.ScanRequest{Fork: checkpoints[2].End, End: lastEnd(w), Jobs: 8}
	oldest := w.Format.Geometry.SegNo(checkpoints[2].LSN)
	for name, change := range map[string]func(segs *waltest.Segments, s pgdata.SegNo){
		"missing": func(segs *waltest.Segments, s pgdata.SegNo) { delete(segs.Files, s) },
		"damaged": func(segs *waltest.Segments, s pgdata.SegNo) { segs.Files[s][5000] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			segs := w.Segments()
			for s := w.Format.Geometry.SegNo(w.Start); s < oldest; s++ {
				change(segs, s)
			}
			_, err := walreader.Scan(context.Background(), segs, w.Format, req)
			assert.NoError(t, err)
			assert.Zero(t, segs.Open)
		})
	}
}

func TestScanErrors(t *testing.T) {
	w, checkpoints := longWAL("17")
	geometry := w.Format.Geometry
	fork := checkpoints[2].LSN // in segment 4, the checkpoint before it in segment 2
	afterFork := firstAfter(w, fork) + 100
	unlinked := w.Records[firstAfter(w, geometry.SegStart(5))]                                                 // first to start in segment 5
	afterFork += slices.IndexFunc(w.Records[afterFork:], func(b waltest.Built) bool { return b.Length < 100 }) // an insert
	special := func(segs *waltest.Segments, b waltest.Built) {
		require.Less(t, uint32(b.LSN)%8192+b.Length, uint32(8192), "one page holds it")
		rec := segs.At(b.LSN)[:b.Length]
		rec[16] |= 0x01
		waltest.Seal(rec, b.Prev)
	}
	for _, c := range []struct {
		name   string
		change func(segs *waltest.Segments)
		req    walreader.ScanRequest
		err    error // or nil
		text   string
	}{
		{
			"end within a record", nil,
			walreader.ScanRequest{Fork: fork, End: w.Records[afterFork].LSN + 8},
			nil, "end pointer " + (w.Records[afterFork].LSN + 8).String() + " is not a valid end point; expected " + w.Records[afterFork].End.String(),
		},
		{
			"end behind the last record", nil,
			walreader.ScanRequest{Fork: fork, End: lastEnd(w) + 24},
			walreader.ErrEndOfWAL,
			"could not read WAL record at 0/703670: invalid record length at 0/703670: expected at least 24, got 0",
		},
		{
			"fork within a record", nil,
			walreader.ScanRequest{Fork: fork + 8, End: lastEnd(w)},
			nil, "no WAL record starts at the divergence point 0/401530; expected 0/4015A0",
		},
		{
			"fork in a record that fills the rest of its segment", nil,
			walreader.ScanRequest{Fork: unlinked.LSN - 8, End: lastEnd(w)},
			nil, "no WAL record starts at the divergence point",
		},
		{
			"fork at the end", nil,
			walreader.ScanRequest{Fork: lastEnd(w), End: lastEnd(w)},
			nil, "nothing to scan",
		},
		{
			"no checkpoint before the fork", nil,
			walreader.ScanRequest{Fork: checkpoints[0].LSN, End: lastEnd(w)},
			fs.ErrNotExist, "WAL begins here, without a checkpoint before the divergence point 0/100028",
		},
		{
			"missing segment before the checkpoint is found", func(segs *waltest.Segments) { delete(segs.Files, 2) },
			walreader.ScanRequest{Fork: fork, End: lastEnd(w)},
			fs.ErrNotExist,
			"could not find previous WAL record at 0/2FF",
		},
		{
			"missing segment before the end", func(segs *waltest.Segments) { delete(segs.Files, 5) },
			walreader.ScanRequest{Fork: fork, End: lastEnd(w)},
			fs.ErrNotExist, "open 000000010000000000000005",
		},
		{
			"missing newest segment", func(segs *waltest.Segments) { delete(segs.Files, 7) },
			walreader.ScanRequest{Fork: fork, End: lastEnd(w)},
			fs.ErrNotExist, "could not read WAL record at 0/700000: open",
		},
		{
			"damage between checkpoint and fork", func(segs *waltest.Segments) { segs.Files[3][50_000] ^= 1 },
			walreader.ScanRequest{Fork: fork, End: lastEnd(w)},
			walreader.ErrCorrupt, "checksum",
		},
		{
			"neighbours that are not linked", func(segs *waltest.Segments) {
				waltest.Seal(segs.At(unlinked.LSN)[:unlinked.Length], unlinked.Prev-8)
			},
			walreader.ScanRequest{Fork: fork, End: lastEnd(w)},
			walreader.ErrCorrupt, "record with incorrect prev-link",
		},
		{
			"timeline that goes down from one segment to the next", func(segs *waltest.Segments) {
				for page := range 128 {
					put32(segs.Files[4][page*8192+4:], 2)
				}
			},
			walreader.ScanRequest{Fork: fork, End: lastEnd(w)},
			walreader.ErrTornRecord, "out-of-sequence timeline ID 1 (after 2)",
		},
		{
			"unknown special record", func(segs *waltest.Segments) {
				special(segs, w.Records[afterFork])
				special(segs, w.Records[afterFork+200])
			},
			walreader.ScanRequest{Fork: fork, End: lastEnd(w)},
			nil,
			"record type is not recognized: lsn: " + w.Records[afterFork].LSN.String() + ",",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, jobs := range []int{1, 2, 9} {
				segs := w.Segments()
				if c.change != nil {
					c.change(segs)
				}
				c.req.Jobs = jobs
				res, err := walreader.Scan(context.Background(), segs, w.Format, c.req)
				assert.Nil(t, res)
				require.ErrorContains(t, err, c.text)
				if c.err != nil {
					assert.ErrorIs(t, err, c.err)
				}
				assert.Zero(t, segs.Open, "segments left open")
			}
		})
	}
}

func TestScanIgnoresUnknownRecordsBeforeTheCheckpoint(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Checkpoint(0, w.Pos()+40)
	w.Add(waltest.Record{Rmgr: 10, Info: 0x01})
	w.Checkpoint(0x10, w.Pos())
	fork := w.Add(waltest.Message(100))
	_, err := walreader.Scan(context.Background(), w.Segments(), w.Format, walreader.ScanRequest{Fork: fork.LSN, End: fork.End})
	assert.NoError(t, err)
}

// A server that crashed in the middle of a record which its standby never got:
// the standby's timeline begins where that record starts.
func TestScanForksAtAnAbandonedRecord(t *testing.T) {
	for _, pages := range []int{0, 1, 100, 300} { // to the next segments
		w := waltest.NewBuilder(waltest.Format("17"))
		checkpoint := w.Checkpoint(0, w.Pos()+40)
		w.Add(waltest.Message(700_000))
		abandoned, overwrite := w.Abandon(waltest.Message(4<<20), pages)
		w.Add(waltest.Insert(waltest.HeapTable, 7))
		req := walreader.ScanRequest{Fork: abandoned, End: lastEnd(w), Jobs: 3}
		res, err := walreader.Scan(context.Background(), w.Segments(), w.Format, req)
		require.NoError(t, err)
		assert.Equal(t, checkpoint.LSN, res.Checkpoint.LSN)
		assertScan(t, w.Segments(), w.Format, w.Start, req)

		segs := w.Segments()
		rec := segs.At(overwrite.LSN)[:overwrite.Length]
		put64(rec[26:], uint64(abandoned-8)) // what it overwrites
		waltest.Seal(rec, overwrite.Prev)
		_, err = walreader.Scan(context.Background(), segs, w.Format, req)
		assert.ErrorIs(t, err, walreader.ErrCorrupt)
		assert.ErrorContains(t, err, "mismatching overwritten LSN")
	}
}

func TestScanDoesNotReadBehindTheEnd(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	checkpoint := w.Checkpoint(0, w.Pos()+40)
	fork := w.Add(waltest.Message(1<<20 - int(checkpoint.End-w.Start) - 127*24 + 8192 - 40)) // ends with the first page of segment 2
	require.Equal(t, w.Format.Geometry.SegStart(2)+8192, fork.End)
	assertScan(t, w.Segments(), w.Format, w.Start, walreader.ScanRequest{Fork: fork.LSN, End: fork.End})
}

func TestScanRefusesNeighboursThatDoNotMeet(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Checkpoint(0, w.Pos()+40)
	w.Add(waltest.Record{Info: 0x40}) // XLOG/SWITCH
	first := w.Add(waltest.Message(96))
	second := w.Add(waltest.Message(100))
	segs := w.Segments()
	put16(segs.Files[2][2:], 0x0003) // hides the first record: the page claims to continue one
	put32(segs.Files[2][16:], first.Length)
	_, err := walreader.Scan(context.Background(), segs, w.Format, walreader.ScanRequest{Fork: second.LSN, End: second.End})
	assert.ErrorIs(t, err, walreader.ErrCorrupt)
	assert.ErrorContains(t, err, "the record before it leads to "+first.LSN.String())
}

func TestScanRefusesASegmentOfAnOlderTimeline(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.TLI = 2
	w.Checkpoint(0, w.Pos()+40)
	w.Add(waltest.Record{Info: 0x40}) // XLOG/SWITCH: nobody reads over
	w.TLI = 1
	fork := w.Add(waltest.Message(100))
	_, err := readAll(w.Segments(), w.Format, w.Start, 0)
	assert.ErrorIs(t, err, walreader.ErrEndOfWAL)
	_, err = walreader.Scan(context.Background(), w.Segments(), w.Format, walreader.ScanRequest{Fork: fork.LSN, End: fork.End})
	assert.ErrorIs(t, err, walreader.ErrEndOfWAL)
	assert.ErrorContains(t, err, "out-of-sequence timeline ID 1 (after 2)")
}

func TestScanStopsWhenTheContextEnds(t *testing.T) {
	w, checkpoints := longWAL("17")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	segs := w.Segments()
	_, err := walreader.Scan(ctx, segs, w.Format, walreader.ScanRequest{Fork: checkpoints[2].LSN, End: lastEnd(w)})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, segs.Open)
}
