package rows_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
	"github.com/gorewind/gorewind/internal/schemacheck"
	"github.com/gorewind/gorewind/lost/rows/export"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source/pgsource"
)

// hostile is a name that would do harm in a path, on a terminal, or in SQL.
const hostile = `../../x"'; DROP TABLE orders; -- ` + "\x1b[2J\n\\"

func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// Before a rewind, the rows that it loses are written in every format, from a target
// that was stopped or crashed. The target is not changed. The SQL gives the new server
// the old one's rows.
func TestLostRowsAreExported(t *testing.T) {
	pgtest.EachOf(t, []string{"9.6", "13", "18"}, func(t *testing.T, in *pgtest.Installation) {
		for _, mode := range []pgtest.StopMode{pgtest.Fast, pgtest.Immediate} {
			writtenDown(t, in, mode)
		}
	})
}

func writtenDown(t *testing.T, in *pgtest.Installation, mode pgtest.StopMode) {
	target := in.InitCluster(t, pgtest.Options{})
	target.Start(t)
	target.Exec(t,
		"CREATE TABLE orders (id int PRIMARY KEY, what text, n numeric, at timestamptz, doc jsonb, raw bytea)",
		"INSERT INTO orders SELECT i, 'old ' || i, i, now(), NULL, NULL FROM generate_series(1, 20) i",
		"CREATE TABLE nokey (a int)",
		"CREATE TABLE "+quoteIdent(hostile)+" (id int PRIMARY KEY, "+quoteIdent(hostile)+" text)",
		"CREATE TABLE parent (a int)", "CREATE TABLE part (CHECK (a > 0)) INHERITS (parent)",
	)
	src := target.Standby(t)
	src.Promote(t)
	target.Exec(t,
		"INSERT INTO orders VALUES (100, 'new', 1.50, '2024-01-01 12:00+00', '{\"a\": [1]}', '\\x00ff'), (101, '', NULL, NULL, NULL, ''), (102, E'quo''te \\\\ \\n new line, \"', 0, NULL, 'null', NULL)",
		"UPDATE orders SET what = repeat(md5('x'), 500) WHERE id = 1",
		"UPDATE orders SET id = 200 WHERE id = 2",
		"DELETE FROM orders WHERE id = 3",
		"BEGIN; INSERT INTO orders VALUES (999, 'rolled back'); ROLLBACK",
		"INSERT INTO part VALUES (7)",
		"INSERT INTO "+quoteIdent(hostile)+" VALUES (1, 'x'), (2, "+"E'\\x1b')",
	)
	want := target.CopyOut(t, "postgres", "COPY (SELECT * FROM orders ORDER BY id) TO STDOUT")
	target.Stop(t, mode)
	src.Stop(t, pgtest.Fast)

	before := tree(t, target.Dir)
	find := func() *rewind.LostRows {
		l, err := rewind.FindLostRows(t.Context(), rewind.LostRowsOptions{TargetDir: target.Dir, Source: endtoend.OpenDir(t, src.Dir)})
		require.NoError(t, err)
		return l
	}
	base := t.TempDir()
	for _, format := range []export.Format{export.CSV, export.JSONL, export.SQL} {
		l := find()
		dir := filepath.Join(base, string(format))
		s, err := l.Write(t.Context(), dir, rewind.LostRowsFormat{Format: format})
		require.NoError(t, err)
		require.NoError(t, l.Close())
		assert.EqualValues(t, []int64{6, 2, 1, 0}, []int64{s.Inserted, s.Updated, s.Deleted, s.Unknown}, "%s %s", format, mode)
		assert.Equal(t, 7-1, s.Transactions)
		mustBePrivate(t, dir)
		mustFollowSchema(t, filepath.Join(dir, "summary.json"))
	}
	assert.Equal(t, before, tree(t, target.Dir), "the target is as it was")

	mustHaveCSV(t, filepath.Join(base, "csv"))
	mustHaveJSON(t, filepath.Join(base, "jsonl", "postgres", "public.orders.jsonl"))

	// Without a source, the LSN of the divergence is enough.
	l := find()
	lsn, err := pgdata.ParseLSN(l.About.Divergence)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	l, err = rewind.FindLostRows(t.Context(), rewind.LostRowsOptions{
		TargetDir: target.Dir, Since: rewind.Since{LSN: lsn, Timeline: 1}, Tables: []string{"orders"},
	})
	require.NoError(t, err)
	n := 0
	for _, err := range l.Changes(t.Context()) {
		require.NoError(t, err)
		n++
	}
	require.NoError(t, l.Close())
	assert.Equal(t, 6, n)
	_, err = rewind.FindLostRows(t.Context(), rewind.LostRowsOptions{TargetDir: target.Dir, Since: rewind.Since{LSN: lsn, Timeline: 2}})
	require.ErrorIs(t, err, rewind.ErrOptions)

	src.Start(t)
	statements, err := os.ReadFile(filepath.Join(base, "sql", "postgres", "lost.sql"))
	require.NoError(t, err)
	src.Exec(t, string(statements))
	assert.Equal(t, want, src.CopyOut(t, "postgres", "COPY (SELECT * FROM orders ORDER BY id) TO STDOUT"))
	assert.Equal(t, "2", src.QueryString(t, "SELECT count(*) FROM "+quoteIdent(hostile)))
	src.Stop(t, pgtest.Fast)
}

