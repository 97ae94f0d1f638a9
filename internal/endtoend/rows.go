package endtoend

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/internal/pgtest"
)

// SameRows compares the rows of two servers in all databases. The standby is read
// first: reading the primary sets hint bits, and the WAL of those would repair the
// standby's pages.
func SameRows(t pgtest.T, want, got *pgtest.Cluster) error {
	t.Helper()
	g, gerr := rowsOf(got)
	w, err := rowsOf(want)
	if err != nil {
		t.Fatalf("%s cannot read its own rows: %v", want.Name, err)
	}
	if gerr != nil {
		return fmt.Errorf("its rows cannot be read: %w", gerr)
	}
	var diff []string
	all := maps.Clone(w)
	maps.Copy(all, g)
	for _, what := range slices.Sorted(maps.Keys(all)) {
		if w[what] != g[what] {
			diff = append(diff, fmt.Sprintf("%s: %q, but the target has %q", what, w[what], g[what]))
		}
	}
	if len(diff) > 0 {
		return fmt.Errorf("rows differ: %s", shortened(diff))
	}
	return nil
}

const (
	// DatabasesQuery names the databases that are compared.
	DatabasesQuery = "SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template0' ORDER BY 1"
	tablesQuery    = `SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE relkind IN ('r', 'm') AND relpersistence = 'p' AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1`
	relationsQuery = `SELECT count(*), md5(string_agg(oid || ':' || relname || ':' || relfilenode, '|' ORDER BY oid)) FROM pg_class`
)

// rowsOf is a digest of every table of every database that a standby can read.
// Tables are read by sequential scans.
func rowsOf(c *pgtest.Cluster) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	all := map[string]string{}
	// Connections are expensive: the one that lists the databases also reads one of them.
	conn, err := pgconn.Connect(ctx, c.ConnString("postgres"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	databases, err := ask(ctx, conn, DatabasesQuery)
	if err != nil {
		return nil, err
	}
	for _, db := range databases {
		if err := databaseRows(ctx, c, conn, db[0], all); err != nil {
			return nil, fmt.Errorf("database %s: %w", db[0], err)
		}
	}
	return all, nil
}

func databaseRows(ctx context.Context, c *pgtest.Cluster, conn *pgconn.PgConn, db string, all map[string]string) error {
	if db != "postgres" {
		var err error
		if conn, err = pgconn.Connect(ctx, c.ConnString(db)); err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
	}
	if _, err := ask(ctx, conn, "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off"); err != nil {
		return err
	}
	tables, err := ask(ctx, conn, tablesQuery)
	if err != nil {
		return err
	}
	queries := map[string]string{"relations": relationsQuery}
	for _, t := range tables {
		queries[t[0]] = fmt.Sprintf("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM %s t", t[0])
	}
	for name, sql := range queries {
		rows, err := ask(ctx, conn, sql)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all[db+"."+name] = strings.Join(rows[0], " ")
	}
	return nil
}
