package main

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/lost/rows/export"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

const rowsScenario = "rows"

// rowsLost: what transactions do to rows and tables behind the fork, in ways that
// lost rows are told in.
func rowsLost(t cluster.T, in *cluster.Installation) (target, source *cluster.Cluster) {
	target, _ = primary(t, in)
	target.Exec(t, "DROP SCHEMA information_schema CASCADE") // three quarters of pg_attribute's rows are of views
	target.Exec(t,
		"CREATE TYPE mood AS ENUM ('sad', 'ok', 'very happy')",
		"CREATE TYPE pair AS (a integer, b text)",
		"CREATE DOMAIN label AS varchar(30)",
		"CREATE TABLE orders (id int PRIMARY KEY, customer label, total numeric(12,2), placed timestamptz, state mood, tags text[], doc jsonb, who pair, during int4range, seen inet, raw bytea, open boolean) WITH (fillfactor = 60)",
		"INSERT INTO orders SELECT i, 'customer ' || i, i * 1.25, '2026-01-01 12:00+00'::timestamptz + i * interval '1 day', 'ok', ARRAY['a', 'b c'], '{\"a\": [1, null, \"x\"]}', ROW(i, 'pair'::text)::pair, int4range(i, i + 5), '10.0.0.1/24', '\\x00ff', true FROM generate_series(1, 30) i",
		"CREATE TABLE words (id int PRIMARY KEY, found tsvector, wanted tsquery, of regtype, \"table\" regclass)",
		"CREATE TABLE toasted (id int PRIMARY KEY, note text, body text)", "ALTER TABLE toasted ALTER body SET STORAGE EXTERNAL",
		"INSERT INTO toasted SELECT i, 'before', repeat(chr(64 + i), 2500) FROM generate_series(1, 3) i",
		"CREATE TABLE less (id int PRIMARY KEY, gone text, kept text)", "INSERT INTO less VALUES (1, 'gone', 'one'), (2, 'gone', 'two')", "ALTER TABLE less DROP COLUMN gone",
		"CREATE TABLE more (id int PRIMARY KEY)", "INSERT INTO more VALUES (1), (2)", "ALTER TABLE more ADD COLUMN added text DEFAULT 'by default'",
		"CREATE TABLE emptied (id int PRIMARY KEY, t text)", "INSERT INTO emptied VALUES (1, 'one')",
		"CREATE TABLE dropped (id int PRIMARY KEY, t text)", "INSERT INTO dropped VALUES (1, 'one')",
		"CREATE TABLE rewritten (id int PRIMARY KEY, t text)", "INSERT INTO rewritten VALUES (1, 'one')",
		"CREATE TABLE retyped (id int PRIMARY KEY, v int)", "INSERT INTO retyped VALUES (1, 10)",
		"CREATE TABLE nokey (a int, \"Odd, \"\"name\" text)", "INSERT INTO nokey VALUES (1, 'x'), (2, NULL)",
		"SELECT lo_from_bytea(70001, 'an object of before')", "SELECT lo_from_bytea(70002, 'one that is removed')",
	)
	target.Exec(t, partitions(in)...)
	target.Exec(t, "VACUUM")
	source = target.Standby(t)
	commonCheckpoint(t, target)
	source.WaitCaughtUp(t, target)
	source.Promote(t)

	target.Exec(t,
		"INSERT INTO orders SELECT i, 'lost ' || i, i + 0.01, '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, ROW(NULL::int, 'a \"b\"'::text)::pair, 'empty', '::1', '', false FROM generate_series(100, 103) i",
		"UPDATE orders SET total = total + 1, state = NULL WHERE id IN (1, 2)",
		"UPDATE orders SET id = 200 WHERE id = 3",
		"DELETE FROM orders WHERE id = 4",
		"BEGIN; INSERT INTO orders (id, customer) VALUES (110, 'before the savepoint'); SAVEPOINT a; INSERT INTO orders (id) VALUES (111); UPDATE orders SET total = 0; ROLLBACK TO a; SAVEPOINT b; INSERT INTO orders (id, customer) VALUES (112, 'behind it'); RELEASE b; COMMIT",
		"BEGIN; INSERT INTO orders (id) VALUES (120); ROLLBACK",
		"BEGIN; INSERT INTO orders (id, customer) VALUES (130, 'prepared'); UPDATE orders SET open = NULL WHERE id = 5; PREPARE TRANSACTION 'committed'",
		"BEGIN; INSERT INTO orders (id) VALUES (131); PREPARE TRANSACTION 'open'",
		"INSERT INTO orders (id, customer) VALUES (6, 'conflict'), (140, 'none') ON CONFLICT (id) DO UPDATE SET customer = excluded.customer",
		"COMMIT PREPARED 'committed'",
		"BEGIN; SELECT * FROM orders WHERE id < 20 FOR UPDATE; COMMIT",
		"INSERT INTO words VALUES (1, 'a:1A fat:2B,4C cat:5D', '(fat | cat) & !rat:A*', 'timestamp[]', 'orders'), (2, '', '', 'mood', 'pg_class'), (3, NULL, 'it <-> sat <3> there', '\"char\"', 0)",
		"INSERT INTO toasted VALUES (4, 'new', repeat('new', 700))", "UPDATE toasted SET note = 'after' WHERE id = 1", "UPDATE toasted SET body = repeat('other', 420) WHERE id = 2", "DELETE FROM toasted WHERE id = 3",
		"INSERT INTO less VALUES (3, 'three')", "UPDATE less SET kept = 'uno' WHERE id = 1", "DELETE FROM less WHERE id = 2",
		"UPDATE more SET id = 10 WHERE id = 1", "INSERT INTO more VALUES (3, 'given')", "ALTER TABLE more ADD COLUMN later int DEFAULT 7", "DELETE FROM more WHERE id = 2",
		"INSERT INTO emptied VALUES (2, 'two')", "TRUNCATE emptied", "INSERT INTO emptied VALUES (3, 'three')",
		"INSERT INTO dropped VALUES (2, 'two')", "DELETE FROM dropped WHERE id = 1", "DROP TABLE dropped",
		"INSERT INTO rewritten VALUES (2, 'two')", "UPDATE rewritten SET t = 'uno' WHERE id = 1", "VACUUM FULL rewritten", "INSERT INTO rewritten VALUES (3, 'three')",
		"INSERT INTO retyped VALUES (2, 20)", "ALTER TABLE retyped ALTER v TYPE text USING 'n' || v", "INSERT INTO retyped VALUES (3, 'thirty')",
		"INSERT INTO measured VALUES ('2025-06-01', 1.5), ('2026-06-01', -2)", "UPDATE measured SET v = 0 WHERE at = '2025-01-01'",
		"UPDATE nokey SET a = a + 10 WHERE a = 1", "DELETE FROM nokey WHERE a = 2",
		"CREATE TABLE made AS SELECT i AS id, 'made ' || i AS t FROM generate_series(1, 3) i",
		"CREATE TABLE passing (id int, t text)", "INSERT INTO passing VALUES (1, 'here'), (2, 'and gone')", "UPDATE passing SET t = 'changed' WHERE id = 1", "DROP TABLE passing",
		"SELECT lo_from_bytea(70003, 'a new object')", "SELECT lo_put(70001, 3, 'OBJECT')", "SELECT lo_unlink(70002)",
	)
	conn := target.Connect(t, "postgres")
	_, err := conn.PgConn().CopyFrom(context.Background(), strings.NewReader("150\tcopied\n151\tcopied, too\n"), "COPY orders (id, customer) FROM STDIN")
	if closing := conn.Close(context.Background()); err == nil {
		err = closing
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	target.Stop(t, cluster.Fast)
	source.Exec(t, "UPDATE orders SET customer = 'of the source' WHERE id = 1", "CHECKPOINT")
	source.Stop(t, cluster.Fast)
	return target, source
}

// partitions makes a table with two parts, in the way of the major.
func partitions(in *cluster.Installation) []string {
	if in.Version.ServerNum < 1000 {
		return []string{
			"CREATE TABLE measured (at date, v real)", "CREATE TABLE measured_2025 () INHERITS (measured)", "CREATE TABLE measured_2026 () INHERITS (measured)",
			"CREATE RULE to_2025 AS ON INSERT TO measured WHERE (NEW.at < '2026-01-01') DO INSTEAD INSERT INTO measured_2025 VALUES (NEW.*)",
			"CREATE RULE to_2026 AS ON INSERT TO measured WHERE (NEW.at >= '2026-01-01') DO INSTEAD INSERT INTO measured_2026 VALUES (NEW.*)",
			"INSERT INTO measured VALUES ('2025-01-01', 1)",
		}
	}
	return []string{
		"CREATE TABLE measured (at date, v real) PARTITION BY RANGE (at)",
		"CREATE TABLE measured_2025 PARTITION OF measured FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
		"CREATE TABLE measured_2026 PARTITION OF measured FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
		"INSERT INTO measured VALUES ('2025-01-01', 1)",
	}
}

// Catalogs that lost rows are read with (catalog/database.go), but for those that are
// large and needed by few columns.
var (
	rowCatalogs    = []string{"1247", "1249", "1259", "2610", "2611", "2613", "2615", "2995", "3501", "3541", "1260", "1262"}
	relationFile   = regexp.MustCompile(`^(?:global|base/\d+)/(\d+)$`)
	filesWithRows  = regexp.MustCompile(`^(?:base/\d+|global)/pg_filenode\.map$|^(?:pg_xact|pg_clog)/`)
	blockSize      = 8192
	firstNormalOID = 5 // digits
)

// hasRows tells the files that lost rows are read from.
func hasRows(p string) (isRelation, ok bool) {
	if m := relationFile.FindStringSubmatch(p); m != nil {
		return true, len(m[1]) >= firstNormalOID || slices.Contains(rowCatalogs, m[1])
	}
	return false, filesWithRows.MatchString(p)
}

// withoutHoles has zeros where pages have nothing, which there can be anything.
func withoutHoles(b []byte) {
	for ; len(b) >= blockSize; b = b[blockSize:] {
		lower, upper := int(binary.LittleEndian.Uint16(b[12:])), int(binary.LittleEndian.Uint16(b[14:]))
		if lower >= 24 && lower <= upper && upper <= blockSize {
			clear(b[lower:upper])
		}
	}
}

// saveRows writes down the lost rows as they are told from the whole clusters: what is
// stored of these must be enough to tell them again.
func saveRows(m *maker, target, src *cluster.Cluster, dir string) {
	for _, format := range []export.Format{export.CSV, export.JSONL, export.SQL} {
		to := filepath.Join(dir, savedcluster.RowsName, string(format))
		if err := writeRows(target.Dir, src.Dir, to, format); err != nil {
			m.Fatalf("%v", err)
		}
		if err := savedcluster.StripTargetPath(to, target.Dir); err != nil {
			m.Fatalf("%v", err)
		}
	}
}

func writeRows(target, src, to string, format export.Format) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	from, err := source.OpenDir(src)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	ctx := context.Background()
	l, err := rewind.FindLostRows(ctx, rewind.LostRowsOptions{TargetDir: target, Source: from})
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	_, err = l.Write(ctx, to, rewind.LostRowsFormat{Format: format})
	return err
}
