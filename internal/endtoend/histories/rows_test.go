package histories_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
)

// A table of a history: how to create and change it, and the queries that must keep
// working.
type table struct {
	name   string
	make   []string
	insert string   // inserts one or more rows; %d is a number
	change []string // %d is a number
	// counts are queries that find all rows by an index scan.
	counts []string
}

var tables = []table{
	{
		name: "t0",
		make: []string{
			"CREATE TABLE t0 (id serial PRIMARY KEY, v int, pad text) WITH (fillfactor = 70)",
			"CREATE INDEX t0_v ON t0 (v)",
		},
		insert: "INSERT INTO t0 (v, pad) SELECT g %% 97, repeat('x', 20 + g %% 200) FROM generate_series(%[1]d, %[1]d + 200) g",
		change: []string{
			"UPDATE t0 SET v = v + 1 WHERE id %% 7 = %d %% 7",
			"UPDATE t0 SET pad = 'u' WHERE id %% 11 = %d %% 11",
			"DELETE FROM t0 WHERE id %% 13 = %d %% 13",
			"SELECT count(*) FROM (SELECT * FROM t0 WHERE id %% 17 = %d %% 17 FOR UPDATE) x",
			"BEGIN; SAVEPOINT a; UPDATE t0 SET v = 0 WHERE id %% 5 = %[1]d %% 5; ROLLBACK TO a; UPDATE t0 SET v = -1 WHERE id %% 19 = %[1]d %% 19; COMMIT",
			"BEGIN; UPDATE t0 SET v = 5 WHERE id %% 3 = %d %% 3; ROLLBACK",
		},
		counts: []string{"SELECT count(*) FROM t0 WHERE id >= 0", "SELECT count(*) FROM t0 WHERE v > -1000000"},
	},
	{
		name:   "t1",
		make:   []string{"CREATE TABLE t1 (id int, ids int[])", "CREATE INDEX t1_ids ON t1 USING gin (ids)"},
		insert: "INSERT INTO t1 SELECT g, ARRAY[1, g %% 10, g %% 100] FROM generate_series(%[1]d, %[1]d + 100) g",
		change: []string{"DELETE FROM t1 WHERE id %% 5 = %d %% 5", "UPDATE t1 SET ids = ids || 7 WHERE id %% 9 = %d %% 9"},
		counts: []string{"SELECT count(*) FROM t1 WHERE ids @> ARRAY[1]"},
	},
	{
		name:   "t2",
		make:   []string{"CREATE TABLE t2 (s text)", "CREATE INDEX t2_s ON t2 USING spgist (s)"},
		insert: "INSERT INTO t2 SELECT md5((g %% 5000)::text) || repeat('s', g %% 50) FROM generate_series(%[1]d, %[1]d + 300) g",
		change: []string{"DELETE FROM t2 WHERE s LIKE chr(ascii('a') + %d %% 6) || '%%'", "INSERT INTO t2 SELECT chr(65 + %d %% 50) || 'q'"},
		counts: []string{"SELECT count(*) FROM t2 WHERE s >= ''"},
	},
	{
		name: "t3",
		make: []string{
			"CREATE TABLE t3 (id int, p point, r int4range)", "CREATE INDEX t3_p ON t3 USING gist (p)",
			"CREATE INDEX t3_id ON t3 USING brin (id)", "CREATE INDEX t3_r ON t3 USING gist (r)",
		},
		insert: "INSERT INTO t3 SELECT g, point(g %% 100, g %% 37), int4range(g %% 50, 100) FROM generate_series(%[1]d, %[1]d + 100) g",
		change: []string{"DELETE FROM t3 WHERE id %% 4 = %d %% 4", "UPDATE t3 SET p = point(1, id) WHERE id %% 6 = %d %% 6"},
		counts: []string{"SELECT count(*) FROM t3 WHERE p <@ box(point(-1e9, -1e9), point(1e9, 1e9))", "SELECT count(*) FROM t3 WHERE r @> 75", "SELECT count(*) FROM t3 WHERE id >= 0"},
	},
	{
		name:   "t4",
		make:   []string{"CREATE TABLE t4 (id int, pad text)", "CREATE INDEX t4_id ON t4 (id)"},
		insert: "INSERT INTO t4 SELECT g, repeat('p', g %% 300) FROM generate_series(%[1]d, %[1]d + 300) g",
		change: []string{
			"BEGIN; TRUNCATE t4; INSERT INTO t4 SELECT g FROM generate_series(1, %d %% 500) g; COMMIT",
			"DELETE FROM t4 WHERE id > %d %% 1000; VACUUM t4", "VACUUM FULL t4", "CLUSTER t4 USING t4_id", "REINDEX TABLE t4",
			"ALTER TABLE t4 ALTER id TYPE bigint; ALTER TABLE t4 ALTER id TYPE int",
			"DELETE FROM t4 WHERE ctid > '(3,0)'; VACUUM t4; COPY t4 (id) FROM PROGRAM 'seq 2000'",
			"BEGIN; TRUNCATE t4; COPY t4 (id) FROM PROGRAM 'seq 50'; COMMIT",
		},
		counts: []string{"SELECT count(*) FROM t4 WHERE id >= 0"},
	},
	{
		name:   "t5",
		make:   []string{"CREATE TABLE t5 (id serial PRIMARY KEY, big text)", "ALTER TABLE t5 ALTER big SET STORAGE EXTERNAL"},
		insert: "INSERT INTO t5 (big) SELECT repeat(md5(g::text), 200) FROM generate_series(%[1]d, %[1]d + 10) g",
		change: []string{"UPDATE t5 SET big = big || 'z' WHERE id %% 3 = %d %% 3", "DELETE FROM t5 WHERE id %% 5 = %d %% 5"},
		counts: []string{"SELECT count(*) FROM t5 WHERE id >= 0"},
	},
	{
		name:   "u",
		make:   []string{"CREATE UNLOGGED TABLE u (id int, pad text)", "CREATE INDEX u_id ON u (id)"},
		insert: "INSERT INTO u SELECT g, 'u' FROM generate_series(%[1]d, %[1]d + 100) g",
		change: []string{"DELETE FROM u WHERE id %% 2 = %d %% 2"},
		counts: []string{"SELECT count(*) FROM u WHERE id >= 0"},
	},
}

