package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/pgdata"
)

// Files opens files of a data directory by their paths in it.
type Files interface {
	Open(path string) (*os.File, error)
}

// Newer is what the WAL of a server that was not shut down cleanly has and the files do
// not have yet.
type Newer interface {
	// Status reports whether a transaction committed, if the WAL shows it.
	Status(xid uint32) (committed, known bool)
	// Tuples returns the tuples of a page of a catalog as of the end of the WAL.
	Tuples(pgdata.RelFileLocator, pgdata.BlockNumber, heap.Page) ([]heap.Tuple, error)
	// Blocks returns the blocks of a relation that it has something of, in order.
	Blocks(pgdata.RelFileLocator) []pgdata.BlockNumber
	// RelationMap returns the relation map of a database, or of the shared catalogs if
	// database is zero. It is nil if the WAL does not change the map.
	RelationMap(database uint32) []byte
}

// Options says what to read, and how.
type Options struct {
	Files    Files
	Version  *pgdata.Version
	Geometry pgdata.Geometry
	Newer    Newer // nil for a server that was shut down cleanly
	// After, if not nil, reports transactions to treat as not committed yet: the catalogs
	// are read as they were before these.
	After func(xid uint32) bool
	// Relations are some relations of any databases. If there is no template1, the columns
	// of the shared catalogs are read in the database of one of these.
	Relations []pgdata.RelFileLocator
}

// Cluster is the databases of a data directory. It is not safe for concurrent use.
type Cluster struct {
	files    Files
	version  *pgdata.Version
	geometry pgdata.Geometry
	newer    Newer
	after    func(uint32) bool
	status   *status

	Databases []DatabaseInfo

	roles    map[uint32]string
	keywords map[string]bool
	file     *os.File // the file that is open
	opened   pgdata.RelSegment
}

// DatabaseInfo is a row of pg_database.
type DatabaseInfo struct {
	OID        uint32
	Name       string
	Encoding   int32 // mb/pg_wchar.h
	Tablespace uint32
}

// Open reads which databases there are.
func Open(ctx context.Context, o Options) (*Cluster, error) {
	c := &Cluster{files: o.Files, version: o.Version, geometry: o.Geometry, newer: o.Newer, after: o.After, roles: map[uint32]string{}, keywords: keywordsOf(o.Version)}
	c.status = &status{c: c}
	global, err := c.relationMap("global", 0)
	if err != nil {
		return nil, err
	}
	shared := func(oid uint32) pgdata.RelFileLocator {
		return pgdata.RelFileLocator{Tablespace: pgdata.GlobalTablespace, Relation: global[oid]}
	}
	columns, err := c.describeShared(ctx, o.Relations)
	if err != nil {
		return nil, err
	}
	err = c.scan(ctx, newTable(shared(oidDatabase), columns[oidDatabase]), c.visible, func(r *row) error {
		c.Databases = append(c.Databases, DatabaseInfo{
			OID: r.oid(), Name: r.name("datname"), Encoding: int32(r.uint32("encoding")), Tablespace: r.uint32("dattablespace"),
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("pg_database: %w", err)
	}
	err = c.scan(ctx, newTable(shared(oidAuthID), columns[oidAuthID]), c.visible, func(r *row) error {
		c.roles[r.oid()] = r.name("rolname")
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("pg_authid: %w", err)
	}
	slices.SortFunc(c.Databases, func(a, b DatabaseInfo) int { return int(int64(a.OID) - int64(b.OID)) })
	return c, c.status.err
}

// Close closes what is open.
func (c *Cluster) Close() error {
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}

// open opens a relation's file, and closes the one that was open.
func (c *Cluster) open(s pgdata.RelSegment) (*os.File, error) {
	if c.file != nil && c.opened == s {
		return c.file, nil
	}
	if err := c.Close(); err != nil {
		return nil, err
	}
	f, err := c.files.Open(s.Path(c.version))
	if err != nil {
		return nil, err
	}
	c.file, c.opened = f, s
	return f, nil
}

// Committed reports whether a transaction committed and is not one that is treated as
// not committed yet.
func (c *Cluster) Committed(xid uint32) bool {
	return (c.after == nil || !c.after(xid)) && c.status.committed(xid)
}

// visible reports whether a tuple is visible when all transactions are seen that
// Committed reports.
func (c *Cluster) visible(t *heap.Tuple) bool {
	if c.after != nil && t.Frozen() && t.XMin >= firstNormal && c.after(t.XMin) {
		return false
	}
	return t.Visible(c.Committed)
}

// describeShared reads the columns of the shared catalogs, which are the same in every
// database. It reads them in template1, in the database that has its OID, or in the
// database of one of the given relations.
func (c *Cluster) describeShared(ctx context.Context, some []pgdata.RelFileLocator) (columns map[uint32][]column, err error) {
	const template1 = 1
	tried := map[uint32]bool{}
	for _, l := range append([]pgdata.RelFileLocator{{Tablespace: pgdata.DefaultTablespace, Database: template1}}, some...) {
		if tried[l.Database] || l.Database == 0 {
			continue
		}
		tried[l.Database] = true
		files, again := c.relationMap(c.version.DatabaseDir(l.Tablespace, l.Database), l.Database)
		if again == nil {
			l.Relation = files[oidAttribute]
			columns, again = c.describe(ctx, l, oidDatabase, oidAuthID)
		}
		if again == nil || !errors.Is(again, fs.ErrNotExist) {
			return columns, again
		}
		if err == nil {
			err = again
		}
	}
	return nil, err
}

// describe reads the columns of some catalogs from pg_attribute.
func (c *Cluster) describe(ctx context.Context, attributes pgdata.RelFileLocator, catalogs ...uint32) (map[uint32][]column, error) {
	bootstrap := newTable(attributes, columnsFor(c.version))
	found := map[uint32][]column{}
	numbers := map[uint32][]int16{}
	err := c.scan(ctx, bootstrap, c.visible, func(r *row) error {
		if relation := r.uint32("attrelid"); slices.Contains(catalogs, relation) && r.int16("attnum") > 0 {
			found[relation] = append(found[relation], column{r.name("attname"), heap.Column{Len: r.int16("attlen"), Align: r.byte("attalign")}})
			numbers[relation] = append(numbers[relation], r.int16("attnum"))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("pg_attribute: %w", err)
	}
	for _, relation := range catalogs {
		columns := make([]column, len(numbers[relation]))
		for i, n := range numbers[relation] {
			if int(n) > len(columns) || columns[n-1].name != "" {
				return nil, fmt.Errorf("pg_attribute: columns of catalog %d: %w", relation, heap.ErrCorrupt)
			}
			columns[n-1] = found[relation][i]
		}
		if len(columns) == 0 {
			return nil, fmt.Errorf("pg_attribute: no columns of catalog %d: %w", relation, heap.ErrCorrupt)
		}
		found[relation] = columns
	}
	return found, nil
}
