package walreader_test

import (
	"context"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// scanSequentially is Scan in its simplest form: it reads everything from start,
// where a record starts.
func scanSequentially(t *testing.T, segs walreader.Segments, f walreader.Format, start pgdata.LSN, req walreader.ScanRequest) *walreader.ScanResult {
	t.Helper()
	res := &walreader.ScanResult{Blocks: pgdata.ChangedBlocks{}, LastSegment: f.Geometry.SegNo(req.End - 1)}
	lost := walreader.NewLostScan(f)
	r := walreader.NewReader(segs, f)
	defer func() { _ = r.Close() }()
	for rec, err := range r.Records(context.Background(), start, req.End) {
		require.NoError(t, err)
		if rec.LSN >= req.Fork {
			lost.Add(rec)
		}
		if c, ok := rec.Checkpoint(); ok && rec.LSN < req.Fork {
			res.Checkpoint, res.FirstSegment = c, f.Geometry.SegNo(rec.LSN)
			res.Blocks, res.Records, res.Bytes = pgdata.ChangedBlocks{}, 0, 0
		}
		res.Records++
		res.Bytes += int64(rec.Length)
		for _, b := range rec.Blocks {
			if b.Fork == pgdata.MainFork {
				res.Blocks.Add(f.Geometry, b.Locator, b.Block)
			}
		}
	}
	res.Lost = lost.Report()
	return res
}

// assertScan compares Scan with scanSequentially.
func assertScan(t *testing.T, segs walreader.Segments, f walreader.Format, start pgdata.LSN, req walreader.ScanRequest) {
	t.Helper()
	want := scanSequentially(t, segs, f, start, req)
	got, err := walreader.Scan(context.Background(), segs, f, req)
	if want.Checkpoint.LSN == 0 {
		require.ErrorIs(t, err, fs.ErrNotExist)
		return
	}
	require.NoError(t, err, "%+v", req)
	wantBlocks, gotBlocks := blockLists(want.Blocks), blockLists(got.Blocks)
	want.Blocks, got.Blocks = nil, nil
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
		f := format([]string{"9.6", "13", "17", "19"}[rnd.IntN(4)])
		f.Geometry.RelSegBlocks = 1 << (8 + rnd.IntN(10))
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		f.Geometry.WALSegSize = 1 << (20 + rnd.IntN(2))
		w := randomWAL(rnd, f, 6<<20)
		segs := w.segments()
		for range 20 {
			from := rnd.IntN(len(w.records))
			to := from + rnd.IntN(len(w.records)-from)
			fork := w.records[from].LSN
			if rnd.IntN(2) == 0 && from > 0 {
				fork = w.records[from-1].End // perhaps before a page header, perhaps an abandoned record
			}
			assertScan(t, segs, f, w.start, walreader.ScanRequest{Fork: fork, End: w.records[to].End, Jobs: rnd.IntN(6)})
		}
		assert.Zero(t, segs.open, "segments left open")
	}
}

