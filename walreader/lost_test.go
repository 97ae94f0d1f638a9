package walreader_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// lostOf is what is lost with records that stand one after the other.
func lostOf(version string, specs ...spec) walreader.Lost {
	f := format(version)
	l := walreader.NewLostScan(f)
	for i, s := range specs {
		l.Add(&walreader.Record{
			LSN: pgdata.LSN(8 * (i + 1)), Length: uint32(len(s.encode(f.Version))), XID: s.xid, Rmgr: s.rmgr, Info: s.info, MainData: s.main,
		})
	}
	return l.Report()
}

// epoch is when PostgreSQL's time begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// A commit record can hold any combination of what xinfo's bits stand for.
func TestEveryCombinationOfACommitRecordIsRead(t *testing.T) {
	for _, v := range pgdata.Versions() {
		dropped := pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 20_000}
		for xinfo := uint32(0); xinfo <= v.WAL.XactInfo; xinfo++ {
			if xinfo&(1<<7) != 0 && xinfo&(1<<4) == 0 {
				continue // a GID is a prepared transaction's
			}
			x := xactSpec{
				xid: 700, time: 1_500_000, xinfo: xinfo | 7<<29, database: 5, subxacts: []uint32{701, 702},
				drops: []pgdata.RelFileLocator{dropped}, stats: 3, invals: 2, prepared: 699, gid: "some name",
			}
			commit := x.record(xactCommit, &v.WAL)
			want := walreader.Lost{
				Records: 1, Bytes: int64(len(commit.encode(v))), Committed: 1,
				FirstCommit: walreader.Commit{LSN: 8, XID: 700, Time: epoch.Add(1500 * time.Millisecond)},
				Blocks:      map[pgdata.RelFileLocator]int64{},
			}
			if xinfo&(1<<0) != 0 {
				want.CommittedIn = map[uint32]int{5: 1}
			}
			if xinfo&(1<<2) != 0 {
				want.Dropped.List = []pgdata.RelFileLocator{dropped}
			}
			if xinfo&(1<<4) != 0 {
				want.FirstCommit.XID = 699
			}
			want.LastCommit = want.FirstCommit
			require.Equal(t, want, lostOf(v.Name, commit), "%s: xinfo %b", v, xinfo)

			// One byte less or more is another layout, of which only the beginning
			// may count.
			longer, shorter := commit, commit
			longer.main, shorter.main = append(slices.Clone(commit.main), 0), commit.main[:len(commit.main)-1]
			for _, other := range []spec{longer, shorter} {
				got := lostOf(v.Name, other)
				require.Equal(t, 1, got.Committed, "%s: xinfo %b", v, xinfo)
				require.Equal(t, 1, got.Unparsed, "%s: xinfo %b", v, xinfo)
				require.Empty(t, got.Dropped)
				require.Empty(t, got.CommittedIn)
			}
		}
	}
}

