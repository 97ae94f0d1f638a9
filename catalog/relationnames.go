package catalog

import (
	"context"
	"fmt"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/pgdata"
)

// RelationName says what a relation is called and what it belongs to. Names are in the
// database's encoding, and written as in SQL, in double quotes if necessary.
type RelationName struct {
	Database string
	Schema   string // schema of the relation, or of the table that it belongs to
	Name     string
	Kind     byte   // relkind, as in [Relation]
	Table    string // the table that an index, a TOAST table or its index belongs to; else empty
	TOAST    bool   // a TOAST table, or its index
}

// RelationNames names some relations of a database by their files. The result lacks
// relations that the catalogs do not have, and shared ones. It reads less than Database
// does: pg_attribute, pg_class, pg_namespace and pg_index, once.
func (c *Cluster) RelationNames(ctx context.Context, info DatabaseInfo, wanted []pgdata.RelFileLocator) (map[pgdata.RelFileLocator]RelationName, error) {
	d := &Database{DatabaseInfo: info, cluster: c, Relations: map[uint32]*Relation{}, ByFile: map[pgdata.RelFileLocator]*Relation{}, schemas: map[uint32]string{}}
	tables, err := d.readRelations(ctx)
	if err == nil {
		err = c.status.err
	}
	if err != nil {
		return nil, fmt.Errorf("database %q: %w", info.Name, err)
	}
	values := map[uint32]*Relation{} // the tables, by their TOAST tables
	for _, rel := range d.Relations {
		if rel.TOAST != 0 {
			values[rel.TOAST] = rel
		}
	}
	found := make(map[pgdata.RelFileLocator]RelationName, len(wanted))
	for _, l := range wanted {
		rel := d.ByFile[l]
		if rel == nil {
			continue
		}
		n := RelationName{Database: c.quoted(info.Name), Schema: rel.Schema, Name: c.quoted(rel.Name), Kind: rel.Kind}
		table := d.Relations[tables[rel.OID]] // of an index
		if table == nil {
			table = rel
		}
		if of := values[table.OID]; of != nil {
			table, n.TOAST = of, true
		}
		if table != rel {
			n.Schema, n.Table = table.Schema, c.quoted(table.Name)
		}
		n.Schema = c.quoted(n.Schema)
		found[l] = n
	}
	return found, nil
}

// readRelations reads which relations there are, and the tables of indexes by the
// indexes' OIDs.
func (d *Database) readRelations(ctx context.Context) (tables map[uint32]uint32, err error) {
	c := d.cluster
	files, err := c.relationMap(c.version.DatabaseDir(d.Tablespace, d.OID), d.OID)
	if err != nil {
		return nil, err
	}
	mapped := func(oid uint32) pgdata.RelFileLocator {
		return pgdata.RelFileLocator{Tablespace: d.Tablespace, Database: d.OID, Relation: files[oid]}
	}
	columns, err := c.describe(ctx, mapped(oidAttribute), oidClass, oidNamespace, oidIndex)
	if err != nil {
		return nil, err
	}
	if err := d.readClass(ctx, newTable(mapped(oidClass), columns[oidClass]), files); err != nil {
		return nil, fmt.Errorf("pg_class: %w", err)
	}
	namespaces, indexes := d.Relations[oidNamespace], d.Relations[oidIndex]
	if namespaces == nil || indexes == nil {
		return nil, fmt.Errorf("pg_class lacks catalogs: %w", heap.ErrCorrupt)
	}
	if err := d.readNamespaces(ctx, newTable(namespaces.Locator, columns[oidNamespace])); err != nil {
		return nil, fmt.Errorf("pg_namespace: %w", err)
	}
	tables = map[uint32]uint32{}
	err = c.scan(ctx, newTable(indexes.Locator, columns[oidIndex]), c.visible, func(r *row) error {
		tables[r.uint32("indexrelid")] = r.uint32("indrelid")
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("pg_index: %w", err)
	}
	return tables, nil
}
