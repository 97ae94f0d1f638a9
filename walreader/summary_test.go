package walreader_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

var forkNames = []string{"main", "fsm", "vm", "init"}

// summaryText is the content of a summary in the format of pg_walsummary --individual.
func summaryText(r io.Reader, name string) (string, error) {
	var b strings.Builder
	var last walreader.SummaryFork
	err := walreader.ReadSummary(r, name, func(f walreader.SummaryFork, blocks []pgdata.BlockNumber) {
		of := fmt.Sprintf("TS %d, DB %d, REL %d, FORK %s:", f.Locator.Tablespace, f.Locator.Database, f.Locator.Relation, forkNames[f.Fork])
		if f.Limited && f != last {
			fmt.Fprintf(&b, "%s limit %d\n", of, f.Limit)
		}
		last = f
		for _, block := range blocks {
			fmt.Fprintf(&b, "%s block %d\n", of, block)
		}
	})
	return b.String(), err
}

// individually spells out the ranges of pg_walsummary's output.
func individually(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(text) {
		of, what, found := strings.Cut(line, " blocks ")
		if !found {
			b.WriteString(line)
			continue
		}
		var first, last int
		_, err := fmt.Sscanf(what, "%d..%d", &first, &last)
		require.NoError(t, err)
		for n := first; n <= last; n++ {
			fmt.Fprintf(&b, "%s block %d\n", of, n)
		}
	}
	return b.String()
}

func summaryFixtures(t testing.TB) []string {
	files, err := filepath.Glob(filepath.Join("..", "testdata", "summaries", "*", "*.summary"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func TestSummariesOfServersAreReadAsByPgWalsummary(t *testing.T) {
	for _, file := range summaryFixtures(t) {
		t.Run(filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file)), func(t *testing.T) {
			_, ok := walreader.ParseSummaryName(filepath.Base(file))
			assert.True(t, ok)
			f, err := os.Open(file)
			require.NoError(t, err)
			defer f.Close()
			got, err := summaryText(iotest.HalfReader(f), file)
			require.NoError(t, err)
			assert.Equal(t, individually(t, readText(t, strings.TrimSuffix(file, ".summary")+".txt")), got)
		})
	}
}

// Every flipped bit and every truncation of a file is detected.
func TestADamagedSummaryIsNoticed(t *testing.T) {
	for _, file := range summaryFixtures(t) {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for i := 0; i < len(data); i += 1 + len(data)/300 {
			damaged := slices.Clone(data)
			damaged[i] ^= 1 << (i % 8)
			assertNoSummary(t, damaged)
			assertNoSummary(t, data[:i])
		}
		assertNoSummary(t, append(slices.Clone(data), 0))
	}
}

func assertNoSummary(t *testing.T, data []byte) {
	t.Helper()
	changes := pgdata.Changes{}
	err := walreader.ReadSummaryChanges(bytes.NewReader(data), "x.summary", waltest.Format("17").Geometry, nil, &changes)
	var e *walreader.SummaryError
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, walreader.ErrSummary)
	require.Equal(t, "x.summary", e.File)
	require.LessOrEqual(t, e.Offset, int64(len(data)))
	require.Equal(t, pgdata.Changes{}, changes, "nothing of it is believed")
}

