package rows_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/lost/rows"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// Tables are followed through everything that rewrites, empties, changes and drops
// them, and rows are reported as they were.
func TestTablesThatAreRewrittenAreFollowed(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		for _, mode := range []pgtest.StopMode{pgtest.Fast, pgtest.Immediate} {
			c := in.InitCluster(t, pgtest.Options{})
			c.Start(t)
			long := "repeat(md5(random()::text), 100)"
			c.Exec(t,
				"CREATE TABLE full_vacuum (id int PRIMARY KEY, t text)", "INSERT INTO full_vacuum VALUES (1, 'one')",
				"CREATE TABLE truncated (id int PRIMARY KEY, t text)", "INSERT INTO truncated VALUES (1, 'one'), (2, 'two')",
				"CREATE TABLE altered (id int PRIMARY KEY, v int, x text)", "INSERT INTO altered VALUES (1, 10, 'x')",
				"CREATE TABLE grown (id int PRIMARY KEY)", "INSERT INTO grown VALUES (1)",
				"CREATE TABLE dropped (id int PRIMARY KEY, t text)",
				"CREATE TABLE less (id int PRIMARY KEY, gone text, kept text)",
				"CREATE TABLE old_default (id int PRIMARY KEY)", "INSERT INTO old_default VALUES (1)",
				"CREATE TABLE toasted (id int PRIMARY KEY, t text)", "INSERT INTO toasted VALUES (0, "+long+")",
				"CREATE TABLE there_and_back (id int PRIMARY KEY, v int)", "INSERT INTO there_and_back VALUES (1, 1)",
				"CREATE MATERIALIZED VIEW view AS SELECT * FROM grown",
				"CHECKPOINT",
			)
			fork := c.InsertLSN(t)
			c.Exec(t,
				"INSERT INTO full_vacuum VALUES (2, 'two')", "UPDATE full_vacuum SET t = 'uno' WHERE id = 1", "VACUUM FULL full_vacuum", "INSERT INTO full_vacuum VALUES (3, 'three')",
				"INSERT INTO truncated VALUES (3, 'three')", "TRUNCATE truncated", "INSERT INTO truncated VALUES (4, 'four')",
				"BEGIN; TRUNCATE truncated; INSERT INTO truncated VALUES (5, 'five'); COMMIT",
				"INSERT INTO altered VALUES (2, 20, 'y')", "ALTER TABLE altered ALTER v TYPE text USING 'n' || v", "INSERT INTO altered VALUES (3, 'thirty', 'z')",
				"INSERT INTO grown VALUES (2)", "ALTER TABLE grown ADD COLUMN a int DEFAULT 5, ADD COLUMN b text", "INSERT INTO grown VALUES (3, 6, 'b')",
				"INSERT INTO dropped VALUES (1, 'before the end')", "DROP TABLE dropped",
				"INSERT INTO less VALUES (1, 'gone', 'kept')", "ALTER TABLE less DROP COLUMN gone", "INSERT INTO less VALUES (2, 'kept, too')",
				"UPDATE old_default SET id = 7 WHERE id = 1", "ALTER TABLE old_default ADD COLUMN r double precision DEFAULT random()",
				"INSERT INTO toasted VALUES (1, "+long+")", "VACUUM FULL toasted", "UPDATE toasted SET id = id + 10", "DELETE FROM toasted WHERE id = 10", "VACUUM toasted",
				"BEGIN; CREATE TABLE pg_temp_1 (a int); INSERT INTO pg_temp_1 VALUES (1); COMMIT",
				"ALTER TABLE there_and_back ALTER v TYPE text USING v::text", "INSERT INTO there_and_back VALUES (2, 'abcdefg')", "ALTER TABLE there_and_back ALTER v TYPE int USING length(v)",
				"CHECKPOINT", "CREATE TABLE retyped (a int, b text)", "INSERT INTO retyped VALUES (1000003, 'b')", "ALTER TABLE retyped ALTER a TYPE text",
				"CREATE TABLE made AS SELECT 1 AS a, 'text'::text AS b", "REFRESH MATERIALIZED VIEW view",
				"CREATE TABLE short_lived (a int)", "INSERT INTO short_lived VALUES (1)", "DROP TABLE short_lived",
			)
			c.Stop(t, mode)

			list, summary, _ := find(t, c, fork, nil)
			got := map[string][]string{}
			for _, e := range list {
				e.old, e.new = shortened(e.old), shortened(e.new)
				got[e.rel] = append(got[e.rel], strings.TrimSpace(fmt.Sprintf("%s %s %s", e.op, e.old, e.new)))
			}
			assert.Equal(t, []string{"insert  (2,two)", "update (1,one) (1,uno)", "insert  (3,three)"}, got["full_vacuum"], "%s", mode)
			assert.Equal(t, []string{"insert  (3,three)", "insert  (4,four)", "insert  (5,five)"}, got["truncated"], "%s", mode)
			assert.Equal(t, []string{"insert  (2,20,y)", "insert  (3,thirty,z)"}, got["altered"], "%s", mode)
			assert.Equal(t, []string{"insert  (2,5,)", "insert  (3,6,b)"}, withoutRewrites(in, got["grown"]), "%s", mode)
			assert.Equal(t, []string{"insert  (1,kept)", `insert  (2,"kept, too")`}, got["less"], "%s", mode)
			assert.Equal(t, []string{"update (1,MISSING) (7,MISSING)"}, got["old_default"], "%s", mode)
			assert.Equal(t, []string{"insert  (1,…)", "update (0,…) (10,…)", "update (1,…) (11,…)", "delete (10,…)"}, got["toasted"], "%s", mode)
			assert.Equal(t, []string{"insert  (1,text)"}, got["made"], "%s", mode)
			assert.Equal(t, []string{"insert  (1)"}, got["pg_temp_1"], "%s: whatever it is called", mode)
			assert.Equal(t, []string{"insert  ()"}, got["there_and_back"], "%s: its type in between is not known", mode)
			assert.Equal(t, []string{"insert  ()"}, got["retyped"], "%s: its first type is not known", mode)
			assert.Empty(t, got["view"], "a refresh is no change")
			assert.Equal(t, []string{"insert  (1,\"before the end\")"}, got["dropped"], "%s", mode)
			assert.Equal(t, []string{"insert  (1)"}, got["short_lived"], "%s", mode)
			what := map[string]string{}
			for _, e := range summary.Events {
				what[e.Name] = e.What
			}
			assert.Equal(t, map[string]string{
				"full_vacuum": "rewritten", "truncated": "emptied", "altered": "rewritten", "dropped": "dropped", "old_default": "rewritten",
				"toasted": "rewritten", "made": "created", "pg_temp_1": "created", "there_and_back": "rewritten", "retyped": "created", "view": "rewritten",
				"short_lived": "dropped",
			}, without(in, what, "grown"), "%s", mode)
		}
	})
}

