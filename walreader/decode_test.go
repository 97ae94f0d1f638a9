package walreader_test

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/waltest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// said is all that a record can say; nil where it does not.
type said struct {
	checkpoint       *walreader.Checkpoint
	parameters       *walreader.Parameters
	fullPageWrites   *bool
	endOfRecovery    *[2]pgdata.TimelineID
	walLevel         *int32
	endedAt          *time.Time
	ended            *walreader.Ended
	relations        []pgdata.RelFileLocator // of ended
	prepared         *walreader.Prepared
	storage          string // create, truncate or cut maps
	relation         pgdata.RelFileLocator
	number           uint32 // fork, or blocks
	databaseCopy     *walreader.DatabaseCopy
	database         string // create or drop
	oid              uint32
	tablespaces      []uint32
	tablespaceCreate *string
	tablespaceDrop   bool
	hint             bool
}

func saidBy(f walreader.Format, rec *walreader.Record) (s said) {
	if c, ok := rec.Checkpoint(); ok {
		s.checkpoint = &c
	}
	if p, ok := f.Parameters(rec); ok {
		s.parameters = &p
	}
	if on, ok := f.FullPageWritesChange(rec); ok {
		s.fullPageWrites = &on
	}
	if _, tli, prev, ok := f.EndOfRecovery(rec); ok {
		s.endOfRecovery = &[2]pgdata.TimelineID{tli, prev}
	}
	if level, ok := f.WALLevelOf(rec); ok {
		s.walLevel = &level
	}
	if at, ok := f.TransactionEnd(rec); ok {
		s.endedAt = &at
	}
	if e, ok := f.Ended(rec); ok {
		s.relations = slices.Collect(e.Relations())
		s.ended = &walreader.Ended{Time: e.Time, Database: e.Database, Prepared: e.Prepared}
	}
	if p, ok := f.Prepared(rec); ok {
		s.prepared = &p
	}
	if l, fork, ok := f.StorageCreate(rec); ok {
		s.storage, s.relation, s.number = "create", l, uint32(fork)
	}
	if l, blocks, main, ok := f.StorageTruncate(rec); ok {
		s.storage, s.relation, s.number = "cut maps", l, uint32(blocks)
		if main {
			s.storage = "truncate"
		}
	}
	if c, ok := f.DatabaseCopy(rec); ok {
		s.databaseCopy = &c
	}
	if db, tablespace, ok := f.DatabaseCreate(rec); ok {
		s.database, s.oid, s.tablespaces = "create", db, []uint32{tablespace}
	}
	if db, tablespaces, ok := f.DatabaseDrop(rec); ok {
		s.database, s.oid, s.tablespaces = "drop", db, tablespaces
	}
	if oid, location, ok := f.TablespaceCreate(rec); ok {
		s.oid, s.tablespaceCreate = oid, &location
	}
	if oid, ok := f.TablespaceDrop(rec); ok {
		s.oid, s.tablespaceDrop = oid, true
	}
	s.hint = rec.IsHintImage()
	return s
}

