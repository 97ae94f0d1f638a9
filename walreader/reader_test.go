package walreader_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// readAll reads all records from from up to to, and the error that ended it.
func readAll(segs walreader.Segments, f walreader.Format, from, to pgdata.LSN) ([]built, error) {
	r := walreader.NewReader(segs, f)
	defer func() { _ = r.Close() }()
	var got []built
	for rec, err := range r.Records(context.Background(), from, to) {
		if err != nil {
			return got, err
		}
		got = append(got, built{rec.LSN, rec.End, rec.Prev, rec.Length})
	}
	return got, nil
}

// assertReads checks that the reader finds exactly the records that were built,
// and then the end of WAL.
func assertReads(t *testing.T, w *builder) {
	t.Helper()
	segs := w.segments()
	got, err := readAll(segs, w.f, w.start, 0)
	assertSame(t, w.records, got)
	if len(w.buf)%int(w.f.Geometry.WALSegSize) == 0 {
		assert.ErrorIs(t, err, fs.ErrNotExist)
	} else {
		assert.ErrorIs(t, err, walreader.ErrEndOfWAL)
	}
	assert.Zero(t, segs.open, "segments left open")
}

// assertSame compares lists of records that are too long to print.
func assertSame(t *testing.T, want, got []built) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		if !assert.Equal(t, want[i], got[i], "record %d", i) {
			return
		}
	}
	assert.Equal(t, len(want), len(got), "records")
}

func TestRecordsOfEveryVersion(t *testing.T) {
	for _, v := range pgdata.Versions() {
		for _, blockSize := range []uint32{1 << 10, 8 << 10, 64 << 10} {
			t.Run(fmt.Sprintf("%s with WAL pages of %d", v, blockSize), func(t *testing.T) {
				f := format(v.Name)
				f.Geometry.WALBlockSize = blockSize
				w := newBuilder(f)
				w.checkpoint(0, w.pos()+40)
				for size := 26; size < 600; size += 7 {
					w.add(message(size))
				}
				w.add(message(300_000))
				w.add(insert(heapTable, 7))
				w.add(spec{info: 0x40}) // XLOG/SWITCH
				w.add(insert(heapTable, 8))
				w.abandon(message(4*int(blockSize)), 2)
				w.add(insert(heapTable, 9))
				w.add(message(2_500_000)) // more than two segments
				w.tli++
				w.add(message(100_000))
				w.add(insert(heapTable, 9))
				assertReads(t, w)
			})
		}
	}
}

func TestRecordsThatTouchBoundaries(t *testing.T) {
	for left := 0; left <= 64; left += 8 {
		t.Run(fmt.Sprintf("header %d bytes before the end of the page", left), func(t *testing.T) {
			w := newBuilder(format("17"))
			w.fill(left)
			w.add(message(500))
			w.add(message(500))
			assertReads(t, w)
		})
		t.Run(fmt.Sprintf("header %d bytes before the end of the segment", left), func(t *testing.T) {
			w := newBuilder(format("17"))
			w.add(message(1<<20 - 8192 - 126*24)) // to the last page
			w.fill(left)
			require.Equal(t, w.f.Geometry.SegStart(2)-pgdata.LSN(left), w.pos())
			w.add(message(500))
			w.add(message(500))
			assertReads(t, w)
		})
		t.Run(fmt.Sprintf("record ends %d bytes before the end of a segment, after two pages", left), func(t *testing.T) {
			w := newBuilder(format("17"))
			w.add(message(1<<20 - 2*8192))
			w.fill(1000)
			w.add(message(1000 + 8192 - 24 - left))
			w.add(message(500))
			assertReads(t, w)
		})
	}
}