func TestLostOfRecords(t *testing.T) {
	wal := &pgdata.VersionByName("17").WAL
	wal12 := &pgdata.VersionByName("12").WAL
	rel := func(n uint32) pgdata.RelFileLocator {
		return pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: n}
	}
	rels := func(numbers ...uint32) (l walreader.List[pgdata.RelFileLocator]) {
		for _, n := range numbers {
			l.List = append(l.List, rel(n))
		}
		return l
	}
	drop := func(info uint8, numbers ...uint32) spec {
		return xactSpec{xid: 700, xinfo: 1 << 2, drops: rels(numbers...).List}.record(info, wal)
	}
	const main, fsm, vm, init = 0, 1, 2, 3
	for _, c := range []struct {
		name    string
		version string
		records []spec
		want    walreader.Lost // but for what every case has
	}{
		{
			"of a relation only the main fork counts, or the init fork", "17",
			[]spec{
				relationFile(false, rel(20_000), main), relationFile(false, rel(20_000), fsm),
				relationFile(false, rel(20_000), vm), relationFile(false, rel(20_001), init),
			},
			walreader.Lost{Created: rels(20_000, 20_001)},
		},
		{
			"what was created and rolled back is not created", "17",
			[]spec{
				relationFile(false, rel(20_000), main), relationFile(false, rel(20_001), main), relationFile(false, rel(20_002), main),
				drop(xactAbort, 20_001), drop(xactCommit, 20_002),
			},
			walreader.Lost{Created: rels(20_000, 20_002), Dropped: rels(20_002), Aborted: 1, Committed: 1},
		},
		{
			"catalogs of a database that is created are not created", "17",
			[]spec{words(4, wal.DatabaseCreateWAL, 20_000, 1663), relationFile(false, rel(1259), main)},
			walreader.Lost{CreatedDatabases: []uint32{20_000}},
		},
		{
			"a relation is truncated once", "17",
			[]spec{relationFile(true, rel(20_000), 0), relationFile(true, rel(20_001), 0), relationFile(true, rel(20_000), 0)},
			walreader.Lost{Truncated: rels(20_000, 20_001)},
		},
		{
			"a database with two tablespaces is dropped once", "12",
			[]spec{words(4, wal12.DatabaseDrop, 20_000, 1663), words(4, wal12.DatabaseDrop, 20_000, 20_001)},
			walreader.Lost{DroppedDatabases: []uint32{20_000}},
		},
		{
			"a database that moves to another tablespace and back, and is dropped, was not created", "17",
			[]spec{
				words(4, 0, 20_000, 20_001, 20_000, 1663), words(4, wal.DatabaseDrop, 20_000, 1, 1663),
				words(4, 0, 20_000, 1663, 20_000, 20_001), words(4, wal.DatabaseDrop, 20_000, 1, 20_001),
				words(4, wal.DatabaseDrop, 20_000, 1, 1663),
			},
			walreader.Lost{DroppedDatabases: []uint32{20_000}},
		},
		{
			"a list of tablespaces that is longer than its record", "17",
			[]spec{words(4, wal.DatabaseDrop, 20_000, 1<<31, 1663)},
			walreader.Lost{Unparsed: 1},
		},
		{
			"tablespaces", "17",
			[]spec{
				{rmgr: 5, main: append(words(0, 0, 20_000).main, "/there\x00"...)},
				{rmgr: 5, main: append(words(0, 0, 20_001).main, "no end"...)},
				words(5, 0x10, 20_002),
			},
			walreader.Lost{
				CreatedTablespaces: []walreader.Tablespace{{OID: 20_000, Location: "/there"}}, DroppedTablespaces: []uint32{20_002}, Unparsed: 1,
			},
		},
		{
			"a prepared transaction of which nothing is known but that it is one", "17",
			[]spec{{rmgr: 1, info: xactPrepare, xid: 700, main: make([]byte, 100)}},
			walreader.Lost{
				Prepared: 1, Unparsed: 1, StillPrepared: walreader.List[walreader.Prepared]{List: []walreader.Prepared{{LSN: 8, XID: 700}}},
			},
		},
		{
			"a commit in the year 10000", "17",
			[]spec{xactSpec{xid: 700, time: 252_455_616_000_000_000}.record(xactCommit, wal)},
			walreader.Lost{Committed: 1, Unparsed: 1},
		},
		{
			"a commit with something that a later major put in", "10",
			[]spec{xactSpec{xid: 700, xinfo: 1<<4 | 1<<7, prepared: 699, gid: "g"}.record(xactCommitPrepared, &pgdata.VersionByName("10").WAL)},
			walreader.Lost{Committed: 1, Unparsed: 1},
		},
		{
			"kinds of records that are not known, and some that are nothing", "17",
			[]spec{{rmgr: 1, info: 0x70}, {rmgr: 2, info: 0x30}, {rmgr: 4, info: 0x30}, {rmgr: 5, info: 0x20}, {rmgr: 1, info: 0x50}, {rmgr: 1, info: 0x60}, {rmgr: 200}},
			walreader.Lost{Unparsed: 4},
		},
		{"logical messages", "17", []spec{message(100)}, walreader.Lost{Messages: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := lostOf(c.version, c.records...)
			assert.Equal(t, int64(len(c.records)), got.Records)
			if c.want.Committed > 0 && c.want.Unparsed == 0 {
				assert.NotZero(t, got.FirstCommit.LSN)
			}
			c.want.Records, c.want.Bytes, c.want.FirstCommit, c.want.LastCommit = got.Records, got.Bytes, got.FirstCommit, got.LastCommit
			c.want.Blocks = map[pgdata.RelFileLocator]int64{}
			assert.Equal(t, c.want, got)
		})
	}
}