func tree(t *testing.T, dir string) dirtree.Tree {
	t.Helper()
	tree, err := dirtree.Read(dir)
	require.NoError(t, err)
	return tree
}

func mustBePrivate(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		if d.IsDir() {
			assert.Equal(t, os.FileMode(0o700), info.Mode().Perm(), p)
		} else {
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), p)
		}
		return nil
	}))
}

func mustFollowSchema(t *testing.T, file string) {
	t.Helper()
	schema, err := schemacheck.Compile(export.Schema)
	require.NoError(t, err)
	document, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, schema.Validate(document))
}

func mustHaveCSV(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "postgres", "*"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	slices.Sort(files)
	assert.Equal(t, []string{`public...%2F..%2Fx%22%27%3B%20DROP%20TABLE%20orders%3B%20--%20%1B%5B2J%0A%5C.csv`, "public.orders.csv", "public.part.csv"}, files)
	text, err := os.ReadFile(filepath.Join(dir, "postgres", "public.orders.csv"))
	require.NoError(t, err)
	lines, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, []string{"_operation", "_xid", "_committed_at", "_version", "_note", "id", "what", "n", "at", "doc", "raw"}, lines[0])
	var got [][]string
	for _, l := range lines[1:] {
		got = append(got, append([]string{l[0], l[3], l[4]}, l[5:7]...))
	}
	long := strings.Repeat("9dd4e461268c8034f5c8564e155c67a6", 500)
	assert.Equal(t, [][]string{
		{"insert", "new", "", "100", "new"},
		{"insert", "new", "", "101", ""},
		{"insert", "new", "", "102", "quo'te \\ \n new line, \""},
		{"update", "old", "", "1", "old 1"},
		{"update", "new", "", "1", long},
		{"update", "old", "", "2", "old 2"},
		{"update", "new", "", "200", "old 2"},
		{"delete", "old", "", "3", "old 3"},
	}, got)
	assert.Contains(t, string(text), `101,"",,,,\x`+"\n", "an empty text is not NULL")
}

func mustHaveJSON(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	var line struct {
		Operation string
		New       map[string]*string
	}
	require.NoError(t, json.Unmarshal([]byte(first), &line))
	assert.Equal(t, "insert", line.Operation)
	assert.Equal(t, `{"a": [1]}`, *line.New["doc"])
	assert.Equal(t, "2024-01-01 12:00:00+00", *line.New["at"])
	assert.Equal(t, "1.50", *line.New["n"])
}

// The lost rows are among what a rewind saves.
func TestARewindSavesLostRows(t *testing.T) {
	pgtest.EachOf(t, []string{"17"}, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{})
		target.Start(t)
		target.Exec(t, "CREATE TABLE t (a int PRIMARY KEY)")
		src := target.Standby(t)
		src.Promote(t)
		src.Stop(t, pgtest.Fast)
		target.Exec(t, "INSERT INTO t VALUES (42)")
		target.Stop(t, pgtest.Fast)
		saved := filepath.Join(t.TempDir(), "saved")
		r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: target.Dir, Source: endtoend.OpenDir(t, src.Dir), SaveLost: saved})
		require.NoError(t, err)
		require.NoError(t, r.Apply(t.Context()))
		require.NoError(t, r.Close())
		text, err := os.ReadFile(filepath.Join(saved, rewind.LostRowsDir, "postgres", "public.t.csv"))
		require.NoError(t, err)
		assert.Contains(t, string(text), ",new,,42\n")
	})
}

