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

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// readAll reads all records from from up to to, and the error that ended it.
func readAll(segs walreader.Segments, f walreader.Format, from, to pgdata.LSN) ([]waltest.Built, error) {
	r := walreader.NewReader(segs, f)
	defer func() { _ = r.Close() }()
	var got []waltest.Built
	for rec, err := range r.Records(context.Background(), from, to) {
		if err != nil {
			return got, err
		}
		got = append(got, waltest.Built{LSN: rec.LSN, End: rec.End, Prev: rec.Prev, Length: rec.Length})
	}
	return got, nil
}

// assertReads checks that the reader finds exactly the records that were built,
// and then the end of WAL.
func assertReads(t *testing.T, w *waltest.Builder) {
	t.Helper()
	segs := w.Segments()
	got, err := readAll(segs, w.Format, w.Start, 0)
	assertSame(t, w.Records, got)
	if len(w.Buf)%int(w.Format.Geometry.WALSegSize) == 0 {
		assert.ErrorIs(t, err, fs.ErrNotExist)
	} else {
		assert.ErrorIs(t, err, walreader.ErrEndOfWAL)
	}
	assert.Zero(t, segs.Open, "segments left open")
}

// assertSame compares lists of records that are too long to print.
func assertSame(t *testing.T, want, got []waltest.Built) {
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
				f := waltest.Format(v.Name)
				f.Geometry.WALBlockSize = blockSize
				w := waltest.NewBuilder(f)
				w.Checkpoint(0, w.Pos()+40)
				for size := 26; size < 600; size += 7 {
					w.Add(waltest.Message(size))
				}
				w.Add(waltest.Message(300_000))
				w.Add(waltest.Insert(waltest.HeapTable, 7))
				w.Add(waltest.Record{Info: 0x40}) // XLOG/SWITCH
				w.Add(waltest.Insert(waltest.HeapTable, 8))
				w.Abandon(waltest.Message(4*int(blockSize)), 2)
				w.Add(waltest.Insert(waltest.HeapTable, 9))
				w.Add(waltest.Message(2_500_000)) // more than two segments
				w.TLI++
				w.Add(waltest.Message(100_000))
				w.Add(waltest.Insert(waltest.HeapTable, 9))
				assertReads(t, w)
			})
		}
	}
}

func TestRecordsThatTouchBoundaries(t *testing.T) {
	for left := 0; left <= 64; left += 8 {
		t.Run(fmt.Sprintf("header %d bytes before the end of the page", left), func(t *testing.T) {
			w := waltest.NewBuilder(waltest.Format("17"))
			w.Fill(left)
			w.Add(waltest.Message(500))
			w.Add(waltest.Message(500))
			assertReads(t, w)
		})
		t.Run(fmt.Sprintf("header %d bytes before the end of the segment", left), func(t *testing.T) {
			w := waltest.NewBuilder(waltest.Format("17"))
			w.Add(waltest.Message(1<<20 - 8192 - 126*24)) // to the last page
			w.Fill(left)
			require.Equal(t, w.Format.Geometry.SegStart(2)-pgdata.LSN(left), w.Pos())
			w.Add(waltest.Message(500))
			w.Add(waltest.Message(500))
			assertReads(t, w)
		})
		t.Run(fmt.Sprintf("record ends %d bytes before the end of a segment, after two pages", left), func(t *testing.T) {
			w := waltest.NewBuilder(waltest.Format("17"))
			w.Add(waltest.Message(1<<20 - 2*8192))
			w.Fill(1000)
			w.Add(waltest.Message(1000 + 8192 - 24 - left))
			w.Add(waltest.Message(500))
			assertReads(t, w)
		})
	}
}