// More than a report can use is counted, and not kept.
func TestListsOfWhatIsLostAreBounded(t *testing.T) {
	w := newBuilder(format("17"))
	w.checkpoint(0, w.pos()+40)
	const n = 25_000
	first := relationFile(false, heapTable, 0)
	fork := w.add(first).LSN
	for i := range uint32(n - 1) {
		l := heapTable
		l.Relation += 1 + i
		w.add(relationFile(false, l, 0))
	}
	require.Greater(t, len(w.segments().files), 1)
	res, err := walreader.Scan(context.Background(), w.segments(), w.f, walreader.ScanRequest{Fork: fork, End: w.lastEnd()})
	require.NoError(t, err)
	created := res.Lost.Created
	require.Len(t, created.List, 10_000)
	assert.Equal(t, n-10_000, created.More)
	for i, l := range created.List {
		require.Equal(t, heapTable.Relation+uint32(i), l.Relation, "the first ones are kept")
	}
}

// A server that is asked for transactions in two phases prepares in one segment
// and commits in another.
func TestPreparedTransactionsAreFollowedOverSegments(t *testing.T) {
	w := newBuilder(format("17"))
	wal := &w.f.Version.WAL
	finish := func(info uint8, xid uint32) {
		w.add(xactSpec{xinfo: 1 << 4, prepared: xid, time: 5}.record(info, wal))
	}
	newSegment := func() { w.add(spec{info: 0x40}) }
	w.checkpoint(0, w.pos()+40)
	w.add(prepare(1, 1, "before the fork", wal))
	fork := w.add(prepare(2, 2, "same segment", wal))
	finish(xactCommitPrepared, 2)
	w.add(prepare(3, 3, "next segment", wal))
	open := w.add(prepare(4, 4, "open", wal))
	w.add(prepare(5, 5, "second next segment", wal))
	newSegment()
	finish(xactAbortPrepared, 3)
	finish(xactCommitPrepared, 1)
	newSegment()
	late := w.add(prepare(6, 6, "open too", wal))
	finish(xactCommitPrepared, 5)
	for _, jobs := range []int{1, 3} {
		res, err := walreader.Scan(context.Background(), w.segments(), w.f, walreader.ScanRequest{Fork: fork.LSN, End: w.lastEnd(), Jobs: jobs})
		require.NoError(t, err)
		lost := res.Lost
		assert.Equal(t, []int{5, 3, 1}, []int{lost.Prepared, lost.Committed, lost.Aborted})
		assert.Equal(t, []walreader.Prepared{
			{LSN: open.LSN, XID: 4, Database: 5, Time: epoch.Add(4 * time.Microsecond), GID: "open"},
			{LSN: late.LSN, XID: 6, Database: 5, Time: epoch.Add(6 * time.Microsecond), GID: "open too"},
		}, lost.StillPrepared.List)
		assert.Equal(t, []uint32{2, 5}, []uint32{lost.FirstCommit.XID, lost.LastCommit.XID})
		assert.Zero(t, lost.Unparsed)
	}
}

// FuzzLost takes bytes for the main data of any record.
func FuzzLost(f *testing.F) {
	versions := pgdata.Versions()
	for i, v := range versions {
		full := xactSpec{
			xid: 700, xinfo: v.WAL.XactInfo, database: 5, subxacts: []uint32{701}, drops: []pgdata.RelFileLocator{heapTable},
			stats: 1, invals: 1, prepared: 699, gid: "g",
		}
		for _, s := range []spec{
			full.record(xactCommitPrepared, &v.WAL), full.record(xactAbort, &v.WAL), prepare(700, 1, "g", &v.WAL),
			words(4, v.WAL.DatabaseDrop, 5, 1, 1663), words(4, 0, 5, 1663, 5, 1664), relationFile(true, heapTable, 0),
			{rmgr: 5, main: []byte("\x05\x00\x00\x00/t\x00")},
		} {
			f.Add(byte(i), s.rmgr, s.info, s.main)
		}
	}
	f.Fuzz(func(t *testing.T, version, rmgr, info byte, main []byte) {
		v := versions[int(version)%len(versions)]
		got := lostOf(v.Name, spec{rmgr: rmgr, info: info, xid: 700, main: main}, prepare(701, 1, "g", &v.WAL))
		require.LessOrEqual(t, got.Unparsed, 1)
		require.LessOrEqual(t, len(got.Dropped.List)+len(got.Truncated.List), len(main)/12)
		listed := append([]walreader.Prepared{{}}, got.StillPrepared.List...)
		require.Equal(t, uint32(701), listed[len(listed)-1].XID)
		for _, at := range []time.Time{got.FirstCommit.Time, got.LastCommit.Time, listed[0].Time, listed[1].Time} {
			_, err := at.MarshalJSON()
			require.NoError(t, err, fmt.Sprint(at.Year()))
		}
	})
}
