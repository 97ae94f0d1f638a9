package walreader_test

import (
	"context"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

func lastRecordEnd(segs walreader.Segments, f walreader.Format, limit pgdata.LSN) (pgdata.LSN, error) {
	return walreader.LastRecordEnd(context.Background(), segs, f, limit)
}

func TestLastRecordEndAroundEveryRecord(t *testing.T) {
	rnd := seeded(t)
	for range 4 {
		f := format([]string{"9.6", "13", "17", "19"}[rnd.IntN(4)])
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		w := randomWAL(rnd, f, 4<<20)
		segs := w.segments()
		for range 100 {
			i := rnd.IntN(len(w.records) - 1)
			rec, next := w.records[i], w.records[i+1]
			for _, limit := range []pgdata.LSN{
				rec.End, rec.End + 1, next.LSN, next.LSN + 1, next.End - 1,
				rec.End + pgdata.LSN(rnd.Int64N(int64(next.End-rec.End))),
			} {
				end, err := lastRecordEnd(segs, f, limit)
				require.NoError(t, err)
				require.Equal(t, rec.End, end, "limit %s", limit)
			}
		}
		assert.Zero(t, segs.open)
	}
}

func TestLastRecordEndBeyondTheEnd(t *testing.T) {
	for name, change := range map[string]func(segs *memSegments, s pgdata.SegNo){
		"in segments of zeros":          func(segs *memSegments, s pgdata.SegNo) { clear(segs.files[s]) },
		"in recycled segments":          func(segs *memSegments, s pgdata.SegNo) { copy(segs.files[s], segs.files[1]) },
		"in a record that was not torn": func(*memSegments, pgdata.SegNo) {},
	} {
		t.Run(name, func(t *testing.T) {
			for firstChanged := pgdata.SegNo(2); firstChanged <= 3; firstChanged++ {
				w := newBuilder(format("17"))
				w.add(message(700_000))
				last := w.add(message(100))
				unfinished := w.add(message(3_000_000))
				segs := w.segments()
				for s := firstChanged; s <= 4; s++ {
					change(segs, s)
				}
				for _, limit := range []pgdata.LSN{last.End, unfinished.LSN + 8, unfinished.LSN + 600_000, unfinished.LSN + 2_200_000} {
					end, err := lastRecordEnd(segs, w.f, limit)
					require.NoError(t, err)
					assert.Equal(t, last.End, end, "limit %s", limit)
				}
			}
		})
	}
}

func TestLastRecordEndBeforeASegmentThatDoesNotExistYet(t *testing.T) {
	w := newBuilder(format("17"))
	last := w.add(spec{info: 0x40}) // XLOG/SWITCH: the insert position is in the next segment
	segs := w.segments()
	end, err := lastRecordEnd(segs, w.f, last.End+40)
	require.NoError(t, err)
	assert.Equal(t, last.End, end)

	w.add(message(3_000_000))
	segs = w.segments()
	delete(segs.files, 3)
	end, err = lastRecordEnd(segs, w.f, last.End+40+1_500_000)
	require.NoError(t, err)
	assert.Equal(t, last.End, end, "a record goes on in the missing segment")
}

func TestLastRecordEndDoesNotPassOverDamage(t *testing.T) {
	w, s := newScene("17")
	s.at(s.last.LSN)[100] ^= 4
	_, err := lastRecordEnd(s, w.f, s.last.End)
	assert.ErrorIs(t, err, walreader.ErrCorrupt)

	end, err := lastRecordEnd(s, w.f, s.last.LSN)
	require.NoError(t, err)
	assert.Equal(t, s.crossing.End, end, "damage behind the limit does not matter")
}

func TestLastRecordEndWithoutARecord(t *testing.T) {
	w, s := newScene("17")
	_, err := lastRecordEnd(s, w.f, 0)
	assert.ErrorIs(t, err, walreader.ErrEndOfWAL)
	_, err = lastRecordEnd(s, w.f, w.start+40)
	assert.ErrorIs(t, err, fs.ErrNotExist, "the segment before the first is needed")
	delete(s.files, 1)
	delete(s.files, 2)
	_, err = lastRecordEnd(s, w.f, s.last.End)
	assert.ErrorIs(t, err, fs.ErrNotExist, "only the segment of the limit may be missing")
}