func TestWhatRecordsSay(t *testing.T) {
	rel := pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 20_000}
	parameters := walreader.Parameters{
		WALLevel: 2, WALLogHints: true, MaxConnections: 100, MaxWorkerProcesses: 8, MaxPreparedXacts: 7, MaxLocksPerXact: 64,
	}
	const second = 1_000_000
	at := time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC)
	for _, v := range pgdata.Versions() {
		wal := &v.WAL
		level := func(l int32) *int32 { // of records that have it from 17 on
			if !wal.StatesWALLevel {
				return nil
			}
			return &l
		}
		want := parameters
		if wal.ParameterSenders {
			want.MaxWALSenders = 10
		}
		trackOnly := walreader.Parameters{TrackCommitTimestamp: true}
		checkpoint := make([]byte, wal.CheckPointSize)
		binary.LittleEndian.PutUint64(checkpoint, 0x1000)
		binary.LittleEndian.PutUint32(checkpoint[8:], 3)
		binary.LittleEndian.PutUint32(checkpoint[12:], 2)
		checkpoint[16] = 1
		if wal.StatesWALLevel {
			binary.LittleEndian.PutUint32(checkpoint[20:], 2)
		}
		drop := waltest.Transaction{XID: 700, Time: second, Xinfo: 1<<0 | 1<<2 | 1<<4, Database: 5, Drops: []pgdata.RelFileLocator{rel}, Prepared: 699}
		cut := func(flags uint32) waltest.Record {
			return waltest.Words(2, 0x21, 7, rel.Tablespace, rel.Database, rel.Relation, flags)
		}
		droppedIn := waltest.Words(4, wal.DatabaseDrop|1, 5, 1664)
		tablespaces := []uint32{1664}
		if wal.DatabaseDropList {
			droppedIn, tablespaces = waltest.Words(4, wal.DatabaseDrop|1, 5, 2, 1664, 1665), []uint32{1664, 1665}
		}
		location, ended := "/there", &walreader.Ended{Time: at, Database: 5, Prepared: 699}
		on, off := true, false
		cases := []struct {
			name string
			spec waltest.Record
			want said
		}{
			{"a parameter change", waltest.ParameterChange(wal, want), said{parameters: &want, walLevel: &want.WALLevel}},
			{"a parameter change to minimal", waltest.ParameterChange(wal, trackOnly), said{parameters: &trackOnly, walLevel: new(int32)}},
			{"full page writes on", waltest.Record{Info: 0x80, Main: []byte{1}}, said{fullPageWrites: &on}},
			{"full page writes off", waltest.Record{Info: 0x80, Main: []byte{0}}, said{fullPageWrites: &off}},
			{"an end of recovery", waltest.EndOfRecovery(wal, second, 3, 2, 1), said{endOfRecovery: &[2]pgdata.TimelineID{3, 2}, walLevel: level(1)}},
			{"a checkpoint's redo point", waltest.Words(0, 0xE0, 2), said{walLevel: level(2)}},
			{"a checkpoint", waltest.Record{Info: 0x10, Main: checkpoint}, said{
				checkpoint: &walreader.Checkpoint{Redo: 0x1000, TLI: 3, PrevTLI: 2, FullPageWrites: true}, walLevel: level(2),
			}},
			{"a hint image", waltest.Record{Info: 0xA0}, said{hint: true}},
			{"a page image", waltest.Record{Info: 0xB0}, said{}},
			{"a commit", drop.Record(waltest.InfoCommit, wal), said{endedAt: &at, ended: ended, relations: drop.Drops}},
			{"a rollback", drop.Record(waltest.InfoAbort, wal), said{endedAt: &at, ended: ended, relations: drop.Drops}},
			{"COMMIT PREPARED", drop.Record(waltest.InfoCommitPrepared, wal), said{endedAt: &at, ended: ended, relations: drop.Drops}},
			{"ROLLBACK PREPARED", drop.Record(waltest.InfoAbortPrepared, wal), said{endedAt: &at, ended: ended, relations: drop.Drops}},
			{"a commit of another layout", waltest.Transaction{Time: second, Xinfo: 1 << 20}.Record(waltest.InfoCommit, wal), said{endedAt: &at}},
			{"an assignment", waltest.Words(1, 0x50, 700, 1, 701), said{}},
			{"PREPARE", waltest.Prepare(700, second, "name", wal), said{prepared: &walreader.Prepared{XID: 700, Database: 5, Time: at, GID: "name"}}},
			{"a fork that is made", waltest.RelationFile(false, rel, 3), said{storage: "create", relation: rel, number: 3}},
			{"a fork that does not exist", waltest.RelationFile(false, rel, 4), said{}},
			{"a relation that is cut", cut(7), said{storage: "truncate", relation: rel, number: 7}},
			{"maps that are cut", cut(6), said{storage: "cut maps", relation: rel, number: 7}},
			{"a database that is copied", waltest.Words(4, 0x01, 5, 1664, 4, 1663), said{
				databaseCopy: &walreader.DatabaseCopy{Database: 5, Tablespace: 1664, FromDatabase: 4, FromTablespace: 1663},
			}},
			{"a database that is dropped", droppedIn, said{database: "drop", oid: 5, tablespaces: tablespaces}},
			{"a tablespace", waltest.Record{Rmgr: 5, Main: append(waltest.Words(0, 0, 20_000).Main, "/there\x00"...)}, said{oid: 20_000, tablespaceCreate: &location}},
			{"a tablespace that is dropped", waltest.Words(5, 0x10, 20_000), said{oid: 20_000, tablespaceDrop: true}},
		}
		if wal.DatabaseCreateWAL != 0 {
			cases = append(cases, cases[0])
			last := &cases[len(cases)-1]
			last.name, last.spec = "a database that is described", waltest.Words(4, wal.DatabaseCreateWAL, 5, 1663)
			last.want = said{database: "create", oid: 5, tablespaces: []uint32{1663}}
		}
		for _, c := range cases {
			t.Run(c.name+" in "+v.Name, func(t *testing.T) {
				f := waltest.Format(v.Name)
				record := func(rmgr uint8, main []byte) *walreader.Record {
					return &walreader.Record{XID: c.spec.XID, Rmgr: rmgr, Info: c.spec.Info, MainData: main}
				}
				main := c.spec.Main
				assert.Equal(t, c.want, saidBy(f, record(c.spec.Rmgr, main)))
				assert.Equal(t, said{}, saidBy(f, record(10, main)), "of another resource manager")
				if c.want.hint || c.want.checkpoint != nil || c.want.prepared != nil {
					return // an image has no main data, and the reader knows the size of checkpoints
				}
				for n, other := range map[string][]byte{"shorter": main[:max(len(main), 1)-1], "longer": append(slices.Clone(main), 0)} {
					got := saidBy(f, record(c.spec.Rmgr, other))
					got.endedAt = nil // that much stands first in it
					assert.Equal(t, said{}, got, n)
				}
			})
		}
	}
}