// Catalogs that were rewritten have file numbers like those of tables.
func TestRewrittenCatalogsAreRead(t *testing.T) {
	pgtest.EachOf(t, []string{"9.6", "18"}, func(t *testing.T, in *pgtest.Installation) {
		for _, mode := range []pgtest.StopMode{pgtest.Fast, pgtest.Immediate} {
			for _, catalogs := range [][]string{{"VACUUM FULL"}, {"VACUUM FULL pg_attribute"}, nil} {
				c := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"autovacuum": "off"}})
				c.Start(t)
				c.Exec(t, "CREATE TABLE altered (id int, v int)", "CREATE TABLE dropped (a int, b text)")
				c.Exec(t, catalogs...)
				c.Exec(t, "CHECKPOINT")
				fork := c.InsertLSN(t)
				c.Exec(t,
					"INSERT INTO altered VALUES (1, 10)", "ALTER TABLE altered ALTER v TYPE text USING v::text", "INSERT INTO altered VALUES (2, 'abcdefg')",
					"CREATE TABLE made (a int, b text)", "INSERT INTO made VALUES (1, 'one')")
				if catalogs == nil { // after the checkpoint
					c.Exec(t, "VACUUM FULL pg_attribute", "VACUUM FULL pg_class", "VACUUM FULL pg_index", "ALTER TABLE made ADD c int", "INSERT INTO made VALUES (2, 'two', 2)")
				}
				c.Stop(t, mode)
				list, _, _ := find(t, c, fork, nil)
				var got []string
				for _, e := range list {
					got = append(got, e.rel+" "+e.new)
				}
				want := []string{"altered (1,10)", "altered (2,abcdefg)", "made (1,one)"}
				if catalogs == nil {
					want = []string{"altered (1,10)", "altered (2,abcdefg)", "made (1,one,)", "made (2,two,2)"}
				}
				assert.Equal(t, want, got, "%s %v", mode, catalogs)
			}
		}
	})
}

// without removes what only old majors rewrite: ADD COLUMN with a default, up to 10.
func without(in *pgtest.Installation, what map[string]string, name string) map[string]string {
	if in.Version.ServerNum < 1100 {
		delete(what, name)
	}
	return what
}

// withoutRewrites returns what is known of a row from before a rewrite that added
// columns.
func withoutRewrites(in *pgtest.Installation, list []string) []string {
	if in.Version.ServerNum < 1100 && len(list) > 0 && list[0] == "insert  (2,MISSING,MISSING)" {
		list[0] = "insert  (2,5,)"
	}
	return list
}

func shortened(s string) string {
	if i := strings.IndexByte(s, ','); len(s) > 500 && i > 0 {
		return s[:i+1] + "…)"
	}
	return s
}

