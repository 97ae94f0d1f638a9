package rows

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/catalog"
	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/heap/types"
	"github.com/gorewind/gorewind/pgdata"
)

// firstNormalOID is the first OID that user objects can have (FirstNormalObjectId,
// access/transam.h).
const firstNormalOID = 16384

// kind is what a relation file has for this search.
type kind uint8

const (
	other   kind = iota // an index, a catalog, or a table that is not wanted
	rows                // rows of a table
	chunks              // TOAST chunks of a table
	classes             // pg_class
	unknown             // of a relation that is no longer in any catalog
)

// relation is the relation that a file belongs to.
type relation struct {
	kind    kind
	db      *database
	table   *catalog.Relation // nil if not known
	columns []heap.Column     // as they were when rows were written to the file
	layout  *catalog.Relation // the relation that columns are from
	printer *types.Printer
	// rewriting is a transaction that rewrites a table. What it inserts here is not a
	// change until the rewrite is done.
	rewriting uint32
	rewritten bool // the rewrite is done
	former    bool // the table has a different file now
	count     *Table
}

// database has a database's catalogs, as of the end and as of the fork.
type database struct {
	info     catalog.DatabaseInfo
	end      *catalog.Database
	fork     *catalog.Database // nil if not known
	text     textDecoder
	printers [2]*types.Printer
	classes  map[pgdata.RelFileLocator]*catalog.Relation // seen in the WAL
}

// relations identifies files.
type relations struct {
	f     *Finder
	files map[pgdata.RelFileLocator]*relation
	dbs   map[uint32]*database
	made  *made // nil if no catalog was changed
}

// openEnd reads the catalogs of the databases that files belong to.
func (r *relations) openEnd(ctx context.Context, c *catalog.Cluster, files map[pgdata.RelFileLocator]bool) error {
	oids := map[uint32]bool{}
	for l := range files {
		if l.Database != 0 {
			oids[l.Database] = true
		}
	}
	for _, info := range c.Databases {
		if !oids[info.OID] {
			continue
		}
		end, err := c.Database(ctx, info, wanted)
		if err != nil {
			return err
		}
		r.dbs[info.OID] = &database{info: info, end: end, text: decoderFor(info.Encoding), classes: map[pgdata.RelFileLocator]*catalog.Relation{}}
	}
	return nil
}

// openFork reads the catalogs as of the fork. They are useful if they can still be
// read, but not required.
func (r *relations) openFork(ctx context.Context, c *catalog.Cluster) error {
	for _, was := range c.Databases {
		db := r.dbs[was.OID]
		if db == nil || was.Tablespace != db.info.Tablespace {
			continue
		}
		var err error
		if db.fork, err = c.Database(ctx, was, wanted); err != nil {
			if !errors.Is(err, heap.ErrCorrupt) && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			r.f.log.DebugContext(ctx, fmt.Sprintf("the catalogs of database %q as of the divergence cannot be read: %v", was.Name, err), "database", was.Name, "error", err)
			db.fork = nil
		}
	}
	return nil
}

// changedCatalogs reports whether some of the files belong to catalogs.
func (r *relations) changedCatalogs(files map[pgdata.RelFileLocator]bool) bool {
	for l := range files {
		if mayDescribe(l) {
			return true
		}
		if db := r.dbs[l.Database]; db != nil && db.end.ByFile[l] != nil && isCatalog(db.end.ByFile[l].OID) {
			return true
		}
	}
	return false
}

// wanted reports whether a relation's columns are needed.
func wanted(rel *catalog.Relation) bool {
	return !isCatalog(rel.OID) && (rel.Kind == 'r' || rel.Kind == 'm')
}

// of returns the relation of a file.
func (r *relations) of(l pgdata.RelFileLocator) *relation {
	rel := r.files[l]
	if rel == nil {
		rel = r.find(l)
		r.files[l] = rel
	}
	return rel
}

func (r *relations) find(l pgdata.RelFileLocator) *relation {
	db := r.dbs[l.Database]
	if db == nil {
		if l.Database == 0 || l.Relation < firstNormalOID {
			return &relation{}
		}
		return &relation{kind: unknown}
	}
	if l == db.end.ClassFile() {
		return &relation{kind: classes, db: db}
	}
	now := db.end.ByFile[l]
	if now != nil {
		return r.classify(db, now, now, db.end)
	}
	var was *catalog.Relation
	if db.fork != nil {
		was = db.fork.ByFile[l]
	}
	if was == nil {
		was = db.classes[l]
	}
	switch {
	case was == nil && l.Relation < firstNormalOID:
		return &relation{}
	case was == nil:
		return &relation{kind: unknown, db: db}
	}
	rel := r.former(db, was)
	rel.former = true
	return rel
}

