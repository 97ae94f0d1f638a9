package walreader_test

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/gorewind/gorewind/pgdata"
)

// Info codes of the Transaction resource manager.
const (
	xactCommit         = 0x00
	xactPrepare        = 0x10
	xactAbort          = 0x20
	xactCommitPrepared = 0x30
	xactAbortPrepared  = 0x40
	xactHasInfo        = 0x80
)

// xactSpec is a commit or abort record to be built.
type xactSpec struct {
	xid      uint32
	time     int64  // microseconds since 2000
	xinfo    uint32 // which of the following to write
	database uint32
	subxacts []uint32
	drops    []pgdata.RelFileLocator
	stats    int
	invals   int
	prepared uint32 // XID
	gid      string
}

func (x xactSpec) main(wal *pgdata.WALFormat) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, uint64(x.time))
	if x.xinfo == 0 {
		return b
	}
	b = le.AppendUint32(b, x.xinfo)
	if x.xinfo&(1<<0) != 0 {
		b = le.AppendUint32(le.AppendUint32(b, x.database), pgdata.DefaultTablespace)
	}
	if x.xinfo&(1<<1) != 0 {
		b = le.AppendUint32(b, uint32(len(x.subxacts)))
		for _, xid := range x.subxacts {
			b = le.AppendUint32(b, xid)
		}
	}
	if x.xinfo&(1<<2) != 0 {
		b = le.AppendUint32(b, uint32(len(x.drops)))
		for _, l := range x.drops {
			b = appendLocator(b, l)
		}
	}
	if x.xinfo&(1<<8) != 0 {
		b = le.AppendUint32(b, uint32(x.stats))
		b = append(b, make([]byte, x.stats*wal.XactStatsSize)...)
	}
	if x.xinfo&(1<<3) != 0 {
		b = le.AppendUint32(b, uint32(x.invals))
		b = append(b, make([]byte, x.invals*16)...)
	}
	if x.xinfo&(1<<4) != 0 {
		b = le.AppendUint32(b, x.prepared)
		if x.xinfo&(1<<7) != 0 {
			b = append(append(b, x.gid...), 0)
		}
	}
	if x.xinfo&(1<<5) != 0 {
		b = append(b, make([]byte, 16)...)
	}
	return b
}

func (x xactSpec) record(info uint8, wal *pgdata.WALFormat) spec {
	if x.xinfo != 0 {
		info |= xactHasInfo
	}
	return spec{rmgr: 1, info: info, xid: x.xid, main: x.main(wal)}
}

func appendLocator(b []byte, l pgdata.RelFileLocator) []byte {
	le := binary.LittleEndian
	return le.AppendUint32(le.AppendUint32(le.AppendUint32(b, l.Tablespace), l.Database), l.Relation)
}

// prepare is a PREPARE record.
func prepare(xid uint32, time int64, gid string, wal *pgdata.WALFormat) spec {
	le := binary.LittleEndian
	b := make([]byte, wal.PrepareGID)
	le.PutUint32(b[8:], xid)
	le.PutUint32(b[12:], 5)
	le.PutUint64(b[16:], uint64(time))
	le.PutUint16(b[wal.PrepareGIDLen:], uint16(len(gid)+1))
	b = append(append(b, gid...), 0)
	return spec{rmgr: 1, info: xactPrepare, xid: xid, main: append(b, make([]byte, 16)...)}
}

// relationFile is a record about a relation's files.
func relationFile(truncate bool, l pgdata.RelFileLocator, fork uint32) spec {
	le := binary.LittleEndian
	if truncate {
		return spec{rmgr: 2, info: 0x21, main: le.AppendUint32(appendLocator(le.AppendUint32(nil, 7), l), 7)}
	}
	return spec{rmgr: 2, info: 0x11, main: le.AppendUint32(appendLocator(nil, l), fork)}
}

// words is a record of 32-bit numbers.
func words(rmgr, info uint8, numbers ...uint32) spec {
	s := spec{rmgr: rmgr, info: info}
	for _, n := range numbers {
		s.main = binary.LittleEndian.AppendUint32(s.main, n)
	}
	return s
}

// transactions makes up records of the ends of transactions and of files that
// come and go.
type transactions struct {
	xid      uint32
	prepared []uint32
}

func (x *transactions) record(rnd *rand.Rand, wal *pgdata.WALFormat) spec {
	x.xid++
	l := pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 20_000 + uint32(rnd.IntN(20))}
	end := xactSpec{xid: x.xid, time: int64(x.xid) * 1e6, xinfo: rnd.Uint32() & wal.XactInfo &^ (1 << 4), database: rnd.Uint32N(3), gid: "g"}
	for range rnd.IntN(3) {
		end.drops = append(end.drops, l)
		l.Relation++
	}
	switch rnd.IntN(10) {
	case 0, 1:
		return end.record(xactCommit, wal)
	case 2:
		return end.record(xactAbort, wal)
	case 3, 4:
		x.prepared = append(x.prepared, x.xid)
		return prepare(x.xid, end.time, "some name", wal)
	case 5, 6:
		if len(x.prepared) > 0 {
			i := rnd.IntN(len(x.prepared))
			end.xid, end.prepared, end.xinfo = 0, x.prepared[i], end.xinfo|1<<4
			x.prepared = append(x.prepared[:i:i], x.prepared[i+1:]...)
		}
		return end.record([]uint8{xactCommitPrepared, xactAbortPrepared}[rnd.IntN(2)], wal)
	case 7:
		return words(4, wal.DatabaseDrop, 5+rnd.Uint32N(3), 1, 1663)
	case 8:
		return words(4, 0, 5+rnd.Uint32N(3), 1663+rnd.Uint32N(2), 5, 1663)
	default:
		return relationFile(rnd.IntN(2) == 0, l, rnd.Uint32N(4))
	}
}
