package lost_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// lostOf returns what is lost with the given consecutive records.
func lostOf(version string, specs ...waltest.Record) lost.Lost {
	f := waltest.Format(version)
	v := lost.NewVisitor(f, 0)
	for i, s := range specs {
		v.Visit(&walreader.Record{
			LSN: pgdata.LSN(8 * (i + 1)), Length: uint32(len(s.Encode(f.Version))), XID: s.XID, Rmgr: s.Rmgr, Info: s.Info, MainData: s.Main,
		})
	}
	return v.Report(map[pgdata.RelFileLocator]int64{})
}

// scan returns what is lost of everything that was built, after the fork.
func scan(t *testing.T, w *waltest.Builder, fork pgdata.LSN, jobs int) lost.Lost {
	t.Helper()
	res, err := walreader.Scan(t.Context(), w.Segments(), w.Format, walreader.ScanRequest{
		Fork: fork, End: w.Records[len(w.Records)-1].End, Jobs: jobs,
		Visitor: func() walreader.Visitor { return lost.NewVisitor(w.Format, fork) },
	})
	require.NoError(t, err)
	return res.Visitor.(*lost.Visitor).Report(res.BlocksAfterFork)
}

// epoch is the zero of PostgreSQL's time.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// A commit record may have any combination of the parts that xinfo's bits stand for.
func TestEveryCombinationOfACommitRecordIsRead(t *testing.T) {
	for _, v := range pgdata.Versions() {
		dropped := pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 20_000}
		for xinfo := uint32(0); xinfo <= v.WAL.XactInfo; xinfo++ {
			if xinfo&(1<<7) != 0 && xinfo&(1<<4) == 0 {
				continue // only a prepared transaction has a GID
			}
			x := waltest.Transaction{
				XID: 700, Time: 1_500_000, Xinfo: xinfo | 7<<29, Database: 5, Subxacts: []uint32{701, 702},
				Drops: []pgdata.RelFileLocator{dropped}, Stats: 3, Invals: 2, Prepared: 699, GID: "some name",
			}
			commit := x.Record(waltest.InfoCommit, &v.WAL)
			want := lost.Lost{
				Records: 1, Bytes: int64(len(commit.Encode(v))), Committed: 1,
				FirstCommit: lost.Commit{LSN: 8, XID: 700, Time: epoch.Add(1500 * time.Millisecond)},
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

			// One byte fewer or more is a different layout, of which only the beginning may
			// count.
			longer, shorter := commit, commit
			longer.Main, shorter.Main = append(slices.Clone(commit.Main), 0), commit.Main[:len(commit.Main)-1]
			for _, other := range []waltest.Record{longer, shorter} {
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
	rels := func(numbers ...uint32) (l lost.List[pgdata.RelFileLocator]) {
		for _, n := range numbers {
			l.List = append(l.List, rel(n))
		}
		return l
	}
	drop := func(info uint8, numbers ...uint32) waltest.Record {
		return waltest.Transaction{XID: 700, Xinfo: 1 << 2, Drops: rels(numbers...).List}.Record(info, wal)
	}
	const main, fsm, vm, init = 0, 1, 2, 3
	for _, c := range []struct {
		name    string
		version string
		records []waltest.Record
		want    lost.Lost // without what every case has
	}{
		{
			"of a relation only the main fork counts, or the init fork", "17",
			[]waltest.Record{
				waltest.RelationFile(false, rel(20_000), main), waltest.RelationFile(false, rel(20_000), fsm),
				waltest.RelationFile(false, rel(20_000), vm), waltest.RelationFile(false, rel(20_001), init),
			},
			lost.Lost{Created: rels(20_000, 20_001)},
		},
		{
			"what was created and rolled back is not created", "17",
			[]waltest.Record{
				waltest.RelationFile(false, rel(20_000), main), waltest.RelationFile(false, rel(20_001), main), waltest.RelationFile(false, rel(20_002), main),
				drop(waltest.InfoAbort, 20_001), drop(waltest.InfoCommit, 20_002),
			},
			lost.Lost{Created: rels(20_000, 20_002), Dropped: rels(20_002), Aborted: 1, Committed: 1},
		},
		{
			"catalogs of a database that is created are not created", "17",
			[]waltest.Record{waltest.Words(4, wal.DatabaseCreateWAL, 20_000, 1663), waltest.RelationFile(false, rel(1259), main)},
			lost.Lost{CreatedDatabases: []uint32{20_000}},
		},
		{
			"a relation is truncated once", "17",
			[]waltest.Record{waltest.RelationFile(true, rel(20_000), 0), waltest.RelationFile(true, rel(20_001), 0), waltest.RelationFile(true, rel(20_000), 0)},
			lost.Lost{Truncated: rels(20_000, 20_001)},
		},
		{
			"a database with two tablespaces is dropped once", "12",
			[]waltest.Record{waltest.Words(4, wal12.DatabaseDrop, 20_000, 1663), waltest.Words(4, wal12.DatabaseDrop, 20_000, 20_001)},
			lost.Lost{DroppedDatabases: []uint32{20_000}},
		},
		{
			"a database that moves to another tablespace and back, and is dropped, was not created", "17",
			[]waltest.Record{
				waltest.Words(4, 0, 20_000, 20_001, 20_000, 1663), waltest.Words(4, wal.DatabaseDrop, 20_000, 1, 1663),
				waltest.Words(4, 0, 20_000, 1663, 20_000, 20_001), waltest.Words(4, wal.DatabaseDrop, 20_000, 1, 20_001),
				waltest.Words(4, wal.DatabaseDrop, 20_000, 1, 1663),
			},
			lost.Lost{DroppedDatabases: []uint32{20_000}},
		},
		{
			"a list of tablespaces that is longer than its record", "17",
			[]waltest.Record{waltest.Words(4, wal.DatabaseDrop, 20_000, 1<<31, 1663)},
			lost.Lost{Unparsed: 1},
		},
		{
			"tablespaces", "17",
			[]waltest.Record{
				{Rmgr: 5, Main: append(waltest.Words(0, 0, 20_000).Main, "/there\x00"...)},
				{Rmgr: 5, Main: append(waltest.Words(0, 0, 20_001).Main, "no end"...)},
				waltest.Words(5, 0x10, 20_002),
			},
			lost.Lost{
				CreatedTablespaces: []lost.Tablespace{{OID: 20_000, Location: "/there"}}, DroppedTablespaces: []uint32{20_002}, Unparsed: 1,
			},
		},
		{
			"a prepared transaction of which nothing else is known", "17",
			[]waltest.Record{{Rmgr: 1, Info: waltest.InfoPrepare, XID: 700, Main: make([]byte, 100)}},
			lost.Lost{
				Prepared: 1, Unparsed: 1, StillPrepared: lost.List[lost.Prepared]{List: []lost.Prepared{{LSN: 8, XID: 700}}},
			},
		},
		{
			"a commit in the year 10000", "17",
			[]waltest.Record{waltest.Transaction{XID: 700, Time: 252_455_616_000_000_000}.Record(waltest.InfoCommit, wal)},
			lost.Lost{Committed: 1, Unparsed: 1},
		},
		{
			"a commit with a part that a later major added", "10",
			[]waltest.Record{waltest.Transaction{XID: 700, Xinfo: 1<<4 | 1<<7, Prepared: 699, GID: "g"}.Record(waltest.InfoCommitPrepared, &pgdata.VersionByName("10").WAL)},
			lost.Lost{Committed: 1, Unparsed: 1},
		},
		{
			"unknown kinds of records, and some that do not count", "17",
			[]waltest.Record{{Rmgr: 1, Info: 0x70}, {Rmgr: 2, Info: 0x30}, {Rmgr: 4, Info: 0x30}, {Rmgr: 5, Info: 0x20}, {Rmgr: 1, Info: 0x50}, {Rmgr: 1, Info: 0x60}, {Rmgr: 200}},
			lost.Lost{Unparsed: 4},
		},
		{"logical messages", "17", []waltest.Record{waltest.Message(100)}, lost.Lost{Messages: 1}},
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

// What does not fit into a report is counted, and not kept.
func TestListsOfWhatIsLostAreBounded(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	w.Checkpoint(0, w.Pos()+40)
	const n = 25_000
	first := waltest.RelationFile(false, waltest.HeapTable, 0)
	fork := w.Add(first).LSN
	for i := range uint32(n - 1) {
		l := waltest.HeapTable
		l.Relation += 1 + i
		w.Add(waltest.RelationFile(false, l, 0))
	}
	require.Greater(t, len(w.Segments().Files), 1)
	got := scan(t, w, fork, 0)
	created := got.Created
	require.Len(t, created.List, 10_000)
	assert.Equal(t, n-10_000, created.More)
	for i, l := range created.List {
		require.Equal(t, waltest.HeapTable.Relation+uint32(i), l.Relation, "the first ones are kept")
	}
}

// A server prepares transactions for two-phase commit in one segment and commits them
// in another.
func TestPreparedTransactionsAreFollowedOverSegments(t *testing.T) {
	w := waltest.NewBuilder(waltest.Format("17"))
	wal := &w.Format.Version.WAL
	finish := func(info uint8, xid uint32) {
		w.Add(waltest.Transaction{Xinfo: 1 << 4, Prepared: xid, Time: 5}.Record(info, wal))
	}
	newSegment := func() { w.Add(waltest.Record{Info: 0x40}) }
	w.Checkpoint(0, w.Pos()+40)
	w.Add(waltest.Prepare(1, 1, "before the fork", wal))
	fork := w.Add(waltest.Prepare(2, 2, "same segment", wal))
	finish(waltest.InfoCommitPrepared, 2)
	w.Add(waltest.Prepare(3, 3, "next segment", wal))
	open := w.Add(waltest.Prepare(4, 4, "open", wal))
	w.Add(waltest.Prepare(5, 5, "second next segment", wal))
	newSegment()
	finish(waltest.InfoAbortPrepared, 3)
	finish(waltest.InfoCommitPrepared, 1)
	newSegment()
	late := w.Add(waltest.Prepare(6, 6, "open too", wal))
	finish(waltest.InfoCommitPrepared, 5)
	for _, jobs := range []int{1, 3} {
		got := scan(t, w, fork.LSN, jobs)
		assert.Equal(t, []int{5, 3, 1}, []int{got.Prepared, got.Committed, got.Aborted})
		assert.Equal(t, []lost.Prepared{
			{LSN: open.LSN, XID: 4, Database: 5, Time: epoch.Add(4 * time.Microsecond), GID: "open"},
			{LSN: late.LSN, XID: 6, Database: 5, Time: epoch.Add(6 * time.Microsecond), GID: "open too"},
		}, got.StillPrepared.List)
		assert.Equal(t, []uint32{2, 5}, []uint32{got.FirstCommit.XID, got.LastCommit.XID})
		assert.Zero(t, got.Unparsed)
	}
}

// FuzzLost uses bytes as the main data of any record.
func FuzzLost(f *testing.F) {
	versions := pgdata.Versions()
	for i, v := range versions {
		full := waltest.Transaction{
			XID: 700, Xinfo: v.WAL.XactInfo, Database: 5, Subxacts: []uint32{701}, Drops: []pgdata.RelFileLocator{waltest.HeapTable},
			Stats: 1, Invals: 1, Prepared: 699, GID: "g",
		}
		for _, s := range []waltest.Record{
			full.Record(waltest.InfoCommitPrepared, &v.WAL), full.Record(waltest.InfoAbort, &v.WAL), waltest.Prepare(700, 1, "g", &v.WAL),
			waltest.Words(4, v.WAL.DatabaseDrop, 5, 1, 1663), waltest.Words(4, 0, 5, 1663, 5, 1664), waltest.RelationFile(true, waltest.HeapTable, 0),
			{Rmgr: 5, Main: []byte("\x05\x00\x00\x00/t\x00")},
		} {
			f.Add(byte(i), s.Rmgr, s.Info, s.Main)
		}
	}
	f.Fuzz(func(t *testing.T, version, rmgr, info byte, main []byte) {
		v := versions[int(version)%len(versions)]
		got := lostOf(v.Name, waltest.Record{Rmgr: rmgr, Info: info, XID: 700, Main: main}, waltest.Prepare(701, 1, "g", &v.WAL))
		require.LessOrEqual(t, got.Unparsed, 1)
		require.LessOrEqual(t, len(got.Dropped.List)+len(got.Truncated.List), len(main)/12)
		listed := append([]lost.Prepared{{}}, got.StillPrepared.List...)
		require.Equal(t, uint32(701), listed[len(listed)-1].XID)
		for _, at := range []time.Time{got.FirstCommit.Time, got.LastCommit.Time, listed[0].Time, listed[1].Time} {
			_, err := at.MarshalJSON()
			require.NoError(t, err, fmt.Sprint(at.Year()))
		}
	})
}