func TestRecordFields(t *testing.T) {
	other := pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 16400}
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Add(waltest.Record{
		Rmgr: 10, Info: 0x20, XID: 701, TopXID: 700, Origin: 3, Main: []byte("main data"),
		Blocks: []waltest.Block{
			{ID: 0, Locator: waltest.HeapTable, Block: 4711, Data: []byte("abc")},
			{ID: 1, Flags: 0x80 | 0x40, Block: 4712},
			{ID: 7, Flags: 2, Locator: other, Block: 1, Image: make([]byte, 8192), Info: 0x02},
			{ID: 32, Flags: 0x80 | 3, Block: 2, Image: make([]byte, 8000), Hole: 40, Info: 0x01},
		},
	})
	w.Add(waltest.Record{Rmgr: 200, XID: 702})
	r := walreader.NewReader(w.Segments(), w.Format)
	rec, err := r.ReadRecord(context.Background(), w.Start)
	require.NoError(t, err)
	assert.EqualExportedValues(t, walreader.Record{
		LSN: w.Start + 40, End: w.Records[0].End, Length: w.Records[0].Length,
		XID: 701, TopXID: 700, Origin: 3, Info: 0x20, Rmgr: 10, MainData: []byte("main data"),
		Blocks: []walreader.BlockRef{
			{ID: 0, Locator: waltest.HeapTable, Block: 4711},
			{ID: 1, Locator: waltest.HeapTable, Block: 4712, WillInit: true},
			{ID: 7, Locator: other, Block: 1, Fork: pgdata.VisibilityMapFork, HasImage: true, Apply: true},
			{ID: 32, Locator: other, Block: 2, Fork: pgdata.InitFork, HasImage: true},
		},
	}, *rec)
	assert.Equal(t, []walreader.BlockContent{
		{Data: []byte("abc")},
		{},
		{Image: walreader.PageImage{Bytes: make([]byte, 8192)}},
		{Image: walreader.PageImage{Bytes: make([]byte, 8000), HoleOffset: 40, HoleLength: 192}},
	}, w.Format.Contents(rec, nil))

	rec, err = r.ReadRecord(context.Background(), w.Records[1].LSN)
	require.NoError(t, err)
	assert.EqualExportedValues(t, walreader.Record{
		LSN: w.Records[1].LSN, End: w.Records[1].End, Prev: w.Start + 40, Length: 24, XID: 702, Rmgr: 200,
		Blocks: []walreader.BlockRef{}, MainData: []byte{},
	}, *rec, "nothing is left of the record before")
	assert.Empty(t, w.Format.Contents(rec, nil))
	require.NoError(t, r.Close())
}