// former returns the relation that a file belonged to, if the relation now has a
// different file or was dropped.
func (r *relations) former(db *database, was *catalog.Relation) *relation {
	now := db.end.Relations[was.OID]
	var then *catalog.Relation
	if db.fork != nil {
		then = db.fork.Relations[was.OID]
	}
	id := tableID{db.info.OID, was.OID}
	switch {
	case now != nil && then != nil && compatible(then, now) && r.knowsAdded(id, then, now) && (then.Locator == was.Locator || !r.altered(then, now)):
		// Older rows lack the columns that were added, and that shows in the rows themselves.
		return r.classify(db, now, now, db.end)
	case now != nil && then != nil && then.Locator == was.Locator:
		return r.classify(db, now, then, db.fork)
	case now != nil && then == nil && was.Kind != 't':
		if columns, ok := r.made.columns(id, nil); ok && compatible(&catalog.Relation{Columns: columns}, now) {
			return r.classify(db, now, now, db.end)
		}
		return r.classify(db, now, nil, nil)
	case now != nil:
		return r.classify(db, now, nil, nil)
	case was.Kind == 't':
		return r.classify(db, was, nil, nil)
	case was.Kind != 'r' && was.Kind != 'm':
		return &relation{kind: other, db: db}
	case then != nil && len(then.Columns) > 0:
		return r.dropped(db, id, then, was.Locator)
	}
	if columns, ok := r.made.columns(id, nil); ok && len(columns) > 0 {
		passing := *was
		passing.Columns = columns
		return r.classify(db, &passing, &passing, db.end)
	}
	return r.classify(db, was, nil, nil)
}

// dropped returns the relation for a file of a table that was dropped, which had this
// file at the fork or later.
func (r *relations) dropped(db *database, id tableID, then *catalog.Relation, file pgdata.RelFileLocator) *relation {
	if columns, ok := r.made.columns(id, then.Columns); ok {
		last := *then
		last.Columns = columns
		return r.classify(db, &last, &last, db.fork)
	}
	if then.Locator == file { // columns added since are not known, and all others are as they were
		return r.classify(db, then, then, db.fork)
	}
	return r.classify(db, then, nil, nil)
}

// compatible reports whether rows of a table as it was can be read with its current
// columns: no column has a different type, and new columns come after the others.
func compatible(was, is *catalog.Relation) bool {
	if len(was.Columns) > len(is.Columns) {
		return false
	}
	for i, c := range was.Columns {
		now := is.Columns[i]
		if c.Len != now.Len || c.Align != now.Align || !now.Dropped && c.Type != now.Type {
			return false
		}
	}
	return true
}

// knowsAdded reports whether the columns that a table has in addition to those at the
// fork never changed. Some of these may be columns from before the fork whose catalog
// rows are gone.
func (r *relations) knowsAdded(id tableID, then, now *catalog.Relation) bool {
	if len(then.Columns) == len(now.Columns) {
		return true
	}
	columns, ok := r.made.columns(id, then.Columns)
	return ok && compatible(&catalog.Relation{Columns: columns}, now)
}

// altered reports whether a column of a table was changed after the fork. What it was
// in the files in between is not known, even if it is the same again.
func (r *relations) altered(was, is *catalog.Relation) bool {
	return slices.ContainsFunc(is.Columns[:len(was.Columns)], func(c catalog.Column) bool { return r.f.outcome.committed.Has(c.XMin) })
}

func (r *relations) classify(db *database, table, layout *catalog.Relation, from *catalog.Database) *relation {
	rel := &relation{db: db, table: table, layout: layout}
	switch {
	case isCatalog(table.OID) || strings.HasPrefix(table.Schema, "pg_temp_") || table.Persistence == 't':
		return rel
	case table.Kind == 't':
		rel.kind = chunks
		return rel
	case table.Kind != 'r' && table.Kind != 'm' || !r.f.wants(db.info.Name, table):
		return rel
	}
	rel.kind = rows
	rel.count = r.f.table(db, table)
	if layout != nil {
		for _, c := range layout.Columns {
			rel.columns = append(rel.columns, c.Column)
		}
		rel.printer = r.f.printer(db, from)
	}
	return rel
}

// wants reports whether a table was asked for.
func (f *Finder) wants(db string, table *catalog.Relation) bool {
	if len(f.o.Tables) == 0 {
		return true
	}
	qualified := table.Schema + "." + table.Name
	for _, pattern := range f.o.Tables {
		for _, name := range []string{table.Name, qualified, db + "." + qualified} {
			if ok, _ := path.Match(pattern, name); ok {
				return true
			}
		}
	}
	return false
}

// classChanged learns from a new row of pg_class which file belongs to which relation.
// A rewrite writes the rows into the file of a new table with a special name, and then
// the two tables swap files (make_new_heap, commands/cluster.c).
func (r *relations) classChanged(db *database, rel *catalog.Relation, xid uint32) {
	if rel.Locator.Relation == 0 {
		return
	}
	// If the table still exists at the end, a user gave it that name.
	isNew := strings.HasPrefix(rel.Name, "pg_temp_") && rel.Kind == 'r' && db.end.Relations[rel.OID] == nil
	known := r.files[rel.Locator]
	if isNew {
		of := r.find(rel.Locator)
		if of.kind == rows || of.kind == unknown {
			of.rewriting, of.rewritten = xid, true
			r.files[rel.Locator] = of
		}
		return
	}
	rel.XMin = xid
	db.classes[rel.Locator] = rel
	if known != nil {
		known.rewriting = 0
		if known.kind == unknown {
			delete(r.files, rel.Locator)
		}
	}
}
