package rewind_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

func TestRelationsThatOnlyTheTargetHasAreNamed(t *testing.T) {
	endtoend.OldestAndNewest(t, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"autovacuum": "off"}})
		target.Start(t)
		target.Exec(t, "CREATE TABLE rewritten AS SELECT generate_series(1, 100) AS x", "CREATE TABLE dropped AS SELECT 1 AS x")
		src := target.Standby(t)
		src.Promote(t)
		src.Exec(t, "DROP TABLE dropped", "CREATE TABLE other AS SELECT 1 AS x", "CHECKPOINT")
		target.Exec(t, "CREATE SCHEMA \"S 1\"", "CREATE TABLE \"S 1\".\"Orders\" (id int PRIMARY KEY, note text)", "CREATE SEQUENCE counts",
			"INSERT INTO \"S 1\".\"Orders\" SELECT g, 'x' FROM generate_series(1, 5) g", "VACUUM FULL rewritten", "INSERT INTO dropped VALUES (2)",
			"CREATE DATABASE made")
		target.Stop(t, pgtest.Fast)

		ctx := context.WithoutCancel(t.Context())
		r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: target.Dir, Source: endtoend.OpenServer(t, src.ConnString("postgres"))})
		require.NoError(t, err)
		defer func() { assert.NoError(t, r.Close()) }()
		mustNameThem := func(d *report.Document) {
			t.Helper()
			mustBeADocument(t, d)
			var created []string
			rows := map[string]int64{}
			for _, rel := range d.Lost.Created {
				if rel.Relations == 0 {
					created = append(created, rel.DBName+": "+rel.Name)
				}
			}
			for _, rel := range d.Lost.Relations {
				rows[rel.Name] = rel.Inserted
			}
			assert.ElementsMatch(t, []string{
				`postgres: table "S 1"."Orders"`, `postgres: index "S 1"."Orders_pkey" on "S 1"."Orders"`, `postgres: table "S 1"."Orders" (toast)`,
				`postgres: table "S 1"."Orders" (index of toast)`, `postgres: sequence public.counts`, `postgres: table public.rewritten`,
			}, created)
			assert.EqualValues(t, 5, rows[`table "S 1"."Orders"`])
			assert.EqualValues(t, 1, rows["table public.dropped"])
			for _, rel := range d.Named {
				assert.NotContains(t, []string{`table "S 1"."Orders"`, "table public.dropped"}, rel.Name, "the source has something else there")
			}
		}
		mustNameThem(r.Document(ctx, nil))
		require.NoError(t, r.Apply(ctx))
		mustNameThem(r.Document(ctx, nil))
	})
}

func TestAStoppedSourceNamesRelationsAsARunningOneDoes(t *testing.T) {
	endtoend.OldestAndNewest(t, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"autovacuum": "off"}})
		target.Start(t)
		target.Exec(t, "CREATE TABLE \"Some\" (id int PRIMARY KEY, note text)", "INSERT INTO \"Some\" SELECT g, 'x' FROM generate_series(1, 1000) g")
		src := target.Standby(t)
		src.Promote(t)
		src.Exec(t, "CREATE TABLE new AS SELECT 1 AS x", "CHECKPOINT")
		target.Exec(t, "UPDATE \"Some\" SET note = 'y'")
		target.Stop(t, pgtest.Fast)

		ctx := context.WithoutCancel(t.Context())
		namesOf := func(from source.Source) (named []string, lost string) {
			t.Helper()
			r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: target.Dir, Source: from})
			require.NoError(t, err)
			defer func() { assert.NoError(t, r.Close()) }()
			d := r.Document(ctx, nil)
			mustBeADocument(t, d)
			for _, rel := range d.Named {
				if !strings.Contains(rel.Name, " pg_") { // the server's shutdown may write to catalogs
					named = append(named, rel.DBName+": "+rel.Name)
				}
			}
			require.NotEmpty(t, d.Lost.Relations)
			return named, d.Lost.Relations[0].Name
		}
		named, lost := namesOf(endtoend.OpenServer(t, src.ConnString("postgres")))
		assert.Subset(t, named, []string{`postgres: table public."Some"`, `postgres: index public."Some_pkey" on public."Some"`, "postgres: table public.new"})
		src.Stop(t, pgtest.Fast)
		dir, err := source.OpenDir(src.Dir)
		require.NoError(t, err)
		defer func() { assert.NoError(t, dir.Close()) }()
		again, lostAgain := namesOf(dir)
		assert.ElementsMatch(t, named, again)
		assert.Equal(t, lost, lostAgain)
	})
}

// TestAStoppedStandbysCatalogsAreNotReadForNames: a standby that stops writes nothing that
// it replayed since its last restartpoint, unless there is a checkpoint to make one of.
func TestAStoppedStandbysCatalogsAreNotReadForNames(t *testing.T) {
	endtoend.OldestAndNewest(t, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"autovacuum": "off"}})
		target.Start(t)
		target.Exec(t, "CREATE TABLE old_name AS SELECT generate_series(1, 1000) AS x")
		primary := target.Standby(t)
		primary.Promote(t)
		primary.Checkpoint(t)
		src := primary.Standby(t)
		src.WaitCaughtUp(t, primary)
		src.Checkpoint(t)
		primary.Exec(t, "ALTER TABLE old_name RENAME TO new_name")
		src.WaitCaughtUp(t, primary)
		src.Stop(t, pgtest.Fast)
		target.Exec(t, "UPDATE old_name SET x = 0")
		target.Stop(t, pgtest.Fast)

		ctx := context.WithoutCancel(t.Context())
		dir, err := source.OpenDir(src.Dir)
		require.NoError(t, err)
		defer func() { assert.NoError(t, dir.Close()) }()
		r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: target.Dir, Source: dir})
		require.NoError(t, err)
		defer func() { assert.NoError(t, r.Close()) }()
		assert.NotContains(t, textOf(t, r.Document(ctx, nil)), "old_name")
	})
}

func TestACrashedTargetsCatalogsAreNotReadForNames(t *testing.T) {
	endtoend.OldestAndNewest(t, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{})
		target.Start(t)
		src := target.Standby(t)
		src.Promote(t)
		target.Exec(t, "CREATE TABLE made AS SELECT 1 AS x")
		target.Kill(t)

		ctx := context.WithoutCancel(t.Context())
		r, err := rewind.Prepare(ctx, rewind.Options{
			TargetDir: target.Dir, Source: endtoend.OpenServer(t, src.ConnString("postgres")), Resync: rewind.ResyncIfNeeded, ForeseeRecovery: true,
		})
		require.NoError(t, err)
		defer func() { assert.NoError(t, r.Close()) }()
		created := r.Document(ctx, nil).Lost.Created
		require.NotEmpty(t, created)
		for _, rel := range created {
			assert.Empty(t, rel.Name, "what its files say may be older than what its WAL says")
		}
	})
}