// hashed counts all rows of t0 by its hash index.
const hashed = "SELECT coalesce(sum((SELECT count(*) FROM t0 x WHERE x.v = d.v)), 0) FROM (SELECT DISTINCT v FROM t0 ORDER BY v LIMIT 30) d"

// schema returns the statements that create all tables.
func schema(in *pgtest.Installation) []string {
	var all []string
	for _, t := range tables {
		all = append(all, t.make...)
	}
	if in.LogsHashIndexes() {
		all = append(all, "CREATE INDEX t0_h ON t0 USING hash (v)")
	}
	return all
}

// whole are statements that are not about one of the tables; %d is a number.
var whole = []string{
	"VACUUM", "VACUUM FREEZE t0", "VACUUM t1", "VACUUM t2", "ANALYZE",
	"CREATE TABLE x%[1]d AS SELECT g, repeat('c', 50) AS c FROM generate_series(1, 500) g",
	"DO $$ DECLARE r text; BEGIN SELECT relname INTO r FROM pg_class WHERE relname LIKE 'x%%' AND relkind = 'r' ORDER BY 1 LIMIT 1; IF r IS NOT NULL THEN EXECUTE 'DROP TABLE ' || r; END IF; END $$",
	"CREATE INDEX ON t1 (id, (%d))", "SELECT nextval('t0_id_seq') FROM generate_series(1, 40)",
	"SELECT count(*) FROM t0; SELECT count(*) FROM t1; SELECT count(*) FROM t2; SELECT count(*) FROM t4", // sets hint bits
}