// A reader returns an error if it would otherwise miss the content of a record.
func TestSettingsOfAnotherSizeAreNotPassedOver(t *testing.T) {
	for _, v := range pgdata.Versions() {
		for _, s := range []waltest.Record{
			waltest.ParameterChange(&v.WAL, walreader.Parameters{}), {Info: 0x80, Main: []byte{1}}, waltest.EndOfRecovery(&v.WAL, 0, 2, 1, 1),
		} {
			_, err := readOne(v.Name, s)
			require.NoError(t, err, "%s: %02X", v, s.Info)
			s.Main = append(s.Main, 0)
			_, err = readOne(v.Name, s)
			assert.ErrorIs(t, err, walreader.ErrCorrupt, "%s: %02X", v, s.Info)
		}
	}
}

// What the records of the fixtures say of settings and promotions is what their
// servers did.
func TestWhatTheRecordsOfFixturesSay(t *testing.T) {
	eachFixture(t, func(t *testing.T, dir string) {
		w := restoreWAL(t, dir+"/source")
		f, promotions := w.format(), 0
		from := w.firstRecord(t, dir+"/source")
		r := walreader.NewReader(w, f)
		defer r.Close()
		var last time.Time
		for rec, err := range r.Records(t.Context(), from, w.end(t)) {
			require.NoError(t, err)
			if at, tli, prev, ok := f.EndOfRecovery(rec); ok {
				promotions++
				assert.Less(t, prev, tli)
				assert.LessOrEqual(t, tli, w.Control.Timeline())
				assert.WithinRange(t, at, last, w.Control.Time.Add(time.Second))
			}
			if c, ok := rec.Checkpoint(); ok {
				assert.True(t, c.FullPageWrites)
			}
			if level, ok := f.WALLevelOf(rec); ok {
				assert.Contains(t, []int32{walreader.WALLevelReplica, walreader.WALLevelLogical}, level)
			}
			if at, ok := f.TransactionEnd(rec); ok {
				last = at
				_, ok := f.Ended(rec)
				assert.True(t, ok)
			}
		}
		assert.NotZero(t, promotions, "each source was promoted in its last segment")
	})
}

// FuzzDecode takes bytes for the main data of any record.
func FuzzDecode(f *testing.F) {
	versions := pgdata.Versions()
	for i, v := range versions {
		for _, s := range []waltest.Record{
			waltest.ParameterChange(&v.WAL, walreader.Parameters{WALLevel: 1}), waltest.EndOfRecovery(&v.WAL, 5, 3, 2, 1),
			waltest.Transaction{Xinfo: v.WAL.XactInfo, Drops: []pgdata.RelFileLocator{waltest.HeapTable}, GID: "g"}.Record(waltest.InfoCommitPrepared, &v.WAL),
			waltest.Prepare(700, 1, "g", &v.WAL), waltest.Words(4, v.WAL.DatabaseDrop, 5, 1, 1663), waltest.RelationFile(true, waltest.HeapTable, 0),
			{Rmgr: 5, Main: []byte("\x05\x00\x00\x00/t\x00")},
		} {
			f.Add(byte(i), s.Rmgr, s.Info, s.Main)
		}
	}
	f.Fuzz(func(t *testing.T, version, rmgr, info byte, main []byte) {
		format := waltest.Format(versions[int(version)%len(versions)].Name)
		rec := &walreader.Record{XID: 700, Rmgr: rmgr, Info: info, MainData: main}
		s := saidBy(format, rec)
		require.LessOrEqual(t, 12*len(s.relations)+4*len(s.tablespaces), len(main))
		for _, at := range []*time.Time{s.endedAt} {
			if at != nil {
				require.True(t, at.Year() >= 1970 && at.Year() < 10_000)
			}
		}
		if s.ended != nil {
			require.Equal(t, *s.endedAt, s.ended.Time)
		}
		if s.prepared != nil {
			xid, gid, at, ok := format.Prepare(rec)
			require.True(t, ok)
			require.Equal(t, *s.prepared, walreader.Prepared{XID: xid, GID: gid, Time: at, Database: s.prepared.Database})
		}
	})
}
