package walreader_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// A timeline that ended before it had a segment of its own leaves that to an older one.
func TestASegmentIsReadFromTheNewestTimelineThatHasIt(t *testing.T) {
	w := restoreWAL(t, filepath.Join("..", "testdata", "clusters", "18-basic", "source"))
	fork := w.Format.Geometry.SegNo(w.History[1].Begin)
	wal := filepath.Join(w.dir, "pg_wal")
	require.NoError(t, os.Remove(filepath.Join(wal, w.Format.Geometry.WALFileName(2, fork))))
	for _, tli := range []pgdata.TimelineID{1, 2} {
		name := w.Format.Geometry.WALFileName(tli, fork)
		require.NoError(t, os.WriteFile(filepath.Join(wal, name), nil, 0o600))
		seg, err := w.OpenSegment(t.Context(), fork)
		require.NoError(t, err)
		assert.Equal(t, name, filepath.Base(seg.Name()))
		require.NoError(t, seg.Close())
	}
	require.NoError(t, os.Remove(filepath.Join(wal, w.Format.Geometry.WALFileName(2, fork))))
	require.NoError(t, os.Remove(filepath.Join(wal, w.Format.Geometry.WALFileName(1, fork))))
	_, err := w.OpenSegment(t.Context(), fork)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, w.Format.Geometry.WALFileName(2, fork), "the name under which it ought to be")
}

func TestADirectoryWithoutTheWALOfItsCheckpointHasNoFirstRecord(t *testing.T) {
	w := restoreWAL(t, filepath.Join("..", "testdata", "clusters", "18-basic", "target"))
	require.NoError(t, os.RemoveAll(filepath.Join(w.dir, "pg_wal")))
	_, err := w.First(t.Context())
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "the WAL of the last checkpoint is missing")
	_, err = w.End(t.Context())
	require.ErrorIs(t, err, fs.ErrNotExist)
	names, err := w.Summaries()
	require.NoError(t, err)
	assert.Empty(t, names)
}

// A segment that cannot be opened is no gap, and the error names it.
func TestASegmentThatIsNoFileIsAnError(t *testing.T) {
	w := restoreWAL(t, filepath.Join("..", "testdata", "clusters", "18-basic", "target"))
	geo := w.Format.Geometry
	name := filepath.Join(w.dir, "pg_wal", geo.WALFileName(1, geo.SegNo(w.Control.CheckPoint)-1))
	require.NoError(t, os.Remove(name))
	require.NoError(t, os.Mkdir(name, 0o700))
	_, err := w.First(t.Context())
	require.ErrorContains(t, err, "it is a directory")
	assert.ErrorContains(t, err, name)
}

// dataDir creates a data directory from the target of a fixture.
func dataDir(cluster string) (dir string, remove func()) {
	temp, err := os.MkdirTemp("", "cluster")
	if err != nil {
		log.Fatal(err)
	}
	dir = filepath.Join(temp, "data")
	if err := savedcluster.RestoreStored(filepath.Join("..", "testdata", "clusters", cluster, "target"), dir); err != nil {
		log.Fatal(err)
	}
	return dir, func() { _ = os.RemoveAll(temp) }
}

// Counting the records of a data directory's WAL by resource manager.
func ExampleOpenDir() {
	dir, remove := dataDir("18-basic")
	defer remove()
	ctx := context.Background()

	wal, err := walreader.OpenDir(dir)
	if err != nil {
		log.Fatal(err)
	}
	first, err := wal.First(ctx)
	if err != nil {
		log.Fatal(err)
	}
	end, err := wal.End(ctx)
	if err != nil {
		log.Fatal(err)
	}
	r := wal.Reader()
	defer func() { _ = r.Close() }()
	count := map[string]int{}
	for rec, err := range r.Records(ctx, first, end.LSN) {
		if err != nil {
			log.Fatal(err)
		}
		count[walreader.RmgrName(rec.Rmgr)]++
	}
	fmt.Println("from", first, "to", end.LSN, "on timeline", end.Timeline)
	for _, name := range slices.Sorted(maps.Keys(count)) {
		fmt.Println(name, count[name])
	}
	// Output:
	// from 0/A00028 to 0/C02198 on timeline 1
	// Btree 77
	// Heap 1581
	// Heap2 17
	// LogicalMessage 1
	// Sequence 2
	// Standby 7
	// Storage 2
	// Transaction 11
	// XLOG 61
}
