package walreader_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata/clusters")

// fixtureWAL is one side of a fixture of testdata/clusters.
type fixtureWAL struct {
	*walreader.Dir
	dir string // the data directory
}

func (w fixtureWAL) format() walreader.Format { return w.Format }

// end is the end of the last record that the cluster's files depend on.
func (w fixtureWAL) end(t *testing.T) pgdata.LSN {
	r := walreader.NewReader(w, w.format())
	defer r.Close()
	rec, err := r.ReadRecord(t.Context(), w.Control.CheckPoint)
	require.NoError(t, err)
	return max(rec.End, w.Control.MinRecoveryPoint)
}

func restoreWAL(t *testing.T, from string) fixtureWAL {
	w := fixtureWAL{dir: filepath.Join(t.TempDir(), filepath.Base(from))}
	require.NoError(t, savedcluster.RestoreStored(from, w.dir))
	var err error
	w.Dir, err = walreader.OpenDir(w.dir)
	require.NoError(t, err)
	return w
}

// eachFixture runs a test for every fixture.
func eachFixture(t *testing.T, test func(t *testing.T, dir string)) {
	dirs, err := filepath.Glob(filepath.Join("..", "testdata", "clusters", "*-*"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(dirs), len(pgdata.Versions()), "at least one for every major")
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			test(t, dir)
		})
	}
}

// firstRecord is where the first record starts of all the WAL that is kept.
func (w fixtureWAL) firstRecord(t *testing.T, stored string) pgdata.LSN {
	geo := w.Control.Geometry
	files, err := filepath.Glob(filepath.Join(stored, w.Control.Version.WALDir, "*.gz"))
	require.NoError(t, err)
	first := pgdata.SegNo(1 << 62)
	for _, f := range files {
		_, s, ok := geo.ParseWALFileName(strings.TrimSuffix(filepath.Base(f), ".gz"))
		require.True(t, ok, f)
		first = min(first, s)
	}
	r := walreader.NewReader(w, w.format())
	defer r.Close()
	lsn, err := r.FindNextRecord(t.Context(), geo.SegStart(first))
	require.NoError(t, err)
	return lsn
}

// TestFixturesAreReadToTheirEnd reads all the WAL that is kept of a target, and
// compares what it reads with what was recorded before and, where there was a
// pg_waldump of the major, with what that read.
func TestFixturesAreReadToTheirEnd(t *testing.T) {
	eachFixture(t, func(t *testing.T, dir string) {
		w := restoreWAL(t, filepath.Join(dir, "target"))
		var (
			tally       savedcluster.Tally // of what the cluster's files depend on
			last        pgdata.LSN         // where that ends
			overwriting string
			ending      error
			from, end   = w.firstRecord(t, filepath.Join(dir, "target")), w.end(t)
			lsn         = w.Control.Version.FormatLSN
		)
		r := walreader.NewReader(w, w.format())
		defer r.Close()
		for rec, err := range r.Records(t.Context(), from, 0) {
			if err != nil {
				ending = err
				break
			}
			if rec.LSN >= end {
				continue // a standby may have received more
			}
			last = rec.End
			blocks := ""
			for _, b := range rec.Blocks {
				blocks += savedcluster.BlockText(b.ID, b.Locator, b.Fork, b.Block, b.HasImage)
			}
			tally.Add(savedcluster.Record{
				Rmgr: walreader.RmgrName(rec.Rmgr), Length: rec.Length, XID: rec.XID, LSN: rec.LSN, Prev: rec.Prev, Blocks: blocks,
			})
			if rec.Rmgr == 0 && rec.Info&0xF0 == 0xD0 { // OVERWRITE_CONTRECORD
				void := pgdata.LSN(binary.LittleEndian.Uint64(rec.MainData))
				overwriting += fmt.Sprintf("%s overwrites the rest of %s, which is after %s\n", lsn(rec.LSN), lsn(void), lsn(rec.Prev))
			}
		}
		if w.Control.State == controlfile.ShutDown {
			assert.ErrorIs(t, ending, walreader.ErrEndOfWAL)
		} else {
			// A standby writes only what it receives: where that ends, within a
			// page, the file's old content goes on.
			assert.Error(t, ending)
		}
		assert.Equal(t, end.String(), last.String(), "a record ends where those that are needed do")

		got := fmt.Sprintf("from %s to %s\n%s%s", lsn(from), lsn(end), &tally, overwriting)
		golden := filepath.Join(dir, "wal.golden")
		if *update {
			require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
		}
		assert.Equal(t, readText(t, golden), got)
		if dump := filepath.Join(dir, "pg_waldump.txt"); exists(dump) {
			assert.Equal(t, readText(t, dump), tally.String())
		}
	})
}

func readText(t *testing.T, name string) string {
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func TestFixturesAreScannedAsTheyAreRead(t *testing.T) {
	eachFixture(t, func(t *testing.T, dir string) {
		w := restoreWAL(t, filepath.Join(dir, "target"))
		src := restoreWAL(t, filepath.Join(dir, "source"))
		fork, _, err := timeline.CommonAncestor(src.History, w.History)
		require.NoError(t, err)
		from := w.firstRecord(t, filepath.Join(dir, "target"))
		for _, jobs := range []int{1, 3} {
			req := walreader.ScanRequest{Fork: fork, End: w.end(t), Jobs: jobs}
			assertScan(t, w, w.format(), from, req)
			req.Visitor = func() walreader.Visitor { return lost.NewVisitor(w.format(), fork) }
			scan, err := walreader.Scan(t.Context(), w, w.format(), req)
			require.NoError(t, err)
			assert.Less(t, scan.Checkpoint.LSN, fork)
			assert.NotEmpty(t, scan.Changes.Blocks)
			assert.NotEmpty(t, scan.Changes.Limits)
			assert.NotEmpty(t, scan.BlocksAfterFork)
			l := scan.Visitor.(*lost.Visitor).Report(scan.BlocksAfterFork)
			assert.NotZero(t, l.Committed)
			assert.Zero(t, l.Unparsed)
		}
	})
}

// TestTheEndOfAFixturesSourceIsFound looks for the end of the last record as is
// done with a live source, of whose WAL the last segment is kept here.
func TestTheEndOfAFixturesSourceIsFound(t *testing.T) {
	eachFixture(t, func(t *testing.T, dir string) {
		w := restoreWAL(t, filepath.Join(dir, "source"))
		end, geo := w.end(t), w.Control.Geometry
		for _, limit := range []pgdata.LSN{end, end + 8, geo.PageStart(end-1) + pgdata.LSN(geo.WALBlockSize), geo.SegStart(geo.SegNo(end-1) + 1)} {
			got, err := walreader.LastRecordEnd(t.Context(), w, w.format(), limit)
			require.NoError(t, err)
			assert.Equal(t, end.String(), got.String(), "before %s", limit)
		}
		before, err := walreader.LastRecordEnd(t.Context(), w, w.format(), end-1)
		require.NoError(t, err)
		assert.Equal(t, w.Control.CheckPoint.String(), before.String(), "the last checkpoint starts where the record before it ends")
	})
}
