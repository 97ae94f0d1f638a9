package walreader_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// dumpFile is pg_waldump's output for all of a cluster's WAL, the segments with
// a timeline switch read from the younger timeline's file.
const dumpFile = "waldump.txt"

// TestRealClustersReadAsByPgWaldump looks at every directory of testdata/clusters
// and of $GOREWIND_TEST_CLUSTERS that has a dump: PG_VERSION, the WAL directory
// and dumpFile are what is needed of a cluster.
func TestRealClustersReadAsByPgWaldump(t *testing.T) {
	dumps, err := filepath.Glob(filepath.Join("..", "testdata", "clusters", "*", dumpFile))
	require.NoError(t, err)
	if dir := os.Getenv("GOREWIND_TEST_CLUSTERS"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "*", dumpFile))
		require.NoError(t, err)
		dumps = append(dumps, more...)
	}
	if len(dumps) == 0 {
		t.Skip("no clusters with a " + dumpFile)
	}
	for _, dump := range dumps {
		dir := filepath.Dir(dump)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			segs := openCluster(t, dir)
			want := readDump(t, dump)
			require.NotEmpty(t, want)
			got := compareWithDump(t, segs, want)
			scanRealCluster(t, segs, got)
		})
	}
}

// clusterSegments are the WAL segments of a data directory, each of the youngest
// timeline that has it.
type clusterSegments struct {
	f     walreader.Format
	files map[pgdata.SegNo]string
}

func (c *clusterSegments) OpenSegment(_ context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	name, ok := c.files[s]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: c.f.Geometry.WALFileName(1, s), Err: fs.ErrNotExist}
	}
	return os.Open(name)
}

// openCluster takes the geometry from the long header of the WAL itself.
func openCluster(t *testing.T, dir string) *clusterSegments {
	version, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	require.NoError(t, err)
	c := &clusterSegments{f: format(strings.TrimSpace(string(version))), files: map[pgdata.SegNo]string{}}
	require.NotNil(t, c.f.Version)
	names, err := filepath.Glob(filepath.Join(dir, c.f.Version.WALDir, "????????????????????????")) // sorted: oldest timeline first
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for i, name := range names {
		if i == 0 {
			head, err := os.ReadFile(name)
			require.NoError(t, err)
			c.f.SystemIdentifier = binary.LittleEndian.Uint64(head[24:])
			c.f.Geometry.WALSegSize = binary.LittleEndian.Uint32(head[32:])
			c.f.Geometry.WALBlockSize = binary.LittleEndian.Uint32(head[36:])
		}
		if _, s, ok := c.f.Geometry.ParseWALFileName(filepath.Base(name)); ok {
			c.files[s] = name
		}
	}
	return c
}

// dumped is a record as pg_waldump shows it.
type dumped struct {
	rmgr      string
	length    uint32
	xid       uint32
	lsn, prev pgdata.LSN
	blocks    string
}

var (
	dumpLine  = regexp.MustCompile(`^rmgr: (\S+) +len \(rec/tot\): +\d+/ *(\d+), tx: +(\d+), lsn: (\S+), prev (\S+), desc: `)
	dumpBlock = regexp.MustCompile(`blkref #(\d+): rel (\d+)/(\d+)/(\d+) (?:fork (\S+) )?blk (\d+)( \(?FPW)?`)
)

func readDump(t *testing.T, name string) []dumped {
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	var list []dumped
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		m := dumpLine.FindStringSubmatch(lines.Text())
		require.NotNil(t, m, "line %q", lines.Text())
		lsn, err := pgdata.ParseLSN(m[4])
		require.NoError(t, err)
		prev, err := pgdata.ParseLSN(m[5])
		require.NoError(t, err)
		d := dumped{rmgr: m[1], lsn: lsn, prev: prev}
		_, err = fmt.Sscan(m[2]+" "+m[3], &d.length, &d.xid)
		require.NoError(t, err)
		for _, b := range dumpBlock.FindAllStringSubmatch(lines.Text(), -1) {
			if b[5] == "" {
				b[5] = "main"
			}
			d.blocks += fmt.Sprintf("%s: %s/%s/%s %s %s %t\n", b[1], b[2], b[3], b[4], b[5], b[6], b[7] != "")
		}
		list = append(list, d)
	}
	require.NoError(t, lines.Err())
	return list
}

func compareWithDump(t *testing.T, segs *clusterSegments, want []dumped) (all []built) {
	r := walreader.NewReader(segs, segs.f)
	defer func() { _ = r.Close() }()
	ctx := context.Background()
	first, err := r.FindNextRecord(ctx, segs.f.Geometry.SegStart(segs.f.Geometry.SegNo(want[0].lsn)))
	require.NoError(t, err)
	require.Equal(t, want[0].lsn, first, "start of the first record")
	i := 0
	for rec, err := range r.Records(ctx, first, 0) {
		if err != nil {
			assert.ErrorIs(t, err, walreader.ErrEndOfWAL)
			break
		}
		if i == len(want) {
			require.Fail(t, "more records than in the dump", "at %s", rec.LSN)
		}
		got := dumped{
			rmgr: walreader.RmgrName(rec.Rmgr), length: rec.Length, xid: rec.XID,
			lsn: rec.LSN, prev: rec.Prev, blocks: blocksText(rec),
		}
		if got != want[i] {
			require.Equal(t, want[i], got, "record %d", i)
		}
		require.NoError(t, segs.f.CheckSpecial(rec))
		all = append(all, built{rec.LSN, rec.End, rec.Prev, rec.Length})
		i++
	}
	require.Equal(t, len(want), i, "records")
	return all
}

func blocksText(rec *walreader.Record) string {
	var b strings.Builder
	for _, r := range rec.Blocks {
		fork := [...]string{"main", "fsm", "vm", "init"}[r.Fork]
		b.WriteString(strconv.Itoa(int(r.ID)) + ": " + r.Locator.String() + " " + fork + " " + strconv.Itoa(int(r.Block)) + " " +
			strconv.FormatBool(r.HasImage) + "\n")
	}
	return b.String()
}

// scanRealCluster compares parallel scans from random forks with sequential reading.
func scanRealCluster(t *testing.T, segs *clusterSegments, all []built) {
	seed := rand.Uint64()
	t.Logf("%d records, seed %d", len(all), seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 5 {
		from := rnd.IntN(len(all))
		to := from + rnd.IntN(len(all)-from)
		assertScan(t, segs, segs.f, all[0].LSN, walreader.ScanRequest{Fork: all[from].LSN, End: all[to].End, Jobs: 1 + rnd.IntN(4)})
	}
	for range 50 {
		rec := all[rnd.IntN(len(all))]
		end, err := walreader.LastRecordEnd(context.Background(), segs, segs.f, rec.End+pgdata.LSN(rnd.IntN(8)))
		require.NoError(t, err)
		require.Equal(t, rec.End, end)
	}
}
