package walreader

import "github.com/gorewind/gorewind/pgdata"

// Info codes of records that change files without naming blocks.
const (
	storageCreate   = 0x10 // catalog/storage_xlog.h
	storageTruncate = 0x20

	databaseCreate = 0x00 // commands/dbcommands_xlog.h; the others differ between majors

	tablespaceCreate = 0x00 // commands/tablespace.h
	tablespaceDrop   = 0x10
)

const (
	storageCreateSize   = 16
	storageTruncateSize = 20
	databaseCopySize    = 16
	databaseCreateSize  = 8

	truncateHeap = 0x1 // SMGR_TRUNCATE_HEAP: the main fork
)

func (rec *Record) is(rmgr, info uint8) bool {
	return rec.Rmgr == rmgr && rec.Info&infoRmgrMask == info
}

// StorageCreate returns which fork of a relation a record creates (xl_smgr_create,
// catalog/storage_xlog.h). For an unlogged relation only the init fork is logged.
func (f Format) StorageCreate(rec *Record) (relation pgdata.RelFileLocator, fork pgdata.Fork, ok bool) {
	if !rec.is(RmgrStorage, storageCreate) || len(rec.MainData) != storageCreateSize {
		return relation, 0, false
	}
	d := fields{rest: rec.MainData}
	relation = d.locator()
	n := d.uint32()
	return relation, pgdata.Fork(n), n <= uint32(pgdata.InitFork)
}

// StorageTruncate returns to how many blocks a record truncates a relation
// (xl_smgr_truncate, catalog/storage_xlog.h). If main is false, the main fork is not
// truncated, only maps are.
func (f Format) StorageTruncate(rec *Record) (relation pgdata.RelFileLocator, blocks pgdata.BlockNumber, main, ok bool) {
	if !rec.is(RmgrStorage, storageTruncate) || len(rec.MainData) != storageTruncateSize {
		return relation, 0, false, false
	}
	d := fields{rest: rec.MainData}
	blocks = pgdata.BlockNumber(d.uint32())
	relation = d.locator()
	return relation, blocks, d.uint32()&truncateHeap != 0, true
}

// DatabaseCopy is a database directory that is created as a copy of another one,
// file by file. CREATE DATABASE does that up to 14 and with STRATEGY file_copy,
// and so does ALTER DATABASE SET TABLESPACE, where both databases are the same.
type DatabaseCopy struct {
	Database, Tablespace         uint32 // OIDs
	FromDatabase, FromTablespace uint32
}

// DatabaseCopy returns what a record copies (xl_dbase_create_rec, up to 14; since
// then xl_dbase_create_file_copy_rec, commands/dbcommands_xlog.h).
func (f Format) DatabaseCopy(rec *Record) (DatabaseCopy, bool) {
	if !rec.is(RmgrDatabase, databaseCreate) || len(rec.MainData) != databaseCopySize {
		return DatabaseCopy{}, false
	}
	d := fields{rest: rec.MainData}
	return DatabaseCopy{Database: d.uint32(), Tablespace: d.uint32(), FromDatabase: d.uint32(), FromTablespace: d.uint32()}, true
}

// DatabaseCreate returns the database whose directory a record creates, while other
// records describe its content (xl_dbase_create_wal_log_rec, from 15 on).
func (f Format) DatabaseCreate(rec *Record) (database, tablespace uint32, ok bool) {
	info := f.Version.WAL.DatabaseCreateWAL
	if info == 0 || !rec.is(RmgrDatabase, info) || len(rec.MainData) != databaseCreateSize {
		return 0, 0, false
	}
	d := fields{rest: rec.MainData}
	return d.uint32(), d.uint32(), true
}

// DatabaseDrop returns which directories of a database a record removes, by
// tablespace (xl_dbase_drop_rec, commands/dbcommands_xlog.h). Up to 12 there is a
// record for each.
func (f Format) DatabaseDrop(rec *Record) (database uint32, tablespaces []uint32, ok bool) {
	wal := &f.Version.WAL
	if !rec.is(RmgrDatabase, wal.DatabaseDrop) {
		return 0, nil, false
	}
	d := fields{rest: rec.MainData}
	database = d.uint32()
	list := d
	if wal.DatabaseDropList {
		list = fields{rest: d.array(4)}
	} else {
		d.take(4)
	}
	if d.bad || len(d.rest) != 0 {
		return 0, nil, false
	}
	for len(list.rest) > 0 {
		tablespaces = append(tablespaces, list.uint32())
	}
	return database, tablespaces, true
}

// TablespaceCreate returns which tablespace a record creates, and where; the
// location is empty if it is in the data directory (xl_tblspc_create_rec,
// commands/tablespace.h).
func (f Format) TablespaceCreate(rec *Record) (oid uint32, location string, ok bool) {
	if !rec.is(RmgrTablespace, tablespaceCreate) {
		return 0, "", false
	}
	d := fields{rest: rec.MainData}
	oid = d.uint32()
	text := d.text()
	return oid, string(text), !d.bad && len(d.rest) == 0
}

// TablespaceDrop returns which tablespace a record removes (xl_tblspc_drop_rec,
// commands/tablespace.h).
func (f Format) TablespaceDrop(rec *Record) (oid uint32, ok bool) {
	if !rec.is(RmgrTablespace, tablespaceDrop) || len(rec.MainData) != 4 {
		return 0, false
	}
	d := fields{rest: rec.MainData}
	return d.uint32(), true
}