// write changes rows of a database.
func (w *world) write(r *rand.Rand, n *node, db string, statements int) {
	for range statements {
		t := tables[r.IntN(len(tables))]
		number := r.IntN(100000)
		var sql string
		switch r.IntN(10) {
		case 0, 1, 2, 3, 4:
			sql = t.insert
		case 5, 6, 7, 8:
			sql = t.change[r.IntN(len(t.change))]
		default:
			sql = whole[r.IntN(len(whole))]
		}
		w.do(n, db, w.fill(sql, number))
	}
}

// fill puts a number into a statement, if it has a place for one.
func (w *world) fill(sql string, number int) string {
	if !strings.Contains(strings.ReplaceAll(sql, "%%", ""), "%") {
		return strings.ReplaceAll(sql, "%%", "%")
	}
	return fmt.Sprintf(sql, number)
}

// complete returns nil if, in all databases, indexes find what is in the tables,
// and rows can be inserted into every table.
func complete(n *node) error {
	databases, err := n.query("postgres", endtoend.DatabasesQuery)
	if err != nil {
		return err
	}
	for _, row := range databases {
		db := row[0]
		if err := completeDatabase(n, db); err != nil {
			return fmt.Errorf("database %s: %w", db, err)
		}
	}
	return nil
}

func completeDatabase(n *node, db string) error {
	for round := range 2 { // the second must find the rows of the first
		for _, t := range tables {
			if rows, err := n.query(db, "SELECT count(*) FROM pg_class WHERE relname = '"+t.name+"'"); err != nil || rows[0][0] == "0" {
				if err != nil {
					return err
				}
				continue // a database without tables
			}
			counts := t.counts
			if t.name == "t0" {
				counts = append([]string{hashed}, counts...)
			}
			for _, sql := range counts {
				if err := samePaths(n, db, sql); err != nil {
					return err
				}
			}
			if round == 0 {
				for _, sql := range []string{t.insert, t.insert} {
					if _, err := n.query(db, fmt.Sprintf(sql, 1000000)); err != nil {
						return fmt.Errorf("an insert into %s: %w", t.name, err)
					}
				}
			}
		}
	}
	return amcheck(n, db)
}

// samePaths returns nil if a query has the same result by sequential scan and by
// index scan.
func samePaths(n *node, db, sql string) error {
	var found [2]string
	for i, how := range []string{
		"SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; ",
		"SET enable_seqscan = off; ",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		rows, err := n.c.TryQuery(ctx, db, how+sql)
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
		found[i] = rows[0][0]
	}
	if found[0] != found[1] {
		return fmt.Errorf("%s: %s by reading the table, %s by the index", sql, found[0], found[1])
	}
	return nil
}

// amcheck checks all B-trees and all tables, as far as the server can.
func amcheck(n *node, db string) error {
	rows, err := n.query(db, "SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'")
	if err != nil || rows[0][0] == "0" {
		return err
	}
	if _, err := n.query(db, "CREATE EXTENSION IF NOT EXISTS amcheck"); err != nil {
		return nil // amcheck is not installed
	}
	has, err := n.query(db, "SELECT proname, max(pronargs) FROM pg_proc WHERE proname IN ('bt_index_check', 'verify_heapam') GROUP BY 1")
	if err != nil {
		return err
	}
	for _, f := range has {
		sql := `SELECT bt_index_check(c.oid) FROM pg_class c JOIN pg_am a ON a.oid = relam JOIN pg_index i ON i.indexrelid = c.oid
			WHERE amname = 'btree' AND relpersistence = 'p' AND indisvalid`
		switch {
		case f[0] == "verify_heapam":
			sql = `SELECT DISTINCT v.msg FROM pg_class c, LATERAL verify_heapam(c.oid) v WHERE relkind IN ('r', 't', 'm') AND relpersistence = 'p'`
		case f[1] > "1":
			sql = strings.Replace(sql, "(c.oid)", "(c.oid, true)", 1)
		}
		rows, err := n.query(db, sql)
		if err != nil {
			return fmt.Errorf("amcheck: %w", err)
		}
		if f[0] == "verify_heapam" && len(rows) > 0 {
			return fmt.Errorf("amcheck: %q", rows)
		}
	}
	return nil
}
