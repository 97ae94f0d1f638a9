package whole_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
)

// divergedEverywhere returns a stopped old primary and the running standby that was
// promoted in its place. They differ in every way that the file map knows. With
// extremes they have what some pg_rewinds cannot handle: in-place tablespaces (up
// to 16) and newlines in file names (up to 13).
func divergedEverywhere(t *testing.T, in *pgtest.Installation, o pgtest.Options, extremes bool) (old, promoted *pgtest.Cluster) {
	t.Helper()
	o.Template0 = true
	old = in.InitCluster(t, o)
	old.Start(t)
	old.Exec(t,
		"CREATE TABLE kept (id serial PRIMARY KEY, side text, filler text)",
		"INSERT INTO kept (side, filler) SELECT 'common', repeat('x', 500) FROM generate_series(1, 2000)",
		"CREATE TABLE grows AS SELECT g FROM generate_series(1, 5000) g",
		"CREATE TABLE shrinks AS SELECT g, repeat('s', 200) AS filler FROM generate_series(1, 5000) g",
		"CREATE TABLE emptied AS SELECT g FROM generate_series(1, 5000) g",
		"CREATE TABLE dropped_by_source AS SELECT g FROM generate_series(1, 5000) g",
		"CREATE TABLE dropped_by_target AS SELECT g FROM generate_series(1, 5000) g",
		"CREATE TABLE rewritten AS SELECT g FROM generate_series(1, 5000) g",
		"CREATE UNLOGGED TABLE unlogged AS SELECT g FROM generate_series(1, 5000) g",
		`CREATE TABLE "it's a ""name"" für Größe" AS SELECT g FROM generate_series(1, 10) g`,
		"CREATE INDEX ON kept USING gin (to_tsvector('simple', filler))",
		"CREATE SEQUENCE counter",
		"CREATE DATABASE common",
		"CREATE DATABASE dropped_by_target",
		"CREATE DATABASE dropped_by_source",
		"CREATE TABLESPACE shared LOCATION '"+old.TablespaceDir(t, "shared")+"'",
		"CREATE TABLESPACE left_by_source LOCATION '"+old.TablespaceDir(t, "left")+"'",
		"CREATE TABLE in_shared TABLESPACE shared AS SELECT g, repeat('t', 100) AS filler FROM generate_series(1, 3000) g",
		"CREATE TABLE in_left TABLESPACE left_by_source AS SELECT g FROM generate_series(1, 3000) g",
	)
	old.ExecIn(t, "common", "CREATE TABLE c AS SELECT g FROM generate_series(1, 3000) g")

	promoted = old.Standby(t)
	old.Exec(t,
		"BEGIN", "INSERT INTO kept (side) VALUES ('prepared in common')", "PREPARE TRANSACTION 'common'",
		"VACUUM kept",
		"CHECKPOINT",
		"UPDATE kept SET side = 'before the fork' WHERE id % 50 = 0",
	)
	promoted.WaitCaughtUp(t, old)
	promoted.Promote(t)

	// What the target does on its own must disappear.
	old.Exec(t,
		"UPDATE kept SET side = 'lost' WHERE id % 3 = 0",
		"INSERT INTO grows SELECT g FROM generate_series(1, 100) g",
		"INSERT INTO shrinks SELECT g, repeat('l', 200) FROM generate_series(1, 9000) g",
		"TRUNCATE emptied",
		"DROP TABLE dropped_by_target",
		"ALTER TABLE rewritten ALTER g TYPE bigint",
		"CREATE TABLE lost AS SELECT g FROM generate_series(1, 20000) g",
		"DROP DATABASE dropped_by_target",
		"CREATE DATABASE lost",
		"CREATE TABLESPACE lost LOCATION '"+old.TablespaceDir(t, "lost")+"'",
		"CREATE TABLE in_lost TABLESPACE lost AS SELECT g FROM generate_series(1, 3000) g",
		"UPDATE in_shared SET filler = 'lost' WHERE g % 5 = 0",
		"SELECT nextval('counter') FROM generate_series(1, 50)",
		"BEGIN", "INSERT INTO kept (side) VALUES ('prepared, lost')", "PREPARE TRANSACTION 'lost'",
		"VACUUM kept",
		"CHECKPOINT",
		"DELETE FROM kept WHERE id % 11 = 0",
	)
	old.ExecIn(t, "common", "UPDATE c SET g = -g")
	old.Stop(t, pgtest.Fast)

	promoted.Exec(t,
		"INSERT INTO kept (side, filler) SELECT 'new', repeat('n', 500) FROM generate_series(1, 500)",
		"INSERT INTO grows SELECT g FROM generate_series(1, 30000) g",
		"DELETE FROM shrinks WHERE g > 1000",
		"VACUUM shrinks",
		"DROP TABLE dropped_by_source",
		"CREATE TABLE created AS SELECT g FROM generate_series(1, 20000) g",
		"CREATE UNLOGGED TABLE unlogged_created AS SELECT g FROM generate_series(1, 20) g",
		"DROP TABLE in_left",
		"DROP TABLESPACE left_by_source",
		"DROP DATABASE dropped_by_source",
		"CREATE DATABASE created",
		"SELECT nextval('counter') FROM generate_series(1, 10)",
		"COMMIT PREPARED 'common'",
		"BEGIN", "INSERT INTO kept (side) VALUES ('prepared on the source')", "PREPARE TRANSACTION 'new'",
		"CHECKPOINT",
	)
	promoted.ExecIn(t, "created", "CREATE TABLE c AS SELECT g FROM generate_series(1, 3000) g")
	if extremes && promoted.QueryString(t, "SELECT count(*) FROM pg_settings WHERE name = 'allow_in_place_tablespaces'") == "1" {
		promoted.Exec(t,
			"ALTER SYSTEM SET allow_in_place_tablespaces = on", // for replay, too
			"SELECT pg_reload_conf()", "SELECT pg_sleep(0.1)",
			"CREATE TABLESPACE in_place LOCATION ''",
			"CREATE TABLE in_in_place TABLESPACE in_place AS SELECT g FROM generate_series(1, 3000) g",
		)
	}
	leave(t, old, "lost by the target", "lost dir")
	leave(t, promoted, "own of the \"source\" für alle", "new dir")
	if extremes {
		leave(t, old, "lost by\nthe target", "lost\ndir")
		leave(t, promoted, "with\nnewline\\n", "new\ndir")
	}
	return old, promoted
}