// Only tables that were asked for are reported, and small memory limits change nothing.
func TestLittleMemoryIsEnough(t *testing.T) {
	pgtest.EachOf(t, []string{"9.6", "18"}, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{WALSegSizeMB: in.SegSizeOr16(1)})
		c.Start(t)
		c.Exec(t, schema...)
		fork := c.InsertLSN(t)
		c.Exec(t,
			"INSERT INTO nokey SELECT i, 'row ' || i FROM generate_series(1, 30000) i",
			"BEGIN; INSERT INTO nokey VALUES (1, 'a'); SAVEPOINT a; INSERT INTO big VALUES (1, repeat('x', 5000), NULL, NULL); SAVEPOINT b; UPDATE nokey SET b = b || '!' WHERE a % 3 = 1; COMMIT",
			"DELETE FROM nokey WHERE a % 2 = 0")
		segment, ok := pgdata.ParseRelPath(in.Version, c.QueryString(t, "SELECT pg_relation_filepath('nokey')"))
		require.True(t, ok)
		c.Stop(t, pgtest.Fast)
		all, whole, _ := find(t, c, fork, nil)
		i := slices.IndexFunc(whole.Tables, func(t *rows.Table) bool { return t.Name == "nokey" })
		require.GreaterOrEqual(t, i, 0)
		nokey := whole.Tables[i]
		assert.Equal(t, lost.RowCounts{Inserted: nokey.Inserted, Updated: nokey.Updated, Deleted: nokey.Deleted}, counted(t, c, fork)[segment.Locator],
			"without values it is the same number")
		// What was pruned is only in the WAL, and is dropped if there is no room.
		little, _, _ := find(t, c, fork, func(o *rows.Options) { o.Memory = 100 << 10 })
		require.Equal(t, len(all), len(little))
		compareChanges(t, all, little)
		one, summary, _ := find(t, c, fork, func(o *rows.Options) { o.Tables = []string{"public.b*"} })
		assert.Len(t, one, 1)
		require.Len(t, summary.Tables, 1)
		assert.EqualValues(t, 1, summary.Tables[0].Inserted)
	})
}

// counted counts rows as a rewind's analysis does, segment by segment.
func counted(t *testing.T, c *pgtest.Cluster, fork pgdata.LSN) map[pgdata.RelFileLocator]lost.RowCounts {
	t.Helper()
	dir, err := datadir.Open(c.Dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, dir.Close()) }()
	o := options(t, c, dir, fork)
	read, err := walreader.Read(t.Context(), o.WAL, o.Format, walreader.ReadRequest{
		From: o.Fork, To: o.End, Visitor: func() walreader.Visitor { return lost.NewVisitor(o.Format, o.Fork) },
	})
	require.NoError(t, err)
	return read.Visitor.(*lost.Visitor).Report(nil).Rows
}

// A search can be stopped at any moment, and leaves nothing behind.
func TestAStoppedSearchLeavesNothing(t *testing.T) {
	pgtest.EachOf(t, []string{"18"}, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)
		c.Exec(t, "CREATE TABLE t (a int)")
		fork := c.InsertLSN(t)
		c.Exec(t, "INSERT INTO t SELECT generate_series(1, 50000)")
		c.Stop(t, pgtest.Fast)
		dir, err := datadir.Open(c.Dir)
		require.NoError(t, err)
		defer func() { require.NoError(t, dir.Close()) }()
		o := options(t, c, dir, fork)
		o.SpillDir, o.Memory = t.TempDir(), 1<<16
		f, err := rows.Find(t.Context(), o)
		require.NoError(t, err)
		for ch, err := range f.Changes(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, "1", ch.New[0].Text)
			break
		}
		require.NoError(t, f.Close())
		assert.Empty(t, treeOf(t, o.SpillDir)[1:])
	})
}

