package walreader_test

import (
	"context"
	"io/fs"
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
