package walreader

import (
	"fmt"

	"github.com/gorewind/gorewind/pgdata"
)

// Resource managers whose records are decoded here or by visitors
// (access/rmgrlist.h), the same in every major.
const (
	RmgrXLOG           = 0
	RmgrTransaction    = 1
	RmgrStorage        = 2
	RmgrDatabase       = 4
	RmgrTablespace     = 5
	RmgrRelMap         = 7
	RmgrHeap2          = 9
	RmgrHeap           = 10
	RmgrLogicalMessage = 21

	maxBuiltinRmgr = 21
	minCustomRmgr  = 128
)

var rmgrNames = [maxBuiltinRmgr + 1]string{
	"XLOG", "Transaction", "Storage", "CLOG", "Database", "Tablespace", "MultiXact", "RelMap",
	"Standby", "Heap2", "Heap", "Btree", "Hash", "Gin", "Gist", "Sequence", "SPGist", "BRIN",
	"CommitTs", "ReplicationOrigin", "Generic", "LogicalMessage",
}

// RmgrName is the name that pg_waldump shows for a resource manager; "custom"
// for those of extensions.
func RmgrName(id uint8) string {
	if id <= maxBuiltinRmgr {
		return rmgrNames[id]
	}
	return "custom"
}

// CheckSpecial returns an [*UnknownRecordError] if rec changes relation files in
// a way that its block references do not show (XLR_SPECIAL_REL_UPDATE) and is
// not of a known kind and size. The known kinds create, truncate or drop whole
// files, which the comparison of the file lists and [pgdata.Changes.Limits] cover.
func (f Format) CheckSpecial(rec *Record) error {
	if rec.Info&infoSpecialRel == 0 {
		return nil
	}
	wal := &f.Version.WAL
	info := rec.Info & infoRmgrMask
	known := false
	switch rec.Rmgr {
	case RmgrStorage:
		_, _, created := f.StorageCreate(rec)
		_, _, _, truncated := f.StorageTruncate(rec)
		known = created || truncated
	case RmgrDatabase:
		known = info == databaseCreate || info == wal.DatabaseDrop ||
			wal.DatabaseCreateWAL != 0 && info == wal.DatabaseCreateWAL
	case RmgrTransaction:
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

// UnknownRecordError says that a record changes relation files in an unknown
// way, so the change cannot be undone.
type UnknownRecordError struct {
	LSN        pgdata.LSN
	Rmgr, Info uint8

	version *pgdata.Version
}

func (e *UnknownRecordError) Error() string {
	return fmt.Sprintf("WAL record modifies a relation, but record type is not recognized: lsn: %s, rmid: %d, rmgr: %s, info: %02X",
		formatLSN(e.version, e.LSN), e.Rmgr, RmgrName(e.Rmgr), e.Info)
}
