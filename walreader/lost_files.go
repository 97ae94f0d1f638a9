package walreader

import "github.com/gorewind/gorewind/pgdata"

// Info codes of the Tablespace resource manager (commands/tablespace.h).
const (
	tablespaceCreate = 0x00
	tablespaceDrop   = 0x10
)

// firstNormalOID begins what users make (FirstNormalObjectId, access/transam.h).
// Relations below it are only created when a database's catalogs are copied.
const firstNormalOID = 16384

func (l *lostScan) addStorage(rec *Record) (known bool) {
	f := fields{rest: rec.MainData}
	switch rec.Info & infoRmgrMask {
	case storageCreate: // xl_smgr_create, catalog/storage_xlog.h
		relation, fork := f.locator(), pgdata.Fork(min(f.uint32(), 0xFF))
		if f.bad {
			return false
		}
		// An unlogged relation logs the init fork only.
		if relation.Relation >= firstNormalOID && (fork == pgdata.MainFork || fork == pgdata.InitFork) {
			l.Created.add(relation)
		}
		return true
	case storageTruncate: // xl_smgr_truncate
		f.take(4) // its new length
		relation := f.locator()
		if f.bad {
			return false
		}
		l.Truncated.add(relation)
		return true
	}
	return false
}

// databaseEvent is a directory of a database that appears or goes.
type databaseEvent struct {
	database, tablespace uint32
	movedFrom            uint32 // the tablespace whose directory was copied by ALTER DATABASE SET TABLESPACE, or zero
	drop                 bool
}

func (l *lostScan) addDatabase(rec *Record) (known bool) { // commands/dbcommands_xlog.h
	f := fields{rest: rec.MainData}
	e := databaseEvent{database: f.uint32()}
	switch info := rec.Info & infoRmgrMask; {
	case info == l.wal.DatabaseDrop && l.wal.DatabaseDropList:
		e.drop = true
		tablespaces := fields{rest: f.array(4)}
		if len(tablespaces.rest) == 4 {
			e.tablespace = tablespaces.uint32()
		}
	case info == l.wal.DatabaseDrop:
		e.drop, e.tablespace = true, f.uint32()
	case info == databaseCreate:
		e.tablespace = f.uint32()
		if source, from := f.uint32(), f.uint32(); source == e.database {
			e.movedFrom = from
		}
	case l.wal.DatabaseCreateWAL != 0 && info == l.wal.DatabaseCreateWAL:
		e.tablespace = f.uint32()
	default:
		return false
	}
	if f.bad {
		return false
	}
	if len(l.databases) < maxListed {
		l.databases = append(l.databases, e)
	}
	return true
}

// foldDatabases finds out which databases were created and dropped. A move to
// another tablespace is neither: a copy appears there and the original goes.
func (l *lostScan) foldDatabases() {
	type directory struct{ database, tablespace uint32 }
	moved := map[directory]bool{}
	for _, e := range l.databases {
		d := directory{e.database, e.tablespace}
		switch {
		case e.movedFrom != 0:
			moved[directory{e.database, e.movedFrom}] = true
		case !e.drop:
			l.CreatedDatabases = append(l.CreatedDatabases, e.database)
		case moved[d]:
			delete(moved, d)
		default:
			l.DroppedDatabases = append(l.DroppedDatabases, e.database)
		}
	}
	l.CreatedDatabases = unique(l.CreatedDatabases)
	l.DroppedDatabases = unique(l.DroppedDatabases) // there may be a record for each tablespace
}

func (l *lostScan) addTablespace(rec *Record) (known bool) {
	f := fields{rest: rec.MainData}
	oid := f.uint32()
	switch rec.Info & infoRmgrMask {
	case tablespaceCreate:
		location := f.text()
		if f.bad {
			return false
		}
		if len(l.CreatedTablespaces) < maxListed {
			l.CreatedTablespaces = append(l.CreatedTablespaces, Tablespace{OID: oid, Location: string(location)})
		}
		return true
	case tablespaceDrop:
		if f.bad {
			return false
		}
		if len(l.DroppedTablespaces) < maxListed {
			l.DroppedTablespaces = append(l.DroppedTablespaces, oid)
		}
		return true
	}
	return false
}
