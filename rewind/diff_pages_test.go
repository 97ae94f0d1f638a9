package rewind_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
)

// TestPagesOfAllKindsAreTheSameOnAStandby changes pages of tables and of all kinds of
// indexes in all ways that WAL does not describe completely.
func TestPagesOfAllKindsAreTheSameOnAStandby(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		p := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"autovacuum": "off", "enable_seqscan": "off", "enable_bitmapscan": "off"}})
		p.Start(t)
		p.Exec(t,
			"CREATE TABLE t (id int PRIMARY KEY, p point, a int[], h int, f text)",
			"CREATE INDEX t_gist ON t USING gist (p)", "CREATE INDEX t_spgist ON t USING spgist (p)",
			"CREATE INDEX t_gin ON t USING gin (a)", "CREATE INDEX t_brin ON t USING brin (h) WITH (pages_per_range = 1)",
			"INSERT INTO t SELECT g, point(g % 100, g), ARRAY[g % 7, g], g, repeat('x', g % 50) FROM generate_series(1, 3000) g")
		if in.Version.Name != "9.6" { // in 9.6 they are not WAL-logged
			p.Exec(t, "CREATE INDEX t_hash ON t USING hash (h)")
		}
		s := p.Standby(t)
		p.Exec(t,
			"CHECKPOINT",
			"BEGIN",
			"INSERT INTO t SELECT g, point(g, g), ARRAY[g], g, 'one' FROM generate_series(10001, 10003) g",
			"INSERT INTO t SELECT g, point(g, g), ARRAY[g], g, 'two' FROM generate_series(20001, 22000) g",
			"UPDATE t SET f = 'three' WHERE id = 10001",
			"DELETE FROM t WHERE id = 10002",
			"COMMIT",
			"BEGIN",
			"SELECT id FROM t WHERE id < 10 FOR SHARE",
			"SAVEPOINT a",
			"UPDATE t SET f = 'gone' WHERE id < 100",
			"ROLLBACK TO a",
			"COMMIT",
			"INSERT INTO t VALUES (10001, NULL, NULL, 0, '') ON CONFLICT (id) DO UPDATE SET f = 'four'",
			"INSERT INTO t VALUES (30001, NULL, NULL, 0, '') ON CONFLICT DO NOTHING",
			"CREATE SEQUENCE up", "SELECT nextval('up') FROM generate_series(1, 40)",
			"CREATE SEQUENCE down INCREMENT BY -7 MAXVALUE 100 START WITH 50 CACHE 3", "SELECT nextval('down')",
			"CREATE SEQUENCE set", "SELECT setval('set', 1000)",
			"DELETE FROM t WHERE id BETWEEN 200 AND 1800",
		)
		// Scans mark index entries of dead rows as dead, and set hint bits.
		scans := []string{
			"SELECT count(*) FROM t WHERE id BETWEEN 1 AND 2500", "SELECT count(*) FROM t WHERE h = 300",
			"SELECT count(*) FROM t WHERE p <@ box '((0,0),(100,3000))'",
		}
		p.Exec(t, slices.Concat(scans, scans, []string{
			"VACUUM t", "DELETE FROM t WHERE id BETWEEN 1900 AND 2000", "SELECT count(*) FROM t WHERE id BETWEEN 1850 AND 2050",
			"INSERT INTO t SELECT g, point(g % 100, g), ARRAY[g % 7, g], g, repeat('x', g % 50) FROM generate_series(200, 1800, 3) g",
			"VACUUM t",
		}, scans)...)
		p.Checkpoint(t) // VACUUM does not wait until its WAL is on disk
		s.WaitCaughtUp(t, p)
		p.Stop(t, pgtest.Fast)
		s.Stop(t, pgtest.Fast)

		ignore := []string{"*.conf", "*.signal", "recovery.*", "log", "pg_stat", "pg_logical"}
		d, err := rewind.Diff(t.Context(), rewind.DiffOptions{A: endtoend.OpenDir(t, p.Dir), B: endtoend.OpenDir(t, s.Dir), Ignore: ignore})
		require.NoError(t, err)
		for _, f := range d.Files {
			assert.LessOrEqual(t, f.Difference, rewind.FreeSpaceDiffers, "%+v", f)
		}
	})
}
