package waltest

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// Info codes of the Transaction resource manager (access/xact.h).
const (
	InfoCommit         = 0x00
	InfoPrepare        = 0x10
	InfoAbort          = 0x20
	InfoCommitPrepared = 0x30
	InfoAbortPrepared  = 0x40
	InfoHasInfo        = 0x80
)

// Transaction is a commit or abort record to be built.
type Transaction struct {
	XID      uint32
	Time     int64  // microseconds since 2000
	Xinfo    uint32 // which of the following to write
	Database uint32
	Subxacts []uint32
	Drops    []pgdata.RelFileLocator
	Stats    int
	Invals   int
	Prepared uint32 // XID
	GID      string
}

// Main is the record's main data.
func (x Transaction) Main(wal *pgdata.WALFormat) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, uint64(x.Time))
	if x.Xinfo == 0 {
		return b
	}
	b = le.AppendUint32(b, x.Xinfo)
	if x.Xinfo&(1<<0) != 0 {
		b = le.AppendUint32(le.AppendUint32(b, x.Database), pgdata.DefaultTablespace)
	}
	if x.Xinfo&(1<<1) != 0 {
		b = le.AppendUint32(b, uint32(len(x.Subxacts)))
		for _, xid := range x.Subxacts {
			b = le.AppendUint32(b, xid)
		}
	}
	if x.Xinfo&(1<<2) != 0 {
		b = le.AppendUint32(b, uint32(len(x.Drops)))
		for _, l := range x.Drops {
			b = appendLocator(b, l)
		}
	}
	if x.Xinfo&(1<<8) != 0 {
		b = le.AppendUint32(b, uint32(x.Stats))
		b = append(b, make([]byte, x.Stats*wal.XactStatsSize)...)
	}
	if x.Xinfo&(1<<3) != 0 {
		b = le.AppendUint32(b, uint32(x.Invals))
		b = append(b, make([]byte, x.Invals*16)...)
	}
	if x.Xinfo&(1<<4) != 0 {
		b = le.AppendUint32(b, x.Prepared)
		if x.Xinfo&(1<<7) != 0 {
			b = append(append(b, x.GID...), 0)
		}
	}
	if x.Xinfo&(1<<5) != 0 {
		b = append(b, make([]byte, 16)...)
	}
	return b
}

// Record is the record, of a kind.
func (x Transaction) Record(info uint8, wal *pgdata.WALFormat) Record {
	if x.Xinfo != 0 {
		info |= InfoHasInfo
	}
	return Record{Rmgr: 1, Info: info, XID: x.XID, Main: x.Main(wal)}
}

func appendLocator(b []byte, l pgdata.RelFileLocator) []byte {
	le := binary.LittleEndian
	return le.AppendUint32(le.AppendUint32(le.AppendUint32(b, l.Tablespace), l.Database), l.Relation)
}

// Prepare is a PREPARE record.
func Prepare(xid uint32, time int64, gid string, wal *pgdata.WALFormat) Record {
	le := binary.LittleEndian
	b := make([]byte, wal.PrepareGID)
	le.PutUint32(b[8:], xid)
	le.PutUint32(b[12:], 5)
	le.PutUint64(b[16:], uint64(time))
	le.PutUint16(b[wal.PrepareGIDLen:], uint16(len(gid)+1))
	b = append(append(b, gid...), 0)
	return Record{Rmgr: 1, Info: InfoPrepare, XID: xid, Main: append(b, make([]byte, 16)...)}
}

// RelationFile is a record about a relation's files.
func RelationFile(truncate bool, l pgdata.RelFileLocator, fork uint32) Record {
	le := binary.LittleEndian
	if truncate {
		return Record{Rmgr: 2, Info: 0x21, Main: le.AppendUint32(appendLocator(le.AppendUint32(nil, 7), l), 7)}
	}
	return Record{Rmgr: 2, Info: 0x11, Main: le.AppendUint32(appendLocator(nil, l), fork)}
}

// Words is a record of 32-bit numbers.
func Words(rmgr, info uint8, numbers ...uint32) Record {
	s := Record{Rmgr: rmgr, Info: info}
	for _, n := range numbers {
		s.Main = binary.LittleEndian.AppendUint32(s.Main, n)
	}
	return s
}

// Transactions makes up records of the ends of transactions and of files that
// come and go.
type Transactions struct {
	xid      uint32
	prepared []uint32
}

// Record is the next one.
func (x *Transactions) Record(rnd *rand.Rand, wal *pgdata.WALFormat) Record {
	x.xid++
	l := pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 20_000 + uint32(rnd.IntN(20))}
	end := Transaction{XID: x.xid, Time: int64(x.xid) * 1e6, Xinfo: rnd.Uint32() & wal.XactInfo &^ (1 << 4), Database: rnd.Uint32N(3), GID: "g"}
	for range rnd.IntN(3) {
		end.Drops = append(end.Drops, l)
		l.Relation++
	}
	switch rnd.IntN(10) {
	case 0, 1:
		return end.Record(InfoCommit, wal)
	case 2:
		return end.Record(InfoAbort, wal)
	case 3, 4:
		x.prepared = append(x.prepared, x.xid)
		return Prepare(x.xid, end.Time, "some name", wal)
	case 5, 6:
		if len(x.prepared) > 0 {
			i := rnd.IntN(len(x.prepared))
			end.XID, end.Prepared, end.Xinfo = 0, x.prepared[i], end.Xinfo|1<<4
			x.prepared = append(x.prepared[:i:i], x.prepared[i+1:]...)
		}
		return end.Record([]uint8{InfoCommitPrepared, InfoAbortPrepared}[rnd.IntN(2)], wal)
	case 7:
		return Words(4, wal.DatabaseDrop, 5+rnd.Uint32N(3), 1, 1663)
	case 8:
		return Words(4, 0, 5+rnd.Uint32N(3), 1663+rnd.Uint32N(2), 5, 1663)
	default:
		return RelationFile(rnd.IntN(2) == 0, l, rnd.Uint32N(4))
	}
}

// EndOfRecovery is an END_OF_RECOVERY record; the time is in microseconds since
// 2000.
func EndOfRecovery(wal *pgdata.WALFormat, time int64, tli, prev, walLevel uint32) Record {
	le := binary.LittleEndian
	main := le.AppendUint32(le.AppendUint32(le.AppendUint64(nil, uint64(time)), tli), prev)
	if wal.StatesWALLevel {
		main = le.AppendUint32(le.AppendUint32(main, walLevel), 0)
	}
	return Record{Info: 0x90, Main: main}
}

// ParameterChange is a PARAMETER_CHANGE record.
func ParameterChange(wal *pgdata.WALFormat, p walreader.Parameters) Record {
	numbers := []int32{p.MaxConnections, p.MaxWorkerProcesses}
	if wal.ParameterSenders {
		numbers = append(numbers, p.MaxWALSenders)
	}
	s := Record{Info: 0x60}
	for _, n := range append(numbers, p.MaxPreparedXacts, p.MaxLocksPerXact, p.WALLevel) {
		s.Main = binary.LittleEndian.AppendUint32(s.Main, uint32(n))
	}
	for _, on := range []bool{p.WALLogHints, p.TrackCommitTimestamp, false, false} {
		s.Main = append(s.Main, 0)
		if on {
			s.Main[len(s.Main)-1] = 1
		}
	}
	return s
}