// Damage anywhere that Scan reads is found by it exactly if a sequential reader
// finds it that begins with the first record of the checkpoint's segment.
func TestScanFindsTheDamageThatSequentialReadingFinds(t *testing.T) {
	rnd := seeded(t)
	found, harmless := 0, 0
	for range 3 {
		f := format([]string{"9.6", "13", "17", "19"}[rnd.IntN(4)])
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		w := randomWAL(rnd, f, 6<<20)
		segs := w.segments()
		for range 25 {
			i := rnd.IntN(len(w.records))
			req := walreader.ScanRequest{Fork: w.records[i].LSN, End: w.lastEnd(), Jobs: 1 + rnd.IntN(3)}
			whole, err := walreader.Scan(context.Background(), segs, f, req)
			if err != nil {
				require.ErrorIs(t, err, fs.ErrNotExist)
				continue
			}
			start := w.records[w.firstAfter(f.Geometry.SegStart(whole.FirstSegment))].LSN
			at := start + pgdata.LSN(rnd.Int64N(int64(req.End-start)))
			if rnd.IntN(3) == 0 {
				at = max(start, f.Geometry.PageStart(at)+pgdata.LSN(rnd.IntN(40))) // page headers
			}
			bit := byte(1) << rnd.IntN(8)
			segs.at(at)[0] ^= bit
			_, sequential := readAll(segs, f, start, req.End)
			damaged, err := walreader.Scan(context.Background(), segs, f, req)
			segs.at(at)[0] ^= bit
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
func longWAL(version string) (w *builder, checkpoints []built) {
	w = newBuilder(format(version))
	checkpoints = append(checkpoints, w.checkpoint(0, w.pos()+40))
	for len(w.buf) < 6<<20 {
		for end := len(w.buf) + 3<<19; len(w.buf) < end; {
			w.add(message(3000))
			w.add(insert(heapTable, uint32(len(w.records))))
		}
		checkpoints = append(checkpoints, w.checkpoint(0x10, w.pos()))
	}
	w.add(message(3000))
	return w, checkpoints
}

// firstAfter is the index of the first record at or after lsn.
func (w *builder) firstAfter(lsn pgdata.LSN) int {
	return slices.IndexFunc(w.records, func(b built) bool { return b.LSN >= lsn })
}

func (w *builder) lastEnd() pgdata.LSN { return w.records[len(w.records)-1].End }

func TestScanFindsTheLastCheckpointBeforeTheFork(t *testing.T) {
	w, checkpoints := longWAL("17")
	segs := w.segments()
	for i, c := range checkpoints[1:] {
		for name, fork := range map[string]pgdata.LSN{"at a checkpoint": c.LSN, "behind a checkpoint": c.End} {
			want := checkpoints[i]
			if fork != c.LSN {
				want = c
			}
			res, err := walreader.Scan(context.Background(), segs, w.f, walreader.ScanRequest{Fork: fork, End: w.lastEnd()})
			require.NoError(t, err)
			assert.Equal(t, want.LSN, res.Checkpoint.LSN, name)
			assert.Equal(t, w.f.Geometry.SegNo(want.LSN), res.FirstSegment, name)
			assertScan(t, segs, w.f, w.start, walreader.ScanRequest{Fork: fork, End: w.lastEnd()})
		}
	}
}

func TestScanOpensNoOlderSegmentsThanItNeeds(t *testing.T) {
	w, checkpoints := longWAL("17")
	segs := w.segments()
	fork := checkpoints[2].End
	_, err := walreader.Scan(context.Background(), segs, w.f, walreader.ScanRequest{Fork: fork, End: w.lastEnd(), Jobs: 1})
	require.NoError(t, err)
	assert.Equal(t, w.f.Geometry.SegNo(checkpoints[2].LSN), slices.Min(segs.opened))
}

func TestScanDoesNotCareAboutOlderSegments(t *testing.T) {
	w, checkpoints := longWAL("17")
	req := walreader.ScanRequest{Fork: checkpoints[2].End, End: w.lastEnd(), Jobs: 8}
	oldest := w.f.Geometry.SegNo(checkpoints[2].LSN)
	for name, change := range map[string]func(segs *memSegments, s pgdata.SegNo){
		"missing": func(segs *memSegments, s pgdata.SegNo) { delete(segs.files, s) },
		"damaged": func(segs *memSegments, s pgdata.SegNo) { segs.files[s][5000] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			segs := w.segments()
			for s := w.f.Geometry.SegNo(w.start); s < oldest; s++ {
				change(segs, s)
			}
			_, err := walreader.Scan(context.Background(), segs, w.f, req)
			assert.NoError(t, err)
			assert.Zero(t, segs.open)
		})
	}
}

func TestScanErrors(t *testing.T) {
	w, checkpoints := longWAL("17")
	geometry := w.f.Geometry
	fork := checkpoints[2].LSN // in segment 4, the checkpoint before it in segment 2
	afterFork := w.firstAfter(fork) + 100
	unlinked := w.records[w.firstAfter(geometry.SegStart(5))]                                          // first to start in segment 5
	afterFork += slices.IndexFunc(w.records[afterFork:], func(b built) bool { return b.Length < 100 }) // an insert
	special := func(segs *memSegments, b built) {
		require.Less(t, uint32(b.LSN)%8192+b.Length, uint32(8192), "one page holds it")
		rec := segs.at(b.LSN)[:b.Length]
		rec[16] |= 0x01
		seal(rec, b.Prev)
	}
	for _, c := range []struct {
		name   string
		change func(segs *memSegments)
		req    walreader.ScanRequest
		err    error // or nil
		text   string
	}{
		{
			"end within a record", nil,
			walreader.ScanRequest{Fork: fork, End: w.records[afterFork].LSN + 8},
			nil, "end pointer " + (w.records[afterFork].LSN + 8).String() + " is not a valid end point; expected " + w.records[afterFork].End.String(),
		},
		{
			"end behind the last record", nil,
			walreader.ScanRequest{Fork: fork, End: w.lastEnd() + 24},
			walreader.ErrEndOfWAL,
			"could not read WAL record at 0/703670: invalid record length at 0/703670: expected at least 24, got 0",
		},
		{
			"fork within a record", nil,
			walreader.ScanRequest{Fork: fork + 8, End: w.lastEnd()},
			nil, "no WAL record starts at the divergence point 0/401530; expected 0/4015A0",
		},
		{
			"fork in a record that fills the rest of its segment", nil,
			walreader.ScanRequest{Fork: unlinked.LSN - 8, End: w.lastEnd()},
			nil, "no WAL record starts at the divergence point",
		},
		{
			"fork at the end", nil,
			walreader.ScanRequest{Fork: w.lastEnd(), End: w.lastEnd()},
			nil, "nothing to scan",
		},
		{
			"no checkpoint before the fork", nil,
			walreader.ScanRequest{Fork: checkpoints[0].LSN, End: w.lastEnd()},
			fs.ErrNotExist, "WAL begins here, without a checkpoint before the divergence point 0/100028",
		},
		{
			"missing segment before the checkpoint is found", func(segs *memSegments) { delete(segs.files, 2) },
			walreader.ScanRequest{Fork: fork, End: w.lastEnd()},
			fs.ErrNotExist,
			"could not find previous WAL record at 0/2FF",
		},
		{
			"missing segment before the end", func(segs *memSegments) { delete(segs.files, 5) },
			walreader.ScanRequest{Fork: fork, End: w.lastEnd()},
			fs.ErrNotExist, "open 000000010000000000000005",
		},
		{
			"missing newest segment", func(segs *memSegments) { delete(segs.files, 7) },
			walreader.ScanRequest{Fork: fork, End: w.lastEnd()},
			fs.ErrNotExist, "could not read WAL record at 0/700000: open",
		},
		{
			"damage between checkpoint and fork", func(segs *memSegments) { segs.files[3][50_000] ^= 1 },
			walreader.ScanRequest{Fork: fork, End: w.lastEnd()},
			walreader.ErrCorrupt, "checksum",
		},
		{
			"neighbours that are not linked", func(segs *memSegments) {
				seal(segs.at(unlinked.LSN)[:unlinked.Length], unlinked.Prev-8)
			},
			walreader.ScanRequest{Fork: fork, End: w.lastEnd()},
			walreader.ErrCorrupt, "record with incorrect prev-link",
		},
		{
			"timeline that goes down from one segment to the next", func(segs *memSegments) {
				for page := range 128 {
					put32(segs.files[4][page*8192+4:], 2)
				}
			},
			walreader.ScanRequest{Fork: fork, End: w.lastEnd()},
			walreader.ErrTornRecord, "out-of-sequence timeline ID 1 (after 2)",
		},
		{
			"unknown special record", func(segs *memSegments) {
				special(segs, w.records[afterFork])
				special(segs, w.records[afterFork+200])
			},
			walreader.ScanRequest{Fork: fork, End: w.lastEnd()},
			nil,
			"record type is not recognized: lsn: " + w.records[afterFork].LSN.String() + ",",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, jobs := range []int{1, 2, 9} {
				segs := w.segments()
				if c.change != nil {
					c.change(segs)
				}
				c.req.Jobs = jobs
				res, err := walreader.Scan(context.Background(), segs, w.f, c.req)
				assert.Nil(t, res)
				require.ErrorContains(t, err, c.text)
				if c.err != nil {
					assert.ErrorIs(t, err, c.err)
				}
				assert.Zero(t, segs.open, "segments left open")
			}
		})
	}
}

func TestScanIgnoresUnknownRecordsBeforeTheCheckpoint(t *testing.T) {
	w := newBuilder(format("17"))
	w.checkpoint(0, w.pos()+40)
	w.add(spec{rmgr: 10, info: 0x01})
	w.checkpoint(0x10, w.pos())
	fork := w.add(message(100))
	_, err := walreader.Scan(context.Background(), w.segments(), w.f, walreader.ScanRequest{Fork: fork.LSN, End: fork.End})
	assert.NoError(t, err)
}

// A server that crashed in the middle of a record which its standby never got:
// the standby's timeline begins where that record starts.
func TestScanForksAtAnAbandonedRecord(t *testing.T) {
	for _, pages := range []int{0, 1, 100, 300} { // to the next segments
		w := newBuilder(format("17"))
		checkpoint := w.checkpoint(0, w.pos()+40)
		w.add(message(700_000))
		abandoned, overwrite := w.abandon(message(4<<20), pages)
		w.add(insert(heapTable, 7))
		req := walreader.ScanRequest{Fork: abandoned, End: w.lastEnd(), Jobs: 3}
		res, err := walreader.Scan(context.Background(), w.segments(), w.f, req)
		require.NoError(t, err)
		assert.Equal(t, checkpoint.LSN, res.Checkpoint.LSN)
		assertScan(t, w.segments(), w.f, w.start, req)

		segs := w.segments()
		rec := segs.at(overwrite.LSN)[:overwrite.Length]
		put64(rec[26:], uint64(abandoned-8)) // what it overwrites
		seal(rec, overwrite.Prev)
		_, err = walreader.Scan(context.Background(), segs, w.f, req)
		assert.ErrorIs(t, err, walreader.ErrCorrupt)
		assert.ErrorContains(t, err, "mismatching overwritten LSN")
	}
}

func TestScanDoesNotReadBehindTheEnd(t *testing.T) {
	w := newBuilder(format("17"))
	checkpoint := w.checkpoint(0, w.pos()+40)
	fork := w.add(message(1<<20 - int(checkpoint.End-w.start) - 127*24 + 8192 - 40)) // ends with the first page of segment 2
	require.Equal(t, w.f.Geometry.SegStart(2)+8192, fork.End)
	assertScan(t, w.segments(), w.f, w.start, walreader.ScanRequest{Fork: fork.LSN, End: fork.End})
}

func TestScanRefusesNeighboursThatDoNotMeet(t *testing.T) {
	w := newBuilder(format("17"))
	w.checkpoint(0, w.pos()+40)
	w.add(spec{info: 0x40}) // XLOG/SWITCH
	first := w.add(message(96))
	second := w.add(message(100))
	segs := w.segments()
	put16(segs.files[2][2:], 0x0003) // hides the first record: the page claims to continue one
	put32(segs.files[2][16:], first.Length)
	_, err := walreader.Scan(context.Background(), segs, w.f, walreader.ScanRequest{Fork: second.LSN, End: second.End})
	assert.ErrorIs(t, err, walreader.ErrCorrupt)
	assert.ErrorContains(t, err, "the record before it leads to "+first.LSN.String())
}

func TestScanRefusesASegmentOfAnOlderTimeline(t *testing.T) {
	w := newBuilder(format("17"))
	w.tli = 2
	w.checkpoint(0, w.pos()+40)
	w.add(spec{info: 0x40}) // XLOG/SWITCH: nobody reads over
	w.tli = 1
	fork := w.add(message(100))
	_, err := readAll(w.segments(), w.f, w.start, 0)
	assert.ErrorIs(t, err, walreader.ErrEndOfWAL)
	_, err = walreader.Scan(context.Background(), w.segments(), w.f, walreader.ScanRequest{Fork: fork.LSN, End: fork.End})
	assert.ErrorIs(t, err, walreader.ErrEndOfWAL)
	assert.ErrorContains(t, err, "out-of-sequence timeline ID 1 (after 2)")
}

func TestScanStopsWhenTheContextEnds(t *testing.T) {
	w, checkpoints := longWAL("17")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	segs := w.segments()
	_, err := walreader.Scan(ctx, segs, w.f, walreader.ScanRequest{Fork: checkpoints[2].LSN, End: w.lastEnd()})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, segs.open)
}
