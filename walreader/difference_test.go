package walreader_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

var errDisk = errors.New("disk error")

// brokenDisk fails for one segment.
type brokenDisk struct {
	*waltest.Segments
	no pgdata.SegNo
}

func (b brokenDisk) OpenSegment(ctx context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	if s == b.no {
		return nil, errDisk
	}
	return b.Segments.OpenSegment(ctx, s)
}

func TestFirstDifference(t *testing.T) {
	f := waltest.Format("17")
	build := func() *waltest.Builder { // two segments and a bit
		w := waltest.NewBuilder(f)
		w.Checkpoint(0, w.Pos()+40)
		for len(w.Buf) < 2<<20 {
			w.Add(waltest.Message(3000))
		}
		return w
	}
	common := build()
	start, fork := common.Start, common.Pos()
	third := common.Records[2]
	inserts := func(w *waltest.Builder, blocks ...uint32) {
		for _, b := range blocks {
			w.Add(waltest.Insert(waltest.HeapTable, b))
		}
	}
	second := func() pgdata.LSN { w := build(); inserts(w, 1); return w.Pos() }() // where the second insert starts
	for _, c := range []struct {
		name   string
		a, b   func(w *waltest.Builder) // what follows on what both have
		from   pgdata.LSN
		upTo   pgdata.LSN
		change func(b *waltest.Segments)
		at     pgdata.LSN
		same   bool
	}{
		{
			"a record that differs", func(w *waltest.Builder) { inserts(w, 1, 2) }, func(w *waltest.Builder) { inserts(w, 1, 3) },
			start, 0, nil, second, false,
		},
		{
			"from the record that differs", func(w *waltest.Builder) { inserts(w, 1, 2) }, func(w *waltest.Builder) { inserts(w, 1, 3) },
			second, second + 8, nil, second, false,
		},
		{
			"the same up to the record that differs", func(w *waltest.Builder) { inserts(w, 1, 2) }, func(w *waltest.Builder) { inserts(w, 1, 3) },
			start, second, nil, second, true,
		},
		{
			"one ends before the other", func(w *waltest.Builder) { inserts(w, 1) }, func(w *waltest.Builder) { inserts(w, 1, 2) },
			start, second + 8, nil, second, false,
		},
		{
			"one ends before the other, and that is where to stop", func(w *waltest.Builder) { inserts(w, 1, 2) }, func(w *waltest.Builder) { inserts(w, 1) },
			start, 0, nil, second, true,
		},
		{
			"both end together", func(w *waltest.Builder) { inserts(w, 1) }, func(w *waltest.Builder) { inserts(w, 1) },
			start, 0, nil, second, true,
		},
		{
			"records that differ in their transaction only", func(w *waltest.Builder) { w.Add(waltest.Record{Rmgr: 10, XID: 1}) },
			func(w *waltest.Builder) { w.Add(waltest.Record{Rmgr: 10, XID: 2}) }, start, 0, nil, fork, false,
		},
		{
			"one abandoned what the other has", func(w *waltest.Builder) { w.Add(waltest.Message(9000)) },
			func(w *waltest.Builder) { w.Abandon(waltest.Message(9000), 0) }, start, 0, nil, fork, false,
		},
		{
			"both abandoned a record", func(w *waltest.Builder) { w.Abandon(waltest.Message(9000), 0); inserts(w, 1) },
			func(w *waltest.Builder) { w.Abandon(waltest.Message(9001), 0); inserts(w, 1) }, start, 0, nil,
			func() pgdata.LSN { w := build(); w.Abandon(waltest.Message(9000), 0); inserts(w, 1); return w.Pos() }(), true,
		},
		{
			"both abandoned a record, one later", func(w *waltest.Builder) { w.Abandon(waltest.Message(30000), 0) },
			func(w *waltest.Builder) { w.Abandon(waltest.Message(30000), 1) }, start, 0, nil, fork, false,
		},
		{
			"the same on another timeline", func(w *waltest.Builder) { inserts(w, 1) }, func(w *waltest.Builder) { inserts(w, 1) },
			start, second, func(b *waltest.Segments) {
				for page := range 128 {
					binary.LittleEndian.PutUint32(b.Files[3][page*8192+4:], 2)
				}
			}, second, true,
		},
		{
			"damage in one", func(w *waltest.Builder) { inserts(w, 1) }, func(w *waltest.Builder) { inserts(w, 1) },
			start, second, func(b *waltest.Segments) { b.At(third.LSN)[30] ^= 1 }, third.LSN, false,
		},
		{
			"a segment that is missing in one", func(w *waltest.Builder) { inserts(w, 1) }, func(w *waltest.Builder) { inserts(w, 1) },
			f.Geometry.SegStart(1), second, func(b *waltest.Segments) { delete(b.Files, 1) }, f.Geometry.SegStart(1) + 40, false,
		},
		{
			"nothing to compare", func(*waltest.Builder) {}, func(*waltest.Builder) {}, fork, fork, nil, fork, true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			wa, wb := build(), build()
			c.a(wa)
			c.b(wb)
			a, b := wa.Segments(), wb.Segments()
			if c.change != nil {
				c.change(b)
			}
			for _, sides := range [][2]*waltest.Segments{{a, b}, {b, a}} {
				at, same, err := walreader.FirstDifference(t.Context(), sides[0], sides[1], f, c.from, c.upTo)
				require.NoError(t, err)
				assert.Equal(t, c.at.String(), at.String())
				assert.Equal(t, c.same, same)
			}
			for no := pgdata.SegNo(1); no <= 3 && c.change == nil && c.from == start; no++ {
				for _, sides := range [][2]walreader.Segments{{a, brokenDisk{b, no}}, {brokenDisk{a, no}, b}} {
					_, _, err := walreader.FirstDifference(t.Context(), sides[0], sides[1], f, c.from, c.upTo)
					assert.ErrorIs(t, err, errDisk)
				}
			}
			assert.Zero(t, a.Open+b.Open)
		})
	}
}

func TestFirstDifferenceOfRandomWAL(t *testing.T) {
	rnd := seeded(t)
	for range 5 {
		f := waltest.Format([]string{"9.6", "13", "17", "19"}[rnd.IntN(4)])
		f.Geometry.WALBlockSize = 1 << (10 + rnd.IntN(7))
		seed := rnd.Uint64()
		wal := func() *waltest.Builder { return randomWAL(rand.New(rand.NewPCG(seed, 1)), f, 3<<20) }
		w, other := wal(), wal()
		a, b := w.Segments(), other.Segments()
		for range 20 {
			i, j := rnd.IntN(len(w.Records)), rnd.IntN(len(w.Records))
			at, same, err := walreader.FirstDifference(t.Context(), a, b, f, w.Records[min(i, j)].LSN, lastEnd(w))
			require.NoError(t, err)
			assert.True(t, same)
			assert.Equal(t, lastEnd(w), at)

			// A flipped bit makes a record a different one, or invalid.
			changed := w.Records[max(i, j)]
			b.At(changed.LSN)[0] ^= 1
			at, same, err = walreader.FirstDifference(t.Context(), a, b, f, w.Records[min(i, j)].LSN, lastEnd(w))
			b.At(changed.LSN)[0] ^= 1
			require.NoError(t, err)
			assert.False(t, same)
			assert.Equal(t, changed.LSN, at)
		}
	}
}
