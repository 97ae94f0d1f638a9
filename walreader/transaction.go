package walreader

import (
	"encoding/binary"
	"iter"
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// Info codes of the Transaction resource manager (access/xact.h).
const (
	transactionMask           = 0x70
	transactionCommit         = 0x00
	transactionPrepare        = 0x10
	transactionAbort          = 0x20
	transactionCommitPrepared = 0x30
	transactionAbortPrepared  = 0x40
	transactionAssignment     = 0x50
	transactionInvalidations  = 0x60 // 14

	transactionHasInfo = 0x80 // XLOG_XACT_HAS_INFO: xinfo follows the time
)

// Bits of xinfo (access/xact.h). Each of the first nine means that a field
// follows, in the order in which endOfTransaction reads them. The highest three
// are about what else a standby must do.
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

// TransactionEvent is what a record does to a transaction.
type TransactionEvent uint8

// The events. Assignments of subtransactions and invalidations are not events.
const (
	NoEvent      TransactionEvent = iota
	Commits                       // a commit or COMMIT PREPARED
	Aborts                        // the abort of a transaction or a subtransaction, or ROLLBACK PREPARED
	Prepares                      // PREPARE TRANSACTION
	UnknownEvent                  // a record type of the Transaction resource manager that no major writes
)

// TransactionEvent returns what the record does to a transaction, from its type.
func (rec *Record) TransactionEvent() TransactionEvent {
	if rec.Rmgr != RmgrTransaction {
		return NoEvent
	}
	switch rec.Info & transactionMask {
	case transactionCommit, transactionCommitPrepared:
		return Commits
	case transactionAbort, transactionAbortPrepared:
		return Aborts
	case transactionPrepare:
		return Prepares
	case transactionAssignment, transactionInvalidations:
		return NoEvent
	}
	return UnknownEvent
}

// Ended is the end of a transaction, reduced to what is needed (xl_xact_commit
// and xl_xact_abort, access/xact.h).
type Ended struct {
	Time      time.Time // by the server's clock, in UTC
	Database  uint32    // its OID, or zero: all have it with wal_level = logical, otherwise only those that changed catalogs
	Prepared  uint32    // XID of the prepared transaction that ends, or zero
	relations []byte    // locators
	subxacts  []byte    // XIDs
}

// Subtransactions are those that commit or are rolled back with it.
func (e *Ended) Subtransactions() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for f := (fields{rest: e.subxacts}); len(f.rest) > 0; {
			if !yield(f.uint32()) {
				return
			}
		}
	}
}

// Relations are those whose files are removed at the end of the transaction: it dropped
// them and commits, or created them and is rolled back.
func (e *Ended) Relations() iter.Seq[pgdata.RelFileLocator] {
	return func(yield func(pgdata.RelFileLocator) bool) {
		for f := (fields{rest: e.relations}); len(f.rest) > 0; {
			if !yield(f.locator()) {
				return
			}
		}
	}
}

// Ended returns the end of a transaction that a record describes: a commit, an abort, or
// one of these for a prepared transaction. If the layout of such a record is unknown,
// ok is false, and only the time is set, if it could be read. Its relations and
// subtransactions are valid as long as the record.
func (f Format) Ended(rec *Record) (e Ended, ok bool) {
	if event := rec.TransactionEvent(); event != Commits && event != Aborts {
		return Ended{}, false
	}
	e, ok = parseEnded(rec.MainData, rec.Info&transactionHasInfo != 0, &f.Version.WAL)
	if !ok {
		return Ended{Time: e.Time}, false
	}
	return e, true
}

func parseEnded(b []byte, hasInfo bool, wal *pgdata.WALFormat) (e Ended, ok bool) {
	f := fields{rest: b}
	e.Time = f.timestamp()
	if !hasInfo {
		return e, !f.bad && len(f.rest) == 0
	}
	xinfo := f.uint32()
	if xinfo&^(wal.XactInfo|xinfoCompletion) != 0 {
		return e, false // it is unknown what follows, and where
	}
	if xinfo&xinfoDatabase != 0 {
		e.Database = f.uint32()
		f.take(4) // its tablespace
	}
	if xinfo&xinfoSubxacts != 0 {
		e.subxacts = f.array(4)
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
		e.Prepared = f.uint32()
		if xinfo&xinfoGID != 0 {
			f.text()
		}
	}
	if xinfo&xinfoOrigin != 0 {
		f.take(16)
	}
	return e, !f.bad && len(f.rest) == 0
}

// TransactionEnd returns when a transaction ended, if the record is its commit or
// abort, prepared before or not. The time comes first in all of these, so this does not
// depend on the rest of the record.
func (f Format) TransactionEnd(rec *Record) (time.Time, bool) {
	if event := rec.TransactionEvent(); event != Commits && event != Aborts {
		return time.Time{}, false
	}
	d := fields{rest: rec.MainData}
	at := d.timestamp()
	return at, !d.bad
}

// Prepared is a transaction that was prepared for two-phase commit
// (xl_xact_prepare, access/xact.h).
type Prepared struct {
	XID      uint32
	Database uint32    // its OID
	Time     time.Time // when it was prepared, by the server's clock, in UTC
	GID      string    // as in PREPARE TRANSACTION; not necessarily UTF-8
}

// Prepared returns the content of a PREPARE record.
func (f Format) Prepared(rec *Record) (p Prepared, ok bool) {
	wal, b := &f.Version.WAL, rec.MainData
	if rec.TransactionEvent() != Prepares || len(b) < wal.PrepareGID {
		return Prepared{}, false
	}
	d := fields{rest: b}
	d.take(8) // magic number, length
	p.XID, p.Database, p.Time = d.uint32(), d.uint32(), d.timestamp()
	gid := b[wal.PrepareGID:]
	length := int(binary.LittleEndian.Uint16(b[wal.PrepareGIDLen:])) // including the terminating zero
	if d.bad || p.XID != rec.XID || length < 1 || length > len(gid) || gid[length-1] != 0 {
		return Prepared{}, false
	}
	p.GID = string(gid[:length-1])
	return p, true
}

// Prepare returns which transaction a PREPARE record prepares, its name, and when.
func (f Format) Prepare(rec *Record) (xid uint32, gid string, at time.Time, ok bool) {
	p, ok := f.Prepared(rec)
	return p.XID, p.GID, p.Time, ok
}
