package walreader

import (
	"encoding/binary"
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// Info codes of the Transaction resource manager that only a report of what is
// lost cares about (access/xact.h). Assignments and, from 14, invalidations say
// nothing of the end of a transaction.
const (
	transactionPrepare       = 0x10
	transactionAssignment    = 0x50
	transactionInvalidations = 0x60

	transactionHasInfo = 0x80 // XLOG_XACT_HAS_INFO: xinfo follows the time
)

// Bits of xinfo (access/xact.h). Each of the first nine says that something
// follows, in the order in which endOfTransaction reads it. The highest three
// are about what else a standby has to do.
const (
	xinfoDatabase  = 1 << 0
	xinfoSubxacts  = 1 << 1
	xinfoRelations = 1 << 2
	xinfoInvals    = 1 << 3
	xinfoTwoPhase  = 1 << 4
	xinfoOrigin    = 1 << 5
	xinfoGID       = 1 << 7 // 11
	xinfoStats     = 1 << 8 // 15

	xinfoCompletion = 7 << 29
)

const (
	locatorSize      = 12 // RelFileLocator (storage/relfilelocator.h)
	invalidationSize = 16 // SharedInvalidationMessage (storage/sinval.h)
)

// transactionEnd is a commit or abort record (xl_xact_parsed_commit,
// access/xact.h), as far as it is of interest.
type transactionEnd struct {
	time      time.Time
	database  uint32 // or zero
	xid       uint32 // of a prepared transaction, or zero
	relations []byte // locators, of files that go with the end of the transaction
}

// parseTransactionEnd reads the main data of a commit or abort record of either
// kind.
func parseTransactionEnd(b []byte, hasInfo bool, wal *pgdata.WALFormat) (e transactionEnd, ok bool) {
	f := fields{rest: b}
	e.time = f.timestamp()
	xinfo := uint32(0)
	if hasInfo {
		xinfo = f.uint32()
	}
	if xinfo&^(wal.XactInfo|xinfoCompletion) != 0 {
		return e, false // who knows what follows, and where
	}
	if xinfo&xinfoDatabase != 0 {
		e.database = f.uint32()
		f.take(4) // its tablespace
	}
	if xinfo&xinfoSubxacts != 0 {
		f.array(4)
	}
	if xinfo&xinfoRelations != 0 {
		e.relations = f.array(locatorSize)
	}
	if xinfo&xinfoStats != 0 {
		f.array(wal.XactStatsSize)
	}
	if xinfo&xinfoInvals != 0 {
		f.array(invalidationSize)
	}
	if xinfo&xinfoTwoPhase != 0 {
		e.xid = f.uint32()
		if xinfo&xinfoGID != 0 {
			f.text()
		}
	}
	if xinfo&xinfoOrigin != 0 {
		f.take(16)
	}
	return e, !f.bad && len(f.rest) == 0
}

func (l *lostScan) addTransaction(rec *Record) (known bool) {
	switch rec.Info & transactionMask {
	case transactionCommit, transactionCommitPrepared:
		l.Committed++
		e, ok := parseTransactionEnd(rec.MainData, rec.Info&transactionHasInfo != 0, l.wal)
		if e.time.IsZero() {
			return false
		}
		c := Commit{LSN: rec.LSN, XID: rec.XID, Time: e.time}
		if ok && e.xid != 0 {
			c.XID = e.xid // who ends a prepared transaction has none
		}
		if l.FirstCommit.LSN == 0 {
			l.FirstCommit = c
		}
		l.LastCommit = c
		if !ok {
			return false
		}
		if e.database != 0 {
			l.committedIn(e.database, 1)
		}
		addLocators(&l.Dropped, e.relations)
		return l.end(e.xid)
	case transactionAbort, transactionAbortPrepared:
		l.Aborted++
		e, ok := parseTransactionEnd(rec.MainData, rec.Info&transactionHasInfo != 0, l.wal)
		if !ok {
			return false
		}
		addLocators(&l.undone, e.relations)
		return l.end(e.xid)
	case transactionPrepare:
		l.Prepared++
		p, ok := parsePrepare(rec, l.wal)
		return l.prepare(p) && ok
	case transactionAssignment, transactionInvalidations:
		return true
	}
	return false
}

func addLocators(list *List[pgdata.RelFileLocator], locators []byte) {
	for f := (fields{rest: locators}); len(f.rest) > 0; {
		list.add(f.locator())
	}
}

func (l *lostScan) committedIn(database uint32, n int) {
	if l.CommittedIn == nil {
		l.CommittedIn = map[uint32]int{}
	}
	if _, has := l.CommittedIn[database]; has || len(l.CommittedIn) < maxListed {
		l.CommittedIn[database] += n
	}
}

// parsePrepare reads the header of a prepared transaction's state, which is the
// main data of the record. If it is not as expected, the record's own facts have
// to do.
func parsePrepare(rec *Record, wal *pgdata.WALFormat) (p Prepared, ok bool) {
	p = Prepared{LSN: rec.LSN, XID: rec.XID}
	b := rec.MainData
	if len(b) < wal.PrepareGID {
		return p, false
	}
	f := fields{rest: b}
	f.take(8) // magic number, length
	xid, database, at := f.uint32(), f.uint32(), f.timestamp()
	gid := b[wal.PrepareGID:]
	length := int(binary.LittleEndian.Uint16(b[wal.PrepareGIDLen:])) // with the zero at its end
	if f.bad || xid != rec.XID || length < 1 || length > len(gid) || gid[length-1] != 0 {
		return p, false
	}
	p.Database, p.Time, p.GID = database, at, string(gid[:length-1])
	return p, true
}

// prepare notes a prepared transaction that has not ended yet.
func (l *lostScan) prepare(p Prepared) bool {
	if l.prepared == nil {
		l.prepared = map[uint32]Prepared{}
	}
	if len(l.prepared) >= maxPrepared {
		return false
	}
	l.prepared[p.XID] = p
	return true
}

// end notes the end of a transaction, of a prepared one if xid is not zero.
func (l *lostScan) end(xid uint32) bool {
	if _, here := l.prepared[xid]; here {
		delete(l.prepared, xid)
		return true
	}
	return xid == 0 || l.endEarlier(xid)
}

// endEarlier notes the end of a transaction that was prepared in an earlier
// segment or before the fork.
func (l *lostScan) endEarlier(xid uint32) bool {
	if l.ended == nil {
		l.ended = map[uint32]bool{}
	}
	if len(l.ended) >= maxPrepared {
		return false
	}
	l.ended[xid] = true
	return true
}