func TestRecordFields(t *testing.T) {
	other := pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 16400}
	w := newBuilder(format("17"))
	w.add(spec{
		rmgr: 10, info: 0x20, xid: 701, topXID: 700, origin: 3, main: []byte("main data"),
		blocks: []blockSpec{
			{id: 0, locator: heapTable, block: 4711, data: []byte("abc")},
			{id: 1, flags: 0x80 | 0x40, block: 4712},
			{id: 7, flags: 2, locator: other, block: 1, image: make([]byte, 8192), info: 0x02},
			{id: 32, flags: 0x80 | 3, block: 2, image: make([]byte, 8000), hole: 40, info: 0x01},
		},
	})
	w.add(spec{rmgr: 200, xid: 702})
	r := walreader.NewReader(w.segments(), w.f)
	rec, err := r.ReadRecord(context.Background(), w.start)
	require.NoError(t, err)
	assert.Equal(t, walreader.Record{
		LSN: w.start + 40, End: w.records[0].End, Length: w.records[0].Length,
		XID: 701, TopXID: 700, Origin: 3, Info: 0x20, Rmgr: 10, MainData: []byte("main data"),
		Blocks: []walreader.BlockRef{
			{ID: 0, Locator: heapTable, Block: 4711},
			{ID: 1, Locator: heapTable, Block: 4712, WillInit: true},
			{ID: 7, Locator: other, Block: 1, Fork: pgdata.VisibilityMapFork, HasImage: true, Apply: true},
			{ID: 32, Locator: other, Block: 2, Fork: pgdata.InitFork, HasImage: true},
		},
	}, *rec)

	rec, err = r.ReadRecord(context.Background(), w.records[1].LSN)
	require.NoError(t, err)
	assert.Equal(t, walreader.Record{
		LSN: w.records[1].LSN, End: w.records[1].End, Prev: w.start + 40, Length: 24, XID: 702, Rmgr: 200,
		Blocks: []walreader.BlockRef{}, MainData: []byte{},
	}, *rec, "nothing is left of the record before")
	require.NoError(t, r.Close())
}

func TestCheckpointRecords(t *testing.T) {
	for _, v := range pgdata.Versions() {
		w := newBuilder(format(v.Name))
		w.tli = 5
		shutdown := w.checkpoint(0x00, 0x1234)
		online := w.checkpoint(0x10, 0x5678)
		noop := w.add(spec{info: 0x20})
		redo := w.add(spec{info: 0xE0, main: make([]byte, 4)})
		endOfRecovery := w.add(spec{info: 0x90, main: make([]byte, 24)})
		otherManager := w.add(spec{rmgr: 9, info: 0x10, main: make([]byte, 88)})
		want := map[pgdata.LSN]walreader.Checkpoint{
			shutdown.LSN: {LSN: shutdown.LSN, Redo: 0x1234, TLI: 5, PrevTLI: 5, Shutdown: true},
			online.LSN:   {LSN: online.LSN, Redo: 0x5678, TLI: 5, PrevTLI: 5},
		}
		r := walreader.NewReader(w.segments(), w.f)
		for _, lsn := range []pgdata.LSN{shutdown.LSN, online.LSN, noop.LSN, redo.LSN, endOfRecovery.LSN, otherManager.LSN} {
			rec, err := r.ReadRecord(context.Background(), lsn)
			require.NoError(t, err)
			got, ok := rec.Checkpoint()
			assert.Equal(t, want[lsn], got, v.Name)
			assert.Equal(t, want[lsn].LSN != 0, ok, v.Name)
		}
		assert.NoError(t, r.Close())
	}
}