// leave puts foreign files into a data directory: one in a directory of its own,
// one that both sides have.
func leave(t *testing.T, c *pgtest.Cluster, name, dir string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(c.Dir, dir, "deeper"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, dir, "deeper", name), []byte(name), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "both have it's"), []byte(name), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, dir, "empty"), nil, 0o600))
}

func TestEverythingThatCanDiffer(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		o := pgtest.Options{
			SeparateWAL: true, GroupAccess: in.CanGroupAccess(),
			Conf: map[string]string{"track_commit_timestamp": "on", "wal_compression": "on"},
		}
		if in.CanChooseWALSegSize() {
			o.WALSegSizeMB = 1
		}
		target, src := divergedEverywhere(t, in, o, true)
		twin := target.CloneStopped(t)

		stop := endtoend.Load(t, src)
		plan := endtoend.MustRewind(t, target, endtoend.OpenServer(t, src.ConnString("postgres")))
		stop()
		assert.Equal(t, "1", src.QueryString(t, "SELECT 1"), "the source keeps running")
		endtoend.MustFollow(t, target, src)
		mustHaveFiles(t, target, src)
		assert.NotZero(t, plan.Scan.Records)
		target.Promote(t)
		target.Exec(t, "INSERT INTO kept (side) VALUES ('promoted')")
		endtoend.MustBeSound(t, target)

		src.Stop(t, pgtest.Fast)
		endtoend.MustRewind(t, twin, endtoend.OpenDir(t, src.Dir))
		endtoend.MustFollow(t, twin, src)
		mustHaveFiles(t, twin, src)
		twin.Promote(t)
		twin.Exec(t, "INSERT INTO kept (side) VALUES ('promoted')")
		endtoend.MustBeSound(t, twin)
	})
}

// mustHaveFiles checks the files that leave made.
func mustHaveFiles(t *testing.T, target, src *pgtest.Cluster) {
	t.Helper()
	assert.NoDirExists(t, filepath.Join(target.Dir, "lost dir"))
	assert.NoDirExists(t, filepath.Join(target.Dir, "lost\ndir"))
	for _, name := range []string{
		"new dir/deeper/own of the \"source\" für alle", "both have it's", "new dir/empty",
		"new\ndir/deeper/with\nnewline\\n",
	} {
		want, err := os.ReadFile(filepath.Join(src.Dir, name))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(target.Dir, name))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got))
	}
}
