package rows_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/lost/rows"
	"github.com/gorewind/gorewind/pgdata"
)

// described returns the lost rows by database and table.
func described(t *testing.T, c *pgtest.Cluster, fork pgdata.LSN) (map[string][]string, map[string]*rows.Table) {
	t.Helper()
	dir, err := datadir.Open(c.Dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, dir.Close()) }()
	f, err := rows.Find(t.Context(), options(t, c, dir, fork))
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	got, tables := map[string][]string{}, map[string]*rows.Table{}
	for ch, err := range f.Changes(t.Context()) {
		require.NoError(t, err)
		name := ch.Table.Database + "." + ch.Table.Name
		values := ch.New
		if ch.Op == rows.Deleted {
			values = ch.Old
		}
		got[name] = append(got[name], string(ch.Op)+" "+composite(values)+ch.Why)
		tables[name] = ch.Table
	}
	return got, tables
}

// Rows are found in every database and tablespace, whatever its encoding; in
// partitions; with computed columns; and with types that are not known.
func TestRowsAreFoundInEveryPlace(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{Template0: true})
		c.Start(t)
		major := in.Version.ServerNum
		space := c.TablespaceDir(t, "space")
		c.Exec(t,
			"CREATE TABLESPACE space LOCATION '"+space+"'",
			"CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
			"CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
			"CREATE DATABASE elsewhere TABLESPACE space",
			"CREATE TABLE far (a int, b text) TABLESPACE space",
			"CREATE TABLE odd (a int, q txid_snapshot, s text)",
			"CREATE TABLE locked (a int PRIMARY KEY, b text)", "INSERT INTO locked VALUES (1, 'one'), (2, 'two')",
			"CREATE UNLOGGED TABLE unlogged (a int)",
		)
		c.ExecIn(t, "latin", "SET client_encoding = UTF8", "CREATE TABLE t (a text)", `CREATE TABLE "ä" (a int)`)
		c.ExecIn(t, "ascii", "CREATE TABLE t (a text)")
		c.ExecIn(t, "elsewhere", "CREATE TABLE t (a int)")
		if major >= 1000 {
			c.Exec(t, "CREATE TABLE measures (at int, v text) PARTITION BY RANGE (at)", "CREATE TABLE measures_1 PARTITION OF measures FOR VALUES FROM (0) TO (10)")
		}
		if major >= 1200 {
			c.Exec(t, "CREATE TABLE computed (a int, twice int GENERATED ALWAYS AS (a * 2) STORED)")
		}
		if major >= 1800 {
			c.Exec(t, "CREATE TABLE virtual (a int, twice int GENERATED ALWAYS AS (a * 2) VIRTUAL, b text)")
		}
		fork := c.InsertLSN(t)
		c.Exec(t,
			"INSERT INTO far VALUES (1, repeat('far', 3000))", "UPDATE far SET a = 2",
			"INSERT INTO odd VALUES (1, '10:20:10,14', 'text')",
			"BEGIN; SELECT * FROM locked WHERE a = 1 FOR KEY SHARE; SAVEPOINT s; UPDATE locked SET b = 'uno' WHERE a = 1; COMMIT",
			"BEGIN; SELECT * FROM locked FOR SHARE; COMMIT",
			"DELETE FROM locked WHERE a = 2",
			"INSERT INTO unlogged VALUES (1)",
			"BEGIN; CREATE TEMP TABLE mine (a int); INSERT INTO mine VALUES (1); COMMIT",
		)
		c.ExecIn(t, "latin", "SET client_encoding = UTF8", "INSERT INTO t VALUES ('Größe')", `INSERT INTO "ä" VALUES (1)`)
		c.ExecIn(t, "ascii", `INSERT INTO t VALUES ('plain'), (E'bad \xff'), ('ö')`)
		c.ExecIn(t, "elsewhere", "INSERT INTO t VALUES (7)", "DELETE FROM t")
		want := map[string][]string{
			"postgres.far":    {"insert (1," + strings.Repeat("far", 3000) + ")", "update (2," + strings.Repeat("far", 3000) + ")"},
			"postgres.odd":    {`insert (1,"\\x`},
			"postgres.locked": {"update (1,uno)", "delete (2,two)"},
			"latin.t":         {"insert (Größe)"}, "latin.ä": {"insert (1)"},
			"ascii.t":     {"insert (plain)", `insert ("bad \\xff")`, "insert (ö)"},
			"elsewhere.t": {"insert (7)", "delete (7)"},
		}
		if major >= 1000 {
			c.Exec(t, "INSERT INTO measures VALUES (5, 'five')")
			want["postgres.measures_1"] = []string{"insert (5,five)"}
		}
		if major >= 1200 {
			c.Exec(t, "INSERT INTO computed VALUES (4)")
			want["postgres.computed"] = []string{"insert (4,8)"}
		}
		if major >= 1800 {
			c.Exec(t, "INSERT INTO virtual VALUES (4, DEFAULT, 'b')")
			want["postgres.virtual"] = []string{"insert (4,MISSING,b)"}
		}
		c.Stop(t, pgtest.Fast)
		got, tables := described(t, c, fork)
		for name, list := range got {
			if name == "postgres.odd" {
				require.Len(t, list, 1)
				list[0] = list[0][:min(len(list[0]), 14)]
			}
		}
		assert.Equal(t, want, got)
		assert.Equal(t, map[string]string{"q": "txid_snapshot"}, tables["postgres.odd"].UnknownTypes)
		assert.EqualValues(t, 1, tables["ascii.t"].Escaped)
		if major >= 1000 {
			assert.Equal(t, "public.measures", tables["postgres.measures_1"].Parent)
		}
		assert.Equal(t, fmt.Sprint([]int{0}), fmt.Sprint(tables["postgres.locked"].Key))
	})
}