func TestRandomWALReadsBackFromAnywhere(t *testing.T) {
	rnd := seeded(t)
	for range 6 {
		f := format([]string{"9.6", "13", "17", "19"}[rnd.IntN(4)])
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		f.Geometry.WALSegSize = 1 << (20 + rnd.IntN(2))
		w := randomWAL(rnd, f, 3<<20)
		assertReads(t, w)

		segs := w.segments()
		r := walreader.NewReader(segs, f)
		for range 50 {
			want := w.records[rnd.IntN(len(w.records))]
			rec, err := r.ReadRecord(context.Background(), want.LSN)
			require.NoError(t, err)
			assert.Equal(t, want, built{rec.LSN, rec.End, rec.Prev, rec.Length})

			before := w.records[rnd.IntN(len(w.records)-1)]
			from := before.LSN + pgdata.LSN(rnd.Uint32N(before.Length))
			next, err := r.FindNextRecord(context.Background(), from)
			require.NoError(t, err)
			assert.Equal(t, nextStart(w, from), next, "first record from %s on", from)
		}
		require.NoError(t, r.Close())
		assert.Zero(t, segs.open)
	}
}

// nextStart is the start of the first record at or after from.
func nextStart(w *builder, from pgdata.LSN) pgdata.LSN {
	for _, rec := range w.records {
		if rec.LSN >= from {
			return rec.LSN
		}
	}
	return 0
}

// randomWAL builds at least size bytes of WAL of every kind.
func randomWAL(rnd *rand.Rand, f walreader.Format, size int) *builder {
	w := newBuilder(f)
	w.checkpoint(0, w.pos()+40)
	pageSize := int(f.Geometry.WALBlockSize)
	var xacts transactions
	for len(w.buf) < size {
		switch n := rnd.IntN(1000); {
		case n < 2:
			w.add(spec{info: 0x40})
		case n < 4:
			w.add(message(26 + rnd.IntN(2_500_000)))
		case n < 12:
			w.checkpoint(uint8(rnd.IntN(2)*0x10), w.pos())
		case n < 20 && w.room() >= 8:
			pages := rnd.IntN(4)
			if rnd.IntN(4) == 0 {
				pages = rnd.IntN(int(f.Geometry.WALSegSize) * 5 / 4 / pageSize)
			}
			w.abandon(message((pages+2)*pageSize), pages)
		case n < 23:
			w.tli++
		case n < 150:
			w.add(message(26 + rnd.IntN(3*pageSize)))
		case n < 250:
			w.add(xacts.record(rnd, &f.Version.WAL))
		default:
			l := heapTable
			l.Relation += uint32(rnd.IntN(5))
			s := insert(l, uint32(rnd.IntN(300_000)))
			s.blocks[0].flags = uint8(rnd.IntN(8) / 5) // mostly the main fork
			w.add(s)
		}
	}
	return w
}

func TestRecordsStopsWhereItIsTold(t *testing.T) {
	w := newBuilder(format("17"))
	a := w.add(message(100))
	w.fill(0)
	b := w.add(message(100)) // behind a page header
	w.add(message(100))
	segs := w.segments()

	got, err := readAll(segs, w.f, a.LSN, b.LSN)
	require.NoError(t, err)
	assert.Equal(t, w.records[:len(w.records)-2], got, "to is the start of a record")

	got, err = readAll(segs, w.f, a.LSN, b.LSN-24)
	require.NoError(t, err)
	assert.Equal(t, w.records[:len(w.records)-2], got, "to is the start of the page before it")

	got, err = readAll(segs, w.f, b.LSN-24, b.LSN+1)
	require.NoError(t, err)
	assert.Equal(t, []built{b}, got, "from is the start of a page, to lies inside the record")

	got, err = readAll(segs, w.f, b.LSN, b.LSN)
	require.NoError(t, err)
	assert.Empty(t, got)
}

func TestReaderSeesWhatIsWrittenLater(t *testing.T) {
	w := newBuilder(format("17"))
	w.add(message(100))
	next := w.pos()
	segs := w.segments()
	r := walreader.NewReader(segs, w.f)
	_, err := r.ReadRecord(context.Background(), next)
	require.ErrorIs(t, err, walreader.ErrEndOfWAL)
	want := w.add(message(100))
	copy(segs.files[1], w.buf)
	rec, err := r.ReadRecord(context.Background(), next)
	require.NoError(t, err)
	assert.Equal(t, want.End, rec.End)
}

