package walreader

import (
	"fmt"

	"github.com/gorewind/gorewind/pgdata"
)

// Resource managers (access/rmgrlist.h), the same in every major.
const (
	rmgrXLOG        = 0
	rmgrTransaction = 1
	rmgrStorage     = 2
	rmgrDatabase    = 4

	maxBuiltinRmgr = 21
	minCustomRmgr  = 128
)

var rmgrNames = [maxBuiltinRmgr + 1]string{
	"XLOG", "Transaction", "Storage", "CLOG", "Database", "Tablespace", "MultiXact", "RelMap",
	"Standby", "Heap2", "Heap", "Btree", "Hash", "Gin", "Gist", "Sequence", "SPGist", "BRIN",
	"CommitTs", "ReplicationOrigin", "Generic", "LogicalMessage",
}

// RmgrName is the name that pg_waldump shows for a resource manager; "custom"
// for those that extensions bring.
func RmgrName(id uint8) string {
	if id <= maxBuiltinRmgr {
		return rmgrNames[id]
	}
	return "custom"
}

// Info codes of records that change files without naming blocks.
const (
	storageCreate   = 0x10 // catalog/storage_xlog.h
	storageTruncate = 0x20

	databaseCreate = 0x00 // commands/dbcommands_xlog.h; the others differ between majors

	transactionMask           = 0x70 // access/xact.h
	transactionCommit         = 0x00
	transactionAbort          = 0x20
	transactionCommitPrepared = 0x30
	transactionAbortPrepared  = 0x40
)

// CheckSpecial returns an [*UnknownRecordError] if rec changes relation files in
// a way that its block references do not tell (XLR_SPECIAL_REL_UPDATE) and is
// not of a known kind. The known kinds create, truncate or drop whole files:
// the comparison of the file lists covers them.
func (f Format) CheckSpecial(rec *Record) error {
	if rec.Info&infoSpecialRel == 0 {
		return nil
	}
	wal := &f.Version.WAL
	info := rec.Info & infoRmgrMask
	known := false
	switch rec.Rmgr {
	case rmgrStorage:
		known = info == storageCreate || info == storageTruncate
	case rmgrDatabase:
		known = info == databaseCreate || info == wal.DatabaseDrop ||
			wal.DatabaseCreateWAL != 0 && info == wal.DatabaseCreateWAL
	case rmgrTransaction:
		switch info & transactionMask {
		case transactionCommit, transactionAbort, transactionCommitPrepared, transactionAbortPrepared:
			known = wal.TransactionSpecial
		}
	}
	if known {
		return nil
	}
	return &UnknownRecordError{LSN: rec.LSN, Rmgr: rec.Rmgr, Info: rec.Info, version: f.Version}
}

// UnknownRecordError says that a record changes relation files in a way that is
// not known, so that it cannot be undone.
type UnknownRecordError struct {
	LSN        pgdata.LSN
	Rmgr, Info uint8

	version *pgdata.Version
}

func (e *UnknownRecordError) Error() string {
	return fmt.Sprintf("WAL record modifies a relation, but record type is not recognized: lsn: %s, rmid: %d, rmgr: %s, info: %02X",
		formatLSN(e.version, e.LSN), e.Rmgr, RmgrName(e.Rmgr), e.Info)
}
