package lost

import (
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// firstNormalOID is the first OID that user objects can have (FirstNormalObjectId,
// access/transam.h). Relations below it are only created when a database's catalogs are
// copied.
const firstNormalOID = 16384

func (v *Visitor) visitStorage(rec *walreader.Record) (known bool) {
	if relation, fork, ok := v.format.StorageCreate(rec); ok {
		// An unlogged relation logs only the init fork.
		if relation.Relation >= firstNormalOID && (fork == pgdata.MainFork || fork == pgdata.InitFork) {
			v.lost.Created.add(relation)
		}
		return true
	}
	relation, _, _, ok := v.format.StorageTruncate(rec)
	if ok {
		v.lost.Truncated.add(relation)
	}
	return ok
}

// databaseEvent is the creation or removal of a database's directory.
type databaseEvent struct {
	database, tablespace uint32
	movedFrom            uint32 // the tablespace whose directory was copied by ALTER DATABASE SET TABLESPACE, or zero
	drop                 bool
}

func (v *Visitor) visitDatabase(rec *walreader.Record) (known bool) {
	var e databaseEvent
	if c, ok := v.format.DatabaseCopy(rec); ok {
		e.database, e.tablespace = c.Database, c.Tablespace
		if c.FromDatabase == c.Database {
			e.movedFrom = c.FromTablespace
		}
	} else if database, tablespace, ok := v.format.DatabaseCreate(rec); ok {
		e.database, e.tablespace = database, tablespace
	} else if database, tablespaces, ok := v.format.DatabaseDrop(rec); ok {
		e.database, e.drop = database, true
		if len(tablespaces) == 1 { // a move removes one
			e.tablespace = tablespaces[0]
		}
	} else {
		return false
	}
	if len(v.databases) < maxListed {
		v.databases = append(v.databases, e)
	}
	return true
}

// foldDatabases determines which databases were created and dropped. A move to another
// tablespace is neither: a copy is created there, and the original is removed.
func (v *Visitor) foldDatabases() {
	type directory struct{ database, tablespace uint32 }
	moved := map[directory]bool{}
	for _, e := range v.databases {
		d := directory{e.database, e.tablespace}
		switch {
		case e.movedFrom != 0:
			moved[directory{e.database, e.movedFrom}] = true
		case !e.drop:
			v.lost.CreatedDatabases = append(v.lost.CreatedDatabases, e.database)
		case moved[d]:
			delete(moved, d)
		default:
			v.lost.DroppedDatabases = append(v.lost.DroppedDatabases, e.database)
		}
	}
	v.lost.CreatedDatabases = unique(v.lost.CreatedDatabases)
	v.lost.DroppedDatabases = unique(v.lost.DroppedDatabases) // there may be a record for each tablespace
}

func (v *Visitor) visitTablespace(rec *walreader.Record) (known bool) {
	if oid, location, ok := v.format.TablespaceCreate(rec); ok {
		if len(v.lost.CreatedTablespaces) < maxListed {
			v.lost.CreatedTablespaces = append(v.lost.CreatedTablespaces, Tablespace{OID: oid, Location: location})
		}
		return true
	}
	oid, ok := v.format.TablespaceDrop(rec)
	if ok && len(v.lost.DroppedTablespaces) < maxListed {
		v.lost.DroppedTablespaces = append(v.lost.DroppedTablespaces, oid)
	}
	return ok
}
