package rows

import (
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/pgdata"
)

// Subtransactions of one transaction are read back in succession, in WAL order if they
// overlap. The file is gone whenever that ends.
func TestSubtransactionsAreReadBackInTurn(t *testing.T) {
	const subs, each, size = 150, 10, 64 << 10
	b := &buffer{dir: t.TempDir(), limit: 1 << 20, open: map[uint32]*pending{}}
	lsn := pgdata.LSN(0)
	add := func(xid uint32, n int) {
		lsn += 100
		require.NoError(t, b.add(&event{op: heapwal.Insert, lsn: lsn, xid: xid, newRow: make([]byte, n)}))
	}
	xids := []uint32{1}
	for sub := range uint32(subs) {
		xids = append(xids, 2+sub)
		for range each {
			add(2+sub, size)
		}
		add(1, 10) // what contains all of them
	}
	require.NotNil(t, b.file)
	entries, err := os.ReadDir(b.dir)
	require.NoError(t, err)
	assert.Empty(t, entries)

	var m runtime.MemStats
	peak, seen, last := uint64(0), 0, pgdata.LSN(0)
	require.NoError(t, b.take(xids, func(e *event) error {
		assert.Greater(t, e.lsn, last)
		last = e.lsn
		if seen++; seen%100 == 1 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
		return nil
	}))
	assert.Equal(t, subs*(each+1), seen)
	assert.Less(t, peak, uint64(20<<20))
	require.NoError(t, b.close())
}