func TestReadSummaryRefusesWhatNoServerWrites(t *testing.T) {
	rel := waltest.HeapTable
	other, database, nowhere := rel, rel, rel
	other.Relation--
	database.Relation, nowhere.Tablespace = 0, 0
	fork := func(l pgdata.RelFileLocator, number, limit uint32, chunks ...[]uint16) waltest.SummaryFork {
		return waltest.SummaryFork{Locator: l, Fork: number, Limit: limit, Chunks: chunks}
	}
	last := make([][]uint16, 65536)
	last[65535] = []uint16{65535}
	chunked := func(n uint32) []byte {
		b := waltest.Summary(fork(rel, 0, waltest.NoLimit))
		b = b[:len(b)-4]
		b[24] = byte(n)
		b[25], b[26], b[27] = byte(n>>8), byte(n>>16), byte(n>>24)
		return waltest.SealSummary(b)
	}
	wrongMagic := waltest.Summary()
	wrongMagic[0]++
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"an empty file", nil, "the file ends too early"},
		{"another magic number", wrongMagic, "wrong magic number: expected 652B137B, found 652B137C"},
		{"a fork that there is not", waltest.Summary(fork(rel, 4, 0)), "has a fork of number 4"},
		{"a negative fork", waltest.Summary(fork(rel, 1<<31, 0)), "has a fork of number 2147483648"},
		{"relations that are not in order", waltest.Summary(fork(rel, 0, 0), fork(other, 0, 0)), "does not come after"},
		{"a fork twice", waltest.Summary(fork(rel, 2, 0), fork(rel, 2, 0)), "does not come after"},
		{"a relation in no tablespace", waltest.Summary(fork(nowhere, 0, 0)), "has no tablespace"},
		{"a database with blocks", waltest.Summary(fork(database, 0, 0, []uint16{1})), "is neither created nor dropped"},
		{"a database with a limit of its own", waltest.Summary(fork(database, 0, 3)), "is neither created nor dropped"},
		{"a piece that is too long", waltest.Summary(fork(rel, 0, 0, make([]uint16, 4097))), "has a piece of 4097 words"},
		{"more pieces than there can be", chunked(65537), "has 65537 pieces"},
		{"a length without end", chunked(1<<32 - 1), "has 4294967295 pieces"},
		{"pieces that are not there", chunked(65536), "the file ends too early"},
		{"a block that there cannot be", waltest.Summary(fork(rel, 0, waltest.NoLimit, last...)), "has a block of number 4294967295"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assertNoSummary(t, c.data)
			err := walreader.ReadSummary(bytes.NewReader(c.data), "x.summary", func(walreader.SummaryFork, []pgdata.BlockNumber) {})
			assert.ErrorContains(t, err, `could not read WAL summary "x.summary" at byte `)
			assert.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, "the WAL itself shows what changed there")
		})
	}
}

func TestAnErrorOfReadingASummaryIsPassedOn(t *testing.T) {
	broken := errors.New("the disk is gone")
	data := waltest.Summary(waltest.SummaryFork{Locator: waltest.HeapTable, Limit: 3})
	for n := range len(data) + 1 {
		r := io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(broken))
		err := walreader.ReadSummary(r, "x.summary", func(walreader.SummaryFork, []pgdata.BlockNumber) {})
		require.ErrorIs(t, err, broken)
		require.NotErrorIs(t, err, walreader.ErrSummary)
	}
}

