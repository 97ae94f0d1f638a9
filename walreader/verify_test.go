package walreader_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

type memorySegment struct{ *bytes.Reader }

func (memorySegment) Name() string { return "memory" }
func (memorySegment) Close() error { return nil }

// TestASegmentIsVerifiedByItsContent damages segments byte by byte, at random
// places that are far apart.
func TestASegmentIsVerifiedByItsContent(t *testing.T) {
	w, _ := longWAL("17")
	segs := w.segments()
	size := int(w.f.Geometry.WALSegSize)
	first, last := w.f.Geometry.SegNo(w.start), w.f.Geometry.SegNo(w.lastEnd()-1)
	read := func(s pgdata.SegNo) []byte {
		seg, err := segs.OpenSegment(t.Context(), s)
		require.NoError(t, err)
		defer func() { require.NoError(t, seg.Close()) }()
		b := make([]byte, size)
		_, err = seg.ReadAt(b, 0)
		require.NoError(t, err)
		return b
	}
	verify := func(b []byte, s pgdata.SegNo) error {
		return walreader.VerifySegment(context.Background(), memorySegment{bytes.NewReader(b)}, s, w.f)
	}
	for s := first; s < last; s++ {
		assert.NoError(t, verify(read(s), s), s)
		assert.ErrorIs(t, verify(read(s), s+1), walreader.ErrEndOfWAL, "under another name")
	}
	assert.ErrorIs(t, verify(read(last), last), walreader.ErrEndOfWAL, "not written to its end")

	whole := read(first + 1)
	tried, unnoticed := 0, 0
	for at := 100; at < size-8192; at += 4099 { // the last page may belong to a record that goes on
		b := bytes.Clone(whole)
		b[at] ^= 0x10
		tried++
		if verify(b, first+1) == nil {
			unnoticed++ // padding between records
		}
	}
	assert.Greater(t, tried, 100)
	assert.Less(t, unnoticed, tried/50)
}

func TestSegmentsOfFixturesAreVerified(t *testing.T) {
	eachFixture(t, func(t *testing.T, dir string) {
		w := restoreWAL(t, filepath.Join(dir, "target"))
		from, to := w.control.Geometry.SegNo(w.firstRecord(t, filepath.Join(dir, "target"))), w.control.Geometry.SegNo(w.end(t))
		for s := from; s < to; s++ {
			seg, err := w.OpenSegment(t.Context(), s)
			require.NoError(t, err)
			assert.NoError(t, walreader.VerifySegment(t.Context(), seg, s, w.format()), s)
			require.NoError(t, seg.Close())
		}
	})
}