func TestCheckpointRecords(t *testing.T) {
	for _, v := range pgdata.Versions() {
		w := waltest.NewBuilder(waltest.Format(v.Name))
		w.TLI = 5
		shutdown := w.Checkpoint(0x00, 0x1234)
		online := w.Checkpoint(0x10, 0x5678)
		noop := w.Add(waltest.Record{Info: 0x20})
		redo := w.Add(waltest.Record{Info: 0xE0, Main: make([]byte, 4)})
		endOfRecovery := w.Add(waltest.EndOfRecovery(&v.WAL, 0, 5, 4, 1))
		pagesWritten := waltest.Record{Info: 0x10, Main: make([]byte, v.WAL.CheckPointSize)}
		pagesWritten.Main[16] = 1
		fullPageWrites := w.Add(pagesWritten)
		otherManager := w.Add(waltest.Record{Rmgr: 9, Info: 0x10, Main: make([]byte, 88)})
		want := map[pgdata.LSN]walreader.Checkpoint{
			shutdown.LSN:       {LSN: shutdown.LSN, Redo: 0x1234, TLI: 5, PrevTLI: 5, Shutdown: true},
			online.LSN:         {LSN: online.LSN, Redo: 0x5678, TLI: 5, PrevTLI: 5},
			fullPageWrites.LSN: {LSN: fullPageWrites.LSN, FullPageWrites: true},
		}
		r := walreader.NewReader(w.Segments(), w.Format)
		for _, lsn := range []pgdata.LSN{shutdown.LSN, online.LSN, noop.LSN, redo.LSN, endOfRecovery.LSN, otherManager.LSN, fullPageWrites.LSN} {
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
		f := waltest.Format([]string{"9.6", "13", "17", "19"}[rnd.IntN(4)])
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		f.Geometry.WALSegSize = 1 << (20 + rnd.IntN(2))
		w := randomWAL(rnd, f, 3<<20)
		assertReads(t, w)

		segs := w.Segments()
		r := walreader.NewReader(segs, f)
		for range 50 {
			want := w.Records[rnd.IntN(len(w.Records))]
			rec, err := r.ReadRecord(context.Background(), want.LSN)
			require.NoError(t, err)
			assert.Equal(t, want, waltest.Built{LSN: rec.LSN, End: rec.End, Prev: rec.Prev, Length: rec.Length})

			before := w.Records[rnd.IntN(len(w.Records)-1)]
			from := before.LSN + pgdata.LSN(rnd.Uint32N(before.Length))
			next, err := r.FindNextRecord(context.Background(), from)
			require.NoError(t, err)
			assert.Equal(t, nextStart(w, from), next, "first record from %s on", from)
		}
		require.NoError(t, r.Close())
		assert.Zero(t, segs.Open)
	}
}

// nextStart is the start of the first record at or after from.
func nextStart(w *waltest.Builder, from pgdata.LSN) pgdata.LSN {
	for _, rec := range w.Records {
		if rec.LSN >= from {
			return rec.LSN
		}
	}
	return 0
}

// randomWAL builds at least size bytes of WAL of every kind.
func randomWAL(rnd *rand.Rand, f walreader.Format, size int) *waltest.Builder {
	w := waltest.NewBuilder(f)
	w.Checkpoint(0, w.Pos()+40)
	pageSize := int(f.Geometry.WALBlockSize)
	var xacts waltest.Transactions
	for len(w.Buf) < size {
		switch n := rnd.IntN(1000); {
		case n < 2:
			w.Add(waltest.Record{Info: 0x40})
		case n < 4:
			w.Add(waltest.Message(26 + rnd.IntN(2_500_000)))
		case n < 12:
			w.Checkpoint(uint8(rnd.IntN(2)*0x10), w.Pos())
		case n < 20 && w.SpaceOnPage() >= 8:
			pages := rnd.IntN(4)
			if rnd.IntN(4) == 0 {
				pages = rnd.IntN(int(f.Geometry.WALSegSize) * 5 / 4 / pageSize)
			}
			w.Abandon(waltest.Message((pages+2)*pageSize), pages)
		case n < 23:
			w.TLI++
		case n < 150:
			w.Add(waltest.Message(26 + rnd.IntN(3*pageSize)))
		case n < 250:
			w.Add(xacts.Record(rnd, &f.Version.WAL))
		default:
			l := waltest.HeapTable
			l.Relation += uint32(rnd.IntN(5))
			s := waltest.Insert(l, uint32(rnd.IntN(300_000)))
			s.Blocks[0].Flags = uint8(rnd.IntN(8) / 5) // mostly the main fork
			w.Add(s)
		}
	}
	return w
}

func TestRecordsStopsWhereItIsTold(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	a := w.Add(waltest.Message(100))
	w.Fill(0)
	b := w.Add(waltest.Message(100)) // behind a page header
	w.Add(waltest.Message(100))
	segs := w.Segments()

	got, err := readAll(segs, w.Format, a.LSN, b.LSN)
	require.NoError(t, err)
	assert.Equal(t, w.Records[:len(w.Records)-2], got, "to is the start of a record")

	got, err = readAll(segs, w.Format, a.LSN, b.LSN-24)
	require.NoError(t, err)
	assert.Equal(t, w.Records[:len(w.Records)-2], got, "to is the start of the page before it")

	got, err = readAll(segs, w.Format, b.LSN-24, b.LSN+1)
	require.NoError(t, err)
	assert.Equal(t, []waltest.Built{b}, got, "from is the start of a page, to lies inside the record")

	got, err = readAll(segs, w.Format, b.LSN, b.LSN)
	require.NoError(t, err)
	assert.Empty(t, got)
}

func TestReaderSeesWhatIsWrittenLater(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Add(waltest.Message(100))
	next := w.Pos()
	segs := w.Segments()
	r := walreader.NewReader(segs, w.Format)
	_, err := r.ReadRecord(context.Background(), next)
	require.ErrorIs(t, err, walreader.ErrEndOfWAL)
	want := w.Add(waltest.Message(100))
	copy(segs.Files[1], w.Buf)
	rec, err := r.ReadRecord(context.Background(), next)
	require.NoError(t, err)
	assert.Equal(t, want.End, rec.End)
}

func TestReaderStopsWhenTheContextEnds(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Add(waltest.Message(500_000))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := walreader.NewReader(w.Segments(), w.Format).ReadRecord(ctx, w.Start)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestReaderRefusesAnImpossibleFormat(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Add(waltest.Message(100))
	bad := w.Format
	bad.Geometry.WALSegSize = 0
	for name, f := range map[string]walreader.Format{"no version": {Geometry: w.Format.Geometry}, "no segment size": bad} {
		t.Run(name, func(t *testing.T) {
			r := walreader.NewReader(w.Segments(), f)
			_, err := r.ReadRecord(context.Background(), w.Start)
			assert.Error(t, err)
			_, err = r.FindNextRecord(context.Background(), w.Start)
			assert.Error(t, err)
			_, err = readAll(w.Segments(), f, w.Start, 0)
			assert.Error(t, err)
			_, err = walreader.LastRecordEnd(context.Background(), w.Segments(), f, w.Pos())
			assert.Error(t, err)
			_, err = walreader.Scan(context.Background(), w.Segments(), f, walreader.ScanRequest{Fork: w.Start, End: w.Pos()})
			assert.Error(t, err)
		})
	}
}

func TestFindNextRecordBeyondAllWAL(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Add(waltest.Message(100))
	r := walreader.NewReader(w.Segments(), w.Format)
	_, err := r.FindNextRecord(context.Background(), w.Pos())
	assert.ErrorIs(t, err, walreader.ErrEndOfWAL)
	_, err = r.FindNextRecord(context.Background(), 1<<63)
	assert.ErrorIs(t, err, walreader.ErrCorrupt)
	require.NoError(t, r.Close())
}

func TestErrorsOfSegmentsPassThrough(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Add(waltest.Message(1_500_000))
	segs := w.Segments()
	delete(segs.Files, 2)
	_, err := readAll(segs, w.Format, w.Start, 0)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.NotErrorIs(t, err, walreader.ErrTornRecord)
	var e *walreader.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, w.Start+40, e.LSN)
	assert.EqualError(t, err, "could not read WAL record at 0/100028: open 000000010000000000000002: file does not exist")

	boom := errors.New("input/output error")
	_, err = readAll(failingSegments{boom}, w.Format, w.Start, 0)
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
	w := waltest.NewBuilder(waltest.Format("17"))
	for range 10_000 {
		w.Add(waltest.Insert(waltest.HeapTable, 1))
	}
	w.Add(waltest.Message(20_000))
	segs := w.Segments()
	r := walreader.NewReader(segs, w.Format)
	allocs := testing.AllocsPerRun(3, func() {
		for _, err := range r.Records(context.Background(), w.Start, w.Pos()) {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	assert.Less(t, allocs, 50.0, "for %d records", len(w.Records))
}

// A length is worth nothing until the pages that follow confirm it.
func TestMemoryDoesNotFollowLengths(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Add(waltest.Message(30_000))
	segs := w.Segments()
	put32(segs.Files[1][40:], 1<<30-1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readAll(segs, w.Format, w.Start, 0)
	runtime.ReadMemStats(&after)
	assert.ErrorIs(t, err, walreader.ErrCorrupt)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
}