// compareLost stops the target and writes its lost rows, compared with the running source.
func compareLost(t *testing.T, target, src *pgtest.Cluster) (dir string, s *export.Summary) {
	t.Helper()
	target.Stop(t, pgtest.Fast)
	server, err := pgsource.Open(t.Context(), src.ConnString("postgres"), pgsource.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	l, err := rewind.FindLostRows(t.Context(), rewind.LostRowsOptions{TargetDir: target.Dir, Source: server})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	dir = t.TempDir()
	s, err = l.Write(t.Context(), dir, rewind.LostRowsFormat{Format: export.JSONL, Compare: true})
	require.NoError(t, err)
	return dir, s
}

// For the key of each lost row, it is reported what the new server has now.
func TestLostRowsAreComparedWithTheSource(t *testing.T) {
	pgtest.EachOf(t, []string{"9.6", "18"}, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{})
		target.Start(t)
		target.Exec(t,
			`CREATE TABLE "Odd ""one" (a int, "b c" text, v text, f float8, at timestamptz, PRIMARY KEY ("b c", a))`,
			`INSERT INTO "Odd ""one" VALUES (1, 'one', 'old', 0.1, now()), (2, 'two', 'old', 1e300, '2000-01-01')`,
			"CREATE TABLE nokey (a int)", "CREATE TABLE missing (a int PRIMARY KEY)", "INSERT INTO missing VALUES (1)",
		)
		src := target.Standby(t)
		src.Promote(t)
		target.Exec(t,
			`INSERT INTO "Odd ""one" VALUES (3, 'same', 'x', 0.1, '2020-01-01 00:00+00'), (4, 'absent', 'x', 1, NULL), (5, 'different', 'x', 1, NULL)`,
			`UPDATE "Odd ""one" SET v = 'new' WHERE a = 1`, `DELETE FROM "Odd ""one" WHERE a = 2`,
			"INSERT INTO nokey VALUES (1)", "UPDATE missing SET a = 2", "CREATE TABLE only_here (a int PRIMARY KEY)", "INSERT INTO only_here VALUES (1)",
		)
		src.Exec(t,
			`INSERT INTO "Odd ""one" VALUES (3, 'same', 'x', 0.1, '2020-01-01 02:00+02'), (5, 'different', 'y', 1, NULL)`, "DROP TABLE missing",
		)
		dir, s := compareLost(t, target, src)
		mustFollowSchema(t, filepath.Join(dir, "summary.json"))
		assert.Equal(t, map[string]int64{"same": 2, "absent": 1, "different": 2, "unknown": 3}, s.Source)
		var got []string
		for _, table := range s.Tables {
			text, err := os.ReadFile(filepath.Join(dir, table.File))
			require.NoError(t, err)
			for one := range strings.Lines(string(text)) {
				var c struct {
					Operation, Source string
					SourceRow         map[string]*string `json:"source_row"`
					SourceNote        string             `json:"source_note"`
				}
				require.NoError(t, json.Unmarshal([]byte(one), &c))
				row := ""
				if c.SourceRow != nil {
					row = " v = " + *c.SourceRow["v"]
				}
				got = append(got, strings.TrimSpace(table.Name+" "+c.Operation+" "+c.Source+row))
				assert.Equal(t, c.Source == "unknown", c.SourceNote != "", one)
			}
		}
		assert.Equal(t, []string{
			`Odd "one insert same`, `Odd "one insert absent`, `Odd "one insert different v = y`, `Odd "one update different v = old`, `Odd "one delete same`,
			"missing update unknown", "nokey insert unknown", "only_here insert unknown",
		}, got)
	})
}

// A value on the source is compared in its type's text form. Nothing that users made
// there is called for that: no operators, casts or domain checks.
func TestLostRowsAreComparedWithoutWhatUsersMade(t *testing.T) {
	pgtest.EachOf(t, []string{"9.6", "18"}, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{})
		target.Start(t)
		target.Exec(t, "CREATE TYPE mood AS ENUM ('glad', 'sad')", "CREATE DOMAIN code AS varchar(10)",
			"CREATE TABLE t (k varchar(10), d code, b bool, c char(5), i inet, m mood, r regclass, n text, p point, PRIMARY KEY (k, d))",
			"CREATE TABLE guarded (a int PRIMARY KEY)")
		src := target.Standby(t)
		src.Promote(t)
		const row = "INSERT INTO t VALUES ('a', 'b', true, 'x', '10.0.0.1', 'glad', 't', NULL, '(1,2)'), ('c', 'd', false, '', '10.0.0.0/8', 'sad', 'pg_class', '', NULL)"
		target.Exec(t, row, "INSERT INTO guarded VALUES (1)")
		src.Exec(t, row,
			"CREATE FUNCTION trap(anyelement) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE ''called''; END'",
			"CREATE FUNCTION trap(varchar, varchar) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE ''called''; END'",
			"CREATE FUNCTION trap(mood) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''called''; END'",
			"CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, PROCEDURE = trap)",
			"CREATE CAST (mood AS text) WITH FUNCTION trap(mood)",
			"ALTER DOMAIN code ADD CHECK (trap(VALUE)) NOT VALID",
		)
		dir, s := compareLost(t, target, src)
		text, err := os.ReadFile(filepath.Join(dir, s.Tables[len(s.Tables)-1].File))
		require.NoError(t, err)
		assert.Equal(t, map[string]int64{"same": 2, "absent": 1}, s.Source, string(text))
	})
}
