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

// rowSettings make the server write values as package heap/types does, and look rows
// up by index.
const rowSettings = `SELECT pg_catalog.set_config(name, value, true) FROM (VALUES ('datestyle', 'ISO, MDY'), ('intervalstyle', 'postgres'),
	('timezone', 'UTC'), ('bytea_output', 'hex'), ('extra_float_digits', '3'), ('enable_seqscan', 'off'), ('xmloption', 'content'),
	('search_path', '"$user", public')) AS s (name, value)`

// How much a source can make of the rows that it is asked for.
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
		var set string
		if err := conn.each(ctx, answer{rows: 100, width: 4 << 10}, []any{&set}, func() error { return nil }, rowSettings); err != nil {
			return err
		}
		found, err = lookUp(ctx, conn, t, keys)
		return err
	})
	return found, err
}

// lookUp joins the table with the keys, which come as text.
func lookUp(ctx context.Context, conn *conn, t source.KeyedTable, keys [][]string) ([][]*string, error) {
	types, err := columnTypes(ctx, conn, t)
	if err != nil {
		return nil, err
	}
	var columns, arrays, names, conditions []string
	var args []any
	for _, c := range t.Columns {
		columns = append(columns, "t."+pgx.Identifier{c}.Sanitize()+"::pg_catalog.text")
	}
	for i, k := range t.Key {
		values := make([]string, len(keys))
		for j, key := range keys {
			values[j] = key[i]
		}
		args = append(args, values)
		arrays = append(arrays, fmt.Sprintf("pg_catalog.unnest($%d::pg_catalog.text[])", i+1))
		names = append(names, fmt.Sprintf("k%d", i))
		conditions = append(conditions, fmt.Sprintf("t.%s = k.k%d::%s", pgx.Identifier{t.Columns[k]}.Sanitize(), i, types[t.Columns[k]]))
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
	err = conn.each(ctx, answer{rows: len(keys), width: maxRowText, bytes: maxRowsText}, into, func() error {
		if i < 1 || i > int64(len(keys)) {
			return errors.New("the source has a row of a key that it was not asked for")
		}
		found[i-1] = append([]*string(nil), row...)
		return nil
	}, sql, args...)
	return found, err
}

// columnTypes asks how the server calls the types of a table's columns, and whether it
// has a table with these and this primary key: without that it would be read from end
// to end.
func columnTypes(ctx context.Context, conn *conn, t source.KeyedTable) (map[string]string, error) {
	types, inKey := map[string]string{}, map[string]bool{}
	var name, typ string
	var key bool
	err := conn.each(ctx, answer{rows: maxColumns, width: nameWidth}, []any{&name, &typ, &key}, func() error {
		types[name], inKey[name] = typ, key
		return nil
	}, `SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), COALESCE(a.attnum = ANY (x.indkey::int2[]), false)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			LEFT JOIN pg_catalog.pg_index x ON x.indrelid = c.oid AND x.indisprimary AND x.indisvalid
		WHERE n.nspname = $1 AND c.relname = $2`, t.Schema, t.Name)
	if err != nil {
		return nil, err
	}
	for _, c := range t.Columns {
		if types[c] == "" {
			return nil, fmt.Errorf("the source has no column %q of %s.%s: %w", c, t.Schema, t.Name, source.ErrNoSuchTable)
		}
	}
	for _, k := range t.Key {
		if !inKey[t.Columns[k]] {
			return nil, fmt.Errorf("the source's %s.%s has another primary key: %w", t.Schema, t.Name, source.ErrNoSuchTable)
		}
	}
	return types, nil
}