func TestWhatASummarySaysOfMainForksIsChanged(t *testing.T) {
	g := waltest.Format("17").Geometry
	g.RelSegBlocks = 1000
	rel, unlogged, untouched, database := waltest.HeapTable, waltest.HeapTable, waltest.HeapTable, waltest.HeapTable
	unlogged.Relation, untouched.Relation, database.Relation, database.Database = rel.Relation+1, rel.Relation+2, 0, rel.Database+1
	bitmap := make([]uint16, 4096)
	bitmap[0], bitmap[4095] = 0x8001, 0x8000
	emptied := make([]uint16, 4096)
	data := waltest.Summary(
		waltest.SummaryFork{Locator: rel, Limit: 70000, Chunks: [][]uint16{bitmap, nil, {7, 3, 999}}},
		waltest.SummaryFork{Locator: rel, Fork: 2, Limit: 1, Chunks: [][]uint16{{0}}},
		waltest.SummaryFork{Locator: rel, Fork: 3, Limit: waltest.NoLimit, Chunks: [][]uint16{{0}}},
		waltest.SummaryFork{Locator: unlogged, Fork: 3},
		waltest.SummaryFork{Locator: untouched, Limit: waltest.NoLimit, Chunks: [][]uint16{emptied}},
		waltest.SummaryFork{Locator: database},
	)
	before := pgdata.Changes{Blocks: pgdata.ChangedBlocks{}}
	before.Limit(rel, 70001)
	before.Limit(unlogged, 5)
	before.Blocks.Add(g, rel, 1)
	require.NoError(t, walreader.ReadSummaryChanges(iotest.OneByteReader(bytes.NewReader(data)), "", g, nil, &before))

	assert.Equal(t, map[pgdata.RelFileLocator]pgdata.BlockNumber{rel: 70000, unlogged: 0, database: 0}, before.Limits)
	assert.Equal(t, map[pgdata.RelSegment][]pgdata.BlockNumber{
		{Locator: rel}:               {0, 1, 15},
		{Locator: rel, Segment: 65}:  {535},
		{Locator: rel, Segment: 131}: {75, 79},
		{Locator: rel, Segment: 132}: {71},
	}, blockLists(before.Blocks))

	var some pgdata.Changes
	wanted := func(s pgdata.RelSegment) bool {
		return s == pgdata.RelSegment{Locator: rel, Segment: 65} || s.Locator == database
	}
	require.NoError(t, walreader.ReadSummaryChanges(bytes.NewReader(data), "", g, wanted, &some))
	assert.Equal(t, map[pgdata.RelFileLocator]pgdata.BlockNumber{database: 0}, some.Limits, "of what is wanted only")
	assert.Equal(t, map[pgdata.RelSegment][]pgdata.BlockNumber{{Locator: rel, Segment: 65}: {535}}, blockLists(some.Blocks))

	assert.Error(t, walreader.ReadSummaryChanges(bytes.NewReader(data), "", pgdata.Geometry{}, nil, &before), "a size of zero")
}

// endless is a summary that goes on and on.
type endless struct{ part, rest []byte }

func (e *endless) Read(b []byte) (int, error) {
	if len(e.rest) == 0 {
		e.part[4]++ // the database, so that the order is right
		if e.part[4] == 0 {
			e.part[5]++
		}
		e.rest = e.part
	}
	n := copy(b, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func TestASummaryOfAnySizeIsReadInLittleMemory(t *testing.T) {
	part := waltest.Summary(waltest.SummaryFork{Locator: waltest.HeapTable, Chunks: [][]uint16{make([]uint16, 4096), {5, 4}, make([]uint16, 4095)}})
	part = part[4 : len(part)-28] // without magic, end and checksum
	part[4], part[5] = 0, 0
	const size = 64 << 20
	file := io.MultiReader(bytes.NewReader(waltest.Summary()[:4]), io.LimitReader(&endless{part: part}, size))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	blocks := 0
	err := walreader.ReadSummary(file, "x.summary", func(_ walreader.SummaryFork, b []pgdata.BlockNumber) { blocks += len(b) })
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "the file ends too early")
	assert.Greater(t, blocks, size/len(part))
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
}

// FuzzReadSummary takes bytes for a summary, whose checksum is made good if sealed.
func FuzzReadSummary(f *testing.F) {
	for _, file := range summaryFixtures(f) {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data, false)
		f.Add(data[:len(data)-4], true)
	}
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal {
			data = waltest.SealSummary(slices.Clone(data))
		}
		var last walreader.SummaryFork
		var end int64
		forks, blocks := 0, 0
		err := walreader.ReadSummary(bytes.NewReader(data), "x", func(s walreader.SummaryFork, b []pgdata.BlockNumber) {
			require.NotZero(t, s.Locator.Tablespace)
			require.LessOrEqual(t, s.Fork, pgdata.InitFork)
			require.LessOrEqual(t, len(b), 1<<16)
			if s != last {
				forks, end = forks+1, -1
			} else {
				require.NotEmpty(t, b)
			}
			for _, n := range b {
				if int64(n) <= end {
					t.Fatalf("block %d comes after block %d", n, end)
				}
				end = int64(n)
			}
			last, blocks = s, blocks+len(b)
		})
		require.LessOrEqual(t, 24*forks+blocks/8, len(data), "no more than the file has room for")
		if err != nil {
			var e *walreader.SummaryError
			require.ErrorAs(t, err, &e)
			require.ErrorIs(t, err, walreader.ErrSummary)
		}
	})
}