// Tables that were created and dropped after the fork are in no catalog. They are
// reported with their rows, as long as the WAL shows how these were read.
func TestTablesCreatedAndDroppedAreReported(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		for _, mode := range []pgtest.StopMode{pgtest.Fast, pgtest.Immediate} {
			c := in.InitCluster(t, pgtest.Options{})
			c.Start(t)
			long := "repeat(md5(random()::text), 200)"
			c.Exec(t, "CREATE SCHEMA app", "CREATE TABLE was_there (id int, v int)", "INSERT INTO was_there VALUES (1, 10)",
				"CREATE TABLE dropped_later (id int, gone text, v int)", "CHECKPOINT")
			fork := c.InsertLSN(t)
			c.Exec(t,
				"CREATE TABLE app.passing (id int PRIMARY KEY, t text, n numeric)", "INSERT INTO app.passing VALUES (1, 'one', 1.5), (2, "+long+", 0)",
				"UPDATE app.passing SET t = 'uno' WHERE id = 1", "ALTER TABLE app.passing ADD COLUMN later date", "INSERT INTO app.passing VALUES (3, 'three', 0, '2020-01-01')",
				"ALTER TABLE app.passing ALTER n SET NOT NULL, DROP COLUMN t", "INSERT INTO app.passing VALUES (4, 4, NULL)", "DROP TABLE app.passing",
			)
			c.Exec(t,
				"CREATE TABLE retyped (id int, v int)", "INSERT INTO retyped VALUES (1, 1717986918)", "ALTER TABLE retyped ALTER v TYPE text", "INSERT INTO retyped VALUES (2, 'abc')", "DROP TABLE retyped",
				"INSERT INTO was_there VALUES (2, 20)", "ALTER TABLE was_there ALTER v TYPE text", "INSERT INTO was_there VALUES (3, 'abcdefg')", "DROP TABLE was_there",
				"ALTER TABLE dropped_later DROP COLUMN gone, ADD COLUMN more text", "INSERT INTO dropped_later VALUES (1, 2, 'three')", "DROP TABLE dropped_later",
				"CREATE TABLE with_toast (id int, t text)", "INSERT INTO with_toast VALUES (1, "+long+")", "UPDATE with_toast SET id = 2", "DELETE FROM with_toast", "DROP TABLE with_toast",
				"BEGIN; CREATE TABLE rolled_back (a int); INSERT INTO rolled_back VALUES (1); ROLLBACK",
				"CREATE TABLE emptied (a int, b text)", "INSERT INTO emptied VALUES (1, 'one')", "TRUNCATE emptied", "INSERT INTO emptied VALUES (2, 'two')",
			)
			c.Stop(t, mode)
			list, summary, _ := find(t, c, fork, nil)
			got := map[string][]string{}
			for _, e := range list {
				e.old, e.new = shortened(e.old), shortened(e.new)
				got[e.rel] = append(got[e.rel], strings.TrimSpace(fmt.Sprintf("%s %s %s", e.op, e.old, e.new)))
			}
			assert.Equal(t, map[string][]string{
				"passing":       {"insert  (1,1.5,MISSING)", "insert  (2,0,MISSING)", "update (1,1.5,MISSING) (1,1.5,MISSING)", "insert  (3,0,2020-01-01)", "insert  (4,4,)"},
				"with_toast":    {"insert  (1,…)", "update (1,…) (2,…)", "delete (2,…)"},
				"retyped":       {"insert  ()", "insert  ()"},
				"was_there":     {"insert  (2,20)", "insert  ()"},
				"dropped_later": {"insert  (1,2,three)"},
				"emptied":       {"insert  (1,one)", "insert  (2,two)"},
			}, got, "%s", mode)
			var what []string
			for _, e := range summary.Events {
				what = append(what, e.Schema+"."+e.Name+" "+e.What)
			}
			assert.Equal(t, []string{
				"app.passing created", "app.passing dropped", "public.dropped_later dropped", "public.emptied created", "public.retyped created",
				"public.retyped dropped", "public.was_there dropped", "public.with_toast created", "public.with_toast dropped",
			}, what, "%s", mode)
		}
	})
}

// A value is not read by a later type of its column. This also holds if the catalogs as
// of the fork do not have the column, because it was added since, or the catalogs were
// rewritten.
func TestValuesAreNotReadByALaterColumnType(t *testing.T) {
	pgtest.EachOf(t, []string{"9.6", "18"}, func(t *testing.T, in *pgtest.Installation) {
		for _, c := range []struct{ name, before, after, rewrite string }{
			{"added", "CREATE TABLE t (id int)", "ALTER TABLE t ADD COLUMN v int", "SELECT 1"},
			{"added, and the table rewritten", "CREATE TABLE t (id int)", "ALTER TABLE t ADD COLUMN v int; VACUUM FULL t", "SELECT 1"},
			{"columns gone", "CREATE TABLE t (id int, v int)", "SELECT 1", "VACUUM FULL pg_attribute"},
			{"nothing known of the fork", "CREATE TABLE t (v int)", "ALTER TABLE t SET (fillfactor = 90)", "VACUUM FULL pg_enum"},
		} {
			s := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"autovacuum": "off"}})
			s.Start(t)
			s.Exec(t, c.before, "CHECKPOINT")
			fork := s.InsertLSN(t)
			s.Exec(t, strings.Split(c.after, "; ")...)
			s.Exec(t, "INSERT INTO t (v) VALUES (1000)", "ALTER TABLE t ALTER v TYPE date USING date '2020-01-01' + v", c.rewrite)
			s.Stop(t, pgtest.Fast)
			list, _, _ := find(t, s, fork, nil)
			if assert.Len(t, list, 1, c.name) {
				assert.Equal(t, "()", list[0].new, c.name)
			}
		}
	})
}