func TestReaderStopsWhenTheContextEnds(t *testing.T) {
	w := newBuilder(format("17"))
	w.add(message(500_000))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := walreader.NewReader(w.segments(), w.f).ReadRecord(ctx, w.start)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestReaderRefusesAnImpossibleFormat(t *testing.T) {
	w := newBuilder(format("17"))
	w.add(message(100))
	bad := w.f
	bad.Geometry.WALSegSize = 0
	for name, f := range map[string]walreader.Format{"no version": {Geometry: w.f.Geometry}, "no segment size": bad} {
		t.Run(name, func(t *testing.T) {
			r := walreader.NewReader(w.segments(), f)
			_, err := r.ReadRecord(context.Background(), w.start)
			assert.Error(t, err)
			_, err = r.FindNextRecord(context.Background(), w.start)
			assert.Error(t, err)
			_, err = readAll(w.segments(), f, w.start, 0)
			assert.Error(t, err)
			_, err = walreader.LastRecordEnd(context.Background(), w.segments(), f, w.pos())
			assert.Error(t, err)
			_, err = walreader.Scan(context.Background(), w.segments(), f, walreader.ScanRequest{Fork: w.start, End: w.pos()})
			assert.Error(t, err)
		})
	}
}

func TestFindNextRecordBeyondAllWAL(t *testing.T) {
	w := newBuilder(format("17"))
	w.add(message(100))
	r := walreader.NewReader(w.segments(), w.f)
	_, err := r.FindNextRecord(context.Background(), w.pos())
	assert.ErrorIs(t, err, walreader.ErrEndOfWAL)
	_, err = r.FindNextRecord(context.Background(), 1<<63)
	assert.ErrorIs(t, err, walreader.ErrCorrupt)
	require.NoError(t, r.Close())
}

func TestErrorsOfSegmentsPassThrough(t *testing.T) {
	w := newBuilder(format("17"))
	w.add(message(1_500_000))
	segs := w.segments()
	delete(segs.files, 2)
	_, err := readAll(segs, w.f, w.start, 0)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.NotErrorIs(t, err, walreader.ErrTornRecord)
	var e *walreader.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, w.start+40, e.LSN)
	assert.EqualError(t, err, "could not read WAL record at 0/100028: open 000000010000000000000002: file does not exist")

	boom := errors.New("input/output error")
	_, err = readAll(failingSegments{boom}, w.f, w.start, 0)
	assert.ErrorIs(t, err, boom)
}

// failingSegments are segments that cannot be read.
type failingSegments struct{ err error }

func (s failingSegments) OpenSegment(context.Context, pgdata.SegNo) (walreader.Segment, error) {
	return s, nil
}
func (s failingSegments) ReadAt([]byte, int64) (int, error) { return 0, s.err }
func (s failingSegments) Close() error                      { return nil }
func (s failingSegments) Name() string                      { return "failing" }

func TestReadingDoesNotAllocatePerRecord(t *testing.T) {
	w := newBuilder(format("17"))
	for range 10_000 {
		w.add(insert(heapTable, 1))
	}
	w.add(message(20_000))
	segs := w.segments()
	r := walreader.NewReader(segs, w.f)
	allocs := testing.AllocsPerRun(3, func() {
		for _, err := range r.Records(context.Background(), w.start, w.pos()) {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	assert.Less(t, allocs, 50.0, "for %d records", len(w.records))
}

// A length is worth nothing until the pages that follow confirm it.
func TestMemoryDoesNotFollowLengths(t *testing.T) {
	w := newBuilder(format("17"))
	w.add(message(30_000))
	segs := w.segments()
	put32(segs.files[1][40:], 1<<30-1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readAll(segs, w.f, w.start, 0)
	runtime.ReadMemStats(&after)
	assert.ErrorIs(t, err, walreader.ErrCorrupt)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
}
