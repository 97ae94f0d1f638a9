package pgsource

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/source"
)

var _ source.RowFinder = (*Server)(nil)

// rowSettings make the server write values, including names of relations and the like,
// as package heap/types does, look rows up by index, and report an error if the role may
// not see all rows. With this search_path, names can refer to whatever any user created,
// so every name used from then on has a schema.
const rowSettings = `SELECT pg_catalog.set_config(name, value, true) FROM (VALUES ('datestyle', 'ISO, MDY'), ('intervalstyle', 'postgres'),
	('timezone', 'UTC'), ('bytea_output', 'hex'), ('extra_float_digits', '3'), ('enable_seqscan', 'off'), ('xmloption', 'content'),
	('row_security', 'off'), ('search_path', '"$user", public')) AS s (name, value)`

// Limits on the rows that a source returns.
const (
	maxColumns  = 1600     // MaxHeapAttributeNumber (access/htup_details.h)
	maxRowText  = 64 << 20 // of one row
	maxRowsText = 256 << 20
)

// RowsByKey looks rows up on a connection to the database, in a transaction that only
// reads.
func (s *Server) RowsByKey(ctx context.Context, t source.KeyedTable, keys [][]string) ([][]*string, error) {
	databases, err := s.databases(ctx)
	if err != nil {
		return nil, err
	}
	for _, db := range databases {
		if printable(db.name) == t.Database {
			found, err := s.rowsInDatabase(ctx, db, t, keys)
			if err != nil {
				return nil, s.failed(fmt.Sprintf("look up rows of %s.%s of", t.Schema, t.Name), err)
			}
			return found, nil
		}
	}
	return nil, fmt.Errorf("the source has no database %q: %w", t.Database, source.ErrNoSuchTable)
}

func (s *Server) rowsInDatabase(ctx context.Context, db database, t source.KeyedTable, keys [][]string) (found [][]*string, err error) {
	err = s.inDatabase(ctx, db, func(ctx context.Context, conn *conn) error {
		columns, err := keyColumns(ctx, conn, t)
		if err != nil {
			return err
		}
		var set string
		if err := conn.each(ctx, answer{rows: 100, width: 4 << 10}, []any{&set}, func() error { return nil }, rowSettings); err != nil {
			return err
		}
		found, err = lookUp(ctx, conn, t, columns, keys)
		return err
	})
	return found, err
}

// lookUp joins the table with the keys, which are sent as text. Values are written by their
// types' own output functions: a cast to text writes some differently, and any user can define one.
func lookUp(ctx context.Context, conn *conn, t source.KeyedTable, key []keyColumn, keys [][]string) ([][]*string, error) {
	var columns, arrays, names, conditions []string
	var args []any
	for _, c := range t.Columns {
		c = pgx.Identifier{c}.Sanitize()
		columns = append(columns, fmt.Sprintf("CASE WHEN pg_catalog.num_nulls(t.%s) OPERATOR(pg_catalog.=) 0 THEN pg_catalog.format('%%s', t.%s) END", c, c))
	}
	for i, k := range key {
		values := make([]string, len(keys))
		for j, key := range keys {
			values[j] = key[i]
		}
		args = append(args, values)
		arrays = append(arrays, fmt.Sprintf("pg_catalog.unnest($%d::pg_catalog.text[])", i+1))
		names = append(names, fmt.Sprintf("k%d", i))
		conditions = append(conditions, fmt.Sprintf("t.%s OPERATOR(%s) k.k%d::%s", pgx.Identifier{t.Columns[t.Key[i]]}.Sanitize(), k.equal, i, k.typ))
	}
	sql := fmt.Sprintf("SELECT k.i, %s FROM ROWS FROM (%s) WITH ORDINALITY AS k (%s, i) JOIN ONLY %s t ON %s",
		strings.Join(columns, ", "), strings.Join(arrays, ", "), strings.Join(names, ", "), pgx.Identifier{t.Schema, t.Name}.Sanitize(), strings.Join(conditions, " AND "))
	var i int64
	row := make([]*string, len(columns))
	into := []any{&i}
	for n := range row {
		into = append(into, &row[n])
	}
	found := make([][]*string, len(keys))
	err := conn.each(ctx, answer{rows: len(keys), width: maxRowText, bytes: maxRowsText}, into, func() error {
		if i < 1 || i > int64(len(keys)) {
			return errors.New("the source has a row of a key that it was not asked for")
		}
		found[i-1] = append([]*string(nil), row...)
		return nil
	}, sql, args...)
	return found, err
}

// keyColumn is the server's name for a column's type, or for the base type of its domain,
// and the operator by which the primary key compares it.
type keyColumn struct{ typ, equal string }

// keyColumnsSQL reads that for all columns of a table; columns outside the key have no
// operator. The third strategy of a B-tree is equality (access/stratnum.h). Keys with
// WITHOUT OVERLAPS use another kind of index.
const keyColumnsSQL = `SELECT a.attname::text,
		(WITH RECURSIVE base (oid, typmod) AS (
				SELECT a.atttypid, a.atttypmod
			UNION ALL
				SELECT d.typbasetype, d.typtypmod FROM base JOIN pg_catalog.pg_type d ON d.oid = base.oid WHERE d.typtype = 'd'
			) SELECT pg_catalog.format_type(base.oid, base.typmod) FROM base JOIN pg_catalog.pg_type b ON b.oid = base.oid WHERE b.typtype <> 'd'),
		CASE WHEN x.class IS NULL THEN '' ELSE COALESCE((
			SELECT pg_catalog.quote_ident(s.nspname) || '.' || o.oprname
			FROM pg_catalog.pg_opclass c JOIN pg_catalog.pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'
				JOIN pg_catalog.pg_amop p ON p.amopfamily = c.opcfamily AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype AND p.amopstrategy = 3
				JOIN pg_catalog.pg_operator o ON o.oid = p.amopopr JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace
			WHERE c.oid = x.class), 'pg_catalog.=') END
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN (
			SELECT i.indrelid, k.attnum, k.class
			FROM pg_catalog.pg_index i, ROWS FROM (pg_catalog.unnest(i.indkey::int2[]), pg_catalog.unnest(i.indclass::oid[])) AS k (attnum, class)
			WHERE i.indisprimary AND i.indisvalid
		) x ON x.indrelid = c.oid AND x.attnum = a.attnum
	WHERE n.nspname = $1 AND c.relname = $2`

// keyColumns asks for the columns of the key. It also checks that the server has a table
// with these columns and this primary key: otherwise the query would scan the whole table.
func keyColumns(ctx context.Context, conn *conn, t source.KeyedTable) ([]keyColumn, error) {
	columns := map[string]keyColumn{}
	var name string
	var c keyColumn
	err := conn.each(ctx, answer{rows: maxColumns, width: nameWidth}, []any{&name, &c.typ, &c.equal}, func() error {
		columns[name] = c
		return nil
	}, keyColumnsSQL, t.Schema, t.Name)
	if err != nil {
		return nil, err
	}
	for _, c := range t.Columns {
		if columns[c].typ == "" {
			return nil, fmt.Errorf("the source has no column %q of %s.%s: %w", c, t.Schema, t.Name, source.ErrNoSuchTable)
		}
	}
	key := make([]keyColumn, len(t.Key))
	for i, k := range t.Key {
		if key[i] = columns[t.Columns[k]]; key[i].equal == "" {
			return nil, fmt.Errorf("the source's %s.%s has another primary key: %w", t.Schema, t.Name, source.ErrNoSuchTable)
		}
	}
	return key, nil
}
