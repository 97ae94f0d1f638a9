package walreader_test

import (
	"context"
	"encoding/binary"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

func lastRecordEnd(segs walreader.Segments, f walreader.Format, limit pgdata.LSN) (pgdata.LSN, error) {
	return walreader.LastRecordEnd(context.Background(), segs, f, limit)
}

func TestLastRecordEndAroundEveryRecord(t *testing.T) {
	rnd := seeded(t)
	for range 4 {
		f := waltest.Format([]string{"9.6", "13", "17", "19"}[rnd.IntN(4)])
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		w := randomWAL(rnd, f, 4<<20)
		segs := w.Segments()
		for range 100 {
			i := rnd.IntN(len(w.Records) - 1)
			rec, next := w.Records[i], w.Records[i+1]
			for _, limit := range []pgdata.LSN{
				rec.End, rec.End + 1, next.LSN, next.LSN + 1, next.End - 1,
				rec.End + pgdata.LSN(rnd.Int64N(int64(next.End-rec.End))),
			} {
				end, err := lastRecordEnd(segs, f, limit)
				require.NoError(t, err)
				require.Equal(t, rec.End, end, "limit %s", limit)
			}
		}
		assert.Zero(t, segs.Open)
	}
}

func TestLastRecordEndBeyondTheEnd(t *testing.T) {
	for name, change := range map[string]func(segs *waltest.Segments, s pgdata.SegNo){
		"in segments of zeros":          func(segs *waltest.Segments, s pgdata.SegNo) { clear(segs.Files[s]) },
		"in recycled segments":          func(segs *waltest.Segments, s pgdata.SegNo) { copy(segs.Files[s], segs.Files[1]) },
		"in a record that was not torn": func(*waltest.Segments, pgdata.SegNo) {},
	} {
		t.Run(name, func(t *testing.T) {
			for firstChanged := pgdata.SegNo(2); firstChanged <= 3; firstChanged++ {
				w := waltest.NewBuilder(waltest.Format("17"))
				w.Add(waltest.Message(700_000))
				last := w.Add(waltest.Message(100))
				unfinished := w.Add(waltest.Message(3_000_000))
				segs := w.Segments()
				for s := firstChanged; s <= 4; s++ {
					change(segs, s)
				}
				for _, limit := range []pgdata.LSN{last.End, unfinished.LSN + 8, unfinished.LSN + 600_000, unfinished.LSN + 2_200_000} {
					end, err := lastRecordEnd(segs, w.Format, limit)
					require.NoError(t, err)
					assert.Equal(t, last.End, end, "limit %s", limit)
				}
			}
		})
	}
}

func TestLastRecordEndBeforeASegmentThatDoesNotExistYet(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	last := w.Add(waltest.Record{Info: 0x40}) // XLOG/SWITCH: the insert position is in the next segment
	segs := w.Segments()
	end, err := lastRecordEnd(segs, w.Format, last.End+40)
	require.NoError(t, err)
	assert.Equal(t, last.End, end)

	w.Add(waltest.Message(3_000_000))
	segs = w.Segments()
	delete(segs.Files, 3)
	end, err = lastRecordEnd(segs, w.Format, last.End+40+1_500_000)
	require.NoError(t, err)
	assert.Equal(t, last.End, end, "a record goes on in the missing segment")
}

func TestLastRecordEndDoesNotPassOverDamage(t *testing.T) {
	w, s := newScene("17")
	s.At(s.last.LSN)[100] ^= 4
	_, err := lastRecordEnd(s, w.Format, s.last.End)
	assert.ErrorIs(t, err, walreader.ErrCorrupt)

	end, err := lastRecordEnd(s, w.Format, s.last.LSN)
	require.NoError(t, err)
	assert.Equal(t, s.crossing.End, end, "damage behind the limit does not matter")
}

func TestLastRecordEndWithoutARecord(t *testing.T) {
	w, s := newScene("17")
	_, err := lastRecordEnd(s, w.Format, 0)
	assert.ErrorIs(t, err, walreader.ErrEndOfWAL)
	_, err = lastRecordEnd(s, w.Format, w.Start+40)
	assert.ErrorIs(t, err, fs.ErrNotExist, "the segment before the first is needed")
	delete(s.Files, 1)
	delete(s.Files, 2)
	_, err = lastRecordEnd(s, w.Format, s.last.End)
	assert.ErrorIs(t, err, fs.ErrNotExist, "only the segment of the limit may be missing")
}

func TestTheEndOfWALIsFoundFromEveryRecord(t *testing.T) {
	rnd := seeded(t)
	for range 4 {
		f := waltest.Format([]string{"9.6", "13", "17", "19"}[rnd.IntN(4)])
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		w := randomWAL(rnd, f, 3<<20)
		segs := w.Segments()
		last := w.Records[len(w.Records)-1]
		tli, err := walreader.PageTimeline(t.Context(), segs, f, f.Geometry.PageStart(last.LSN))
		require.NoError(t, err)
		for range 20 {
			end, err := walreader.EndOfWAL(t.Context(), segs, f, w.Records[rnd.IntN(len(w.Records))].LSN)
			require.NoError(t, err)
			why := end.Why
			end.Why = nil
			assert.Equal(t, walreader.End{LSN: last.End, Last: last.LSN, Timeline: tli}, end)
			assert.Error(t, why)
		}
		assert.Zero(t, segs.Open)
	}
}

// twins is a segment, and the beginning of the next one with records in the same
// places. They end at the last of these; what follows on its page is the older
// segment's, as in a file that was recycled.
func twins() (w *waltest.Builder, segs *waltest.Segments) {
	w = waltest.NewBuilder(waltest.Format("17"))
	fill := func(n int) {
		w.Checkpoint(0x10, w.Pos()+40)
		for range n {
			w.Add(waltest.Message(400))
		}
	}
	fill(100)
	w.Add(waltest.Record{Info: 0x40}) // XLOG/SWITCH
	fill(50)
	segs = w.Segments()
	end := lastEnd(w)
	copy(segs.At(end), segs.At(end - 1<<20)[:8192-int(end)%8192])
	return w, segs
}

func TestTheEndOfWAL(t *testing.T) {
	w, clean := twins()
	checkpoint := w.Records[102]
	require.Equal(t, w.Format.Geometry.SegStart(2)+40, checkpoint.LSN)
	last := w.Records[len(w.Records)-1]
	before := w.Records[len(w.Records)-2]
	for _, c := range []struct {
		name   string
		from   waltest.Built
		change func(segs *waltest.Segments)
		last   waltest.Built
		why    error
		text   string
	}{
		{"a stale record of a recycled segment", checkpoint, nil, last, walreader.ErrCorrupt, "incorrect prev-link"},
		{"a stale record right behind the first one", last, nil, last, walreader.ErrCorrupt, "incorrect prev-link"},
		{"zeros", checkpoint, func(segs *waltest.Segments) { clear(segs.At(last.End)) }, last, walreader.ErrEndOfWAL, "got 0"},
		{
			"a last record that is damaged", checkpoint, func(segs *waltest.Segments) { segs.At(last.LSN)[50] ^= 1 },
			before, walreader.ErrCorrupt, "checksum",
		},
		{
			"a record that goes on in a segment that is missing", w.Records[0], func(segs *waltest.Segments) { delete(segs.Files, 2) },
			w.Records[101], fs.ErrNotExist, "",
		},
		{
			"a page that was not written", w.Records[0], func(segs *waltest.Segments) { clear(segs.Files[1][3*8192 : 4*8192]) },
			w.Records[firstAfter(w, w.Start+3*8192)-2], walreader.ErrTornRecord, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			segs := w.Segments()
			for no, file := range clean.Files {
				copy(segs.Files[no], file)
			}
			if c.change != nil {
				c.change(segs)
			}
			end, err := walreader.EndOfWAL(t.Context(), segs, w.Format, c.from.LSN)
			require.NoError(t, err)
			assert.Equal(t, []pgdata.LSN{c.last.LSN, c.last.End}, []pgdata.LSN{end.Last, end.LSN})
			assert.Equal(t, pgdata.TimelineID(1), end.Timeline)
			assert.ErrorIs(t, end.Why, c.why)
			assert.ErrorContains(t, end.Why, c.text)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := walreader.EndOfWAL(ctx, clean, w.Format, checkpoint.LSN)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = walreader.EndOfWAL(t.Context(), brokenDisk{clean, 2}, w.Format, w.Records[0].LSN)
	assert.ErrorIs(t, err, errDisk, "an error of the disk is not the end")
	_, err = walreader.EndOfWAL(t.Context(), clean, w.Format, checkpoint.LSN+8)
	assert.ErrorIs(t, err, walreader.ErrCorrupt, "the first record has to be there")
}

func TestAStaleRecordIsNotTheLastOneBeforeALimit(t *testing.T) {
	// The last record ends on the page where the stale ones begin.
	w := waltest.NewBuilder(waltest.Format("17"))
	layout := func() waltest.Built {
		w.Checkpoint(0x10, w.Pos()+40)
		w.Add(waltest.Message(5000))
		return w.Add(waltest.Message(5000))
	}
	layout()
	w.Add(waltest.Message(100)) // to become stale
	w.Add(waltest.Record{Info: 0x40})
	last := layout()
	segs := w.Segments()
	copy(segs.At(last.End), segs.At(last.End - 1<<20)[:104])
	_, err := lastRecordEnd(segs, w.Format, last.End+104)
	assert.ErrorIs(t, err, walreader.ErrCorrupt)
	assert.ErrorContains(t, err, "incorrect prev-link")
	_, err = walreader.NewReader(segs, w.Format).FindNextRecord(t.Context(), last.End)
	assert.ErrorContains(t, err, "incorrect prev-link")
	end, err := lastRecordEnd(segs, w.Format, last.End)
	require.NoError(t, err)
	assert.Equal(t, last.End, end)

	next := w.Add(waltest.Message(100))
	segs = w.Segments()
	segs.At(last.LSN)[50] ^= 1
	end, err = lastRecordEnd(segs, w.Format, next.End)
	require.NoError(t, err, "what is wrong with an earlier record is no concern of this")
	assert.Equal(t, next.End, end)
}

// The WAL of a stopped standby continues with the old content of the file.
func TestTheEndOfAFixturesWALIsFound(t *testing.T) {
	eachFixture(t, func(t *testing.T, dir string) {
		for _, side := range []string{"target", "source"} {
			w := restoreWAL(t, filepath.Join(dir, side))
			end, err := walreader.EndOfWAL(t.Context(), w, w.format(), w.Control.CheckPoint)
			require.NoError(t, err)
			assert.Equal(t, w.end(t).String(), end.LSN.String(), side)
			assert.Equal(t, w.timelineOfPage(end.Last), end.Timeline, side)
			assert.Error(t, end.Why)
		}
	})
}

// timelineOfPage is the one that a page was begun on.
func (w fixtureWAL) timelineOfPage(lsn pgdata.LSN) (tli pgdata.TimelineID) {
	for _, e := range w.History {
		if e.Begin <= w.Control.Geometry.PageStart(lsn) {
			tli = e.TLI
		}
	}
	return tli
}

// boundless is WAL that is there wherever it is looked for: every page is the one given,
// at its own address.
type boundless struct {
	f           walreader.Format
	first, page []byte // of a segment, and the others; empty: zeros
	opened      int
}

type boundlessSegment struct {
	*boundless
	at pgdata.LSN
}

func (e *boundless) OpenSegment(_ context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	e.opened++
	return boundlessSegment{e, e.f.Geometry.SegStart(s)}, nil
}

func (s boundlessSegment) ReadAt(b []byte, offset int64) (int, error) {
	clear(b)
	size := int64(s.f.Geometry.WALBlockSize)
	for i := int64(0); i < int64(len(b)); i += size {
		page := s.page
		if offset+i == 0 {
			page = s.first
		}
		if len(page) > 0 {
			copy(b[i:], page)
			binary.LittleEndian.PutUint64(b[i+8:], uint64(s.at)+uint64(offset+i)) // XLogPageHeaderData.xlp_pageaddr
		}
	}
	return len(b), nil
}

func (s boundlessSegment) Close() error { return nil }
func (s boundlessSegment) Name() string { return "endless" }

func TestLastRecordEndOfWALWithoutEnd(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Add(waltest.Message(3_000_000)) // goes on in the next segments
	segs := w.Segments()
	size := w.Format.Geometry.WALBlockSize
	for name, e := range map[string]*boundless{
		"of zeros":                         {},
		"in which every page goes on":      {first: segs.Files[2][:24], page: segs.Files[2][size : size+24]},
		"in which only the segments do":    {first: segs.Files[2][:24]},
		"in which all but the segments do": {page: segs.Files[2][size : size+24]},
	} {
		t.Run(name, func(t *testing.T) {
			e.f = w.Format
			if len(e.first) > 0 {
				e.first = append([]byte(nil), segs.Files[2][:40]...) // XLogLongPageHeaderData
			}
			_, err := lastRecordEnd(e, w.Format, 1<<50)
			require.ErrorIs(t, err, walreader.ErrCorrupt)
			assert.ErrorContains(t, err, "no record starts between ")
			assert.Less(t, e.opened, 200_000) // a page each
		})
	}
}

// countedWAL counts what is read.
type countedWAL struct {
	walreader.Segments
	read *int64
}

func (c countedWAL) OpenSegment(ctx context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	seg, err := c.Segments.OpenSegment(ctx, s)
	return countedSegment{seg, c.read}, err
}

type countedSegment struct {
	walreader.Segment
	read *int64
}

func (c countedSegment) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Segment.ReadAt(p, off)
	*c.read += int64(n)
	return n, err
}

func TestTheEmptyRestOfASegmentIsNotRead(t *testing.T) {
	f := waltest.Format("17")
	f.Geometry.WALSegSize = 16 << 20
	for _, before := range []int{0, 5_000_000, 15_000_000} {
		for _, headers := range []bool{false, true} { // as the padding has, where a server writes it
			w := waltest.NewBuilder(f)
			for range before / 5000 {
				w.Add(waltest.Message(5000))
			}
			last := w.Add(waltest.Record{Info: 0x40}) // XLOG/SWITCH
			segs := w.Segments()
			if segment := segs.Files[1]; headers {
				for at := len(segment) - int(f.Geometry.WALBlockSize); at > 0 && segment[at] == 0; at -= int(f.Geometry.WALBlockSize) {
					page := segment[at:]
					copy(page, segment[:8]) // magic number, flags and timeline
					binary.LittleEndian.PutUint16(page[2:], 0)
					binary.LittleEndian.PutUint64(page[8:], uint64(f.Geometry.SegStart(1))+uint64(at))
				}
			}
			var read int64
			end, err := lastRecordEnd(countedWAL{segs, &read}, f, last.End)
			require.NoError(t, err)
			assert.Equal(t, last.End, end)
			assert.Less(t, read, int64(2<<20), "after %d bytes, headers: %t", before, headers)
		}
	}
}

// Only after a switch to the next segment is everything empty if a part is. Elsewhere
// a disk lost data, and the end is after the hole.
func TestTheEndIsNotTakenForAHoleBeforeIt(t *testing.T) {
	f := waltest.Format("17")
	f.Geometry.WALSegSize = 16 << 20
	w := waltest.NewBuilder(f)
	for range 15_000_000 / 5000 {
		w.Add(waltest.Message(5000))
	}
	last := w.Add(waltest.Message(10))
	limit := last.End + 200_000
	segs := w.Segments()
	page := pgdata.LSN(f.Geometry.WALBlockSize)
	begin := f.Geometry.SegStart(f.Geometry.SegNo(limit))
	hole := (f.Geometry.PageStart(limit) - begin) / 2 / page * page // where a bisection looks first
	clear(segs.Files[f.Geometry.SegNo(limit)][hole:][:page])
	end, err := lastRecordEnd(segs, f, limit)
	require.NoError(t, err)
	assert.Equal(t, last.End, end)
}
