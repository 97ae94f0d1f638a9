package endtoend

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// Telling are the majors on both sides of the changes that matter most to a rewind: the
// poisoned control file of 9.6 and 10, standbys without recovery.conf, checksums that can be
// switched on and off. TestEverythingThatCanDiffer runs on all majors.
var Telling = []string{"9.6", "10", "13", "18", "19"}

// OldestAndNewest runs a test on two majors, for tests to which others would add
// nothing.
func OldestAndNewest(t *testing.T, test func(t *testing.T, in *pgtest.Installation)) {
	t.Helper()
	pgtest.EachOf(t, []string{"9.6", "18"}, test)
}

// OpenServer connects to a running cluster as a source.
func OpenServer(t *testing.T, conninfo string) source.Source {
	t.Helper()
	src, err := pgsource.Open(t.Context(), conninfo, pgsource.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = src.Close() })
	return src
}

// OpenDir opens a stopped cluster as a source.
func OpenDir(t *testing.T, dir string) source.Source {
	t.Helper()
	src, err := source.OpenDir(dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = src.Close() })
	return src
}

// Prepare plans a rewind but does not apply it.
func Prepare(t *testing.T, target *pgtest.Cluster, src source.Source) (*rewind.Rewind, error) {
	t.Helper()
	r, err := rewind.Prepare(context.WithoutCancel(t.Context()), rewind.Options{TargetDir: target.Dir, Source: src})
	if err == nil {
		require.NoError(t, r.Close())
	}
	return r, err
}

// MustRewind rewinds a target that needs it.
func MustRewind(t *testing.T, target *pgtest.Cluster, src source.Source) *rewind.Plan {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: target.Dir, Source: src})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	require.True(t, r.Plan().Required, "a rewind is required, but: %s", r.Plan().Reason)
	require.NoError(t, r.Apply(ctx))
	return r.Plan()
}

// MustFollow starts a rewound target as a standby of the source, and checks
// invariant I4 except for the checksums: it reaches consistency, streams, has the
// same rows as the source, and can be promoted.
func MustFollow(t *testing.T, target, src *pgtest.Cluster) {
	t.Helper()
	if !src.Running() {
		src.Start(t)
	}
	target.MakeStandbyOf(t, src)
	target.Start(t)
	target.WaitStreaming(t, src)
	src.Exec(t, "CREATE TABLE IF NOT EXISTS after_rewind (x int)", "INSERT INTO after_rewind VALUES (1)")
	target.WaitCaughtUp(t, src)
	assert.Equal(t, Content(t, src), Content(t, target), "rows of source and target")
}

// MustBeSound stops a cluster and verifies the checksum of every page.
func MustBeSound(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	c.Stop(t, pgtest.Fast)
	control := ControlOf(t, c)
	if control.DataChecksumVersion == 0 {
		return
	}
	pages := verifyChecksums(t, c.Dir, control)
	assert.Greater(t, pages, 500, "pages verified")
	assert.NoDirExists(t, filepath.Join(c.Dir, "pgsql_tmp_gorewind"))
}

func verifyChecksums(t *testing.T, dir string, control *controlfile.Data) (pages int) {
	t.Helper()
	require.NoError(t, EachPage(dir, control, func(file string, p []byte, block uint32) bool {
		pages++
		assert.NoError(t, page.Verify(p, block), "%s block %d", file, block)
		return false
	}))
	return pages
}

// Content is a digest of every table of every database that a standby can read.
func Content(t *testing.T, c *pgtest.Cluster) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, db := range c.QueryRows(t, "SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template0'") {
		sums := []string{"SELECT 'relations', count(*), md5(string_agg(oid || ':' || relname || ':' || relfilenode, '|' ORDER BY oid)) FROM pg_class"}
		for _, table := range c.QueryRowsIn(t, db[0], `SELECT c.oid::regclass::text, quote_literal(c.oid::regclass::text) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
				WHERE relkind IN ('r', 'm') AND relpersistence = 'p' AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`) {
			sums = append(sums, fmt.Sprintf(`SELECT %s, count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM %s t`, table[1], table[0]))
		}
		for _, sum := range c.QueryRowsIn(t, db[0], strings.Join(sums, " UNION ALL ")) { // one query: connecting takes longer than the sums
			all[db[0]+"."+sum[0]] = strings.Join(sum[1:], " ")
		}
	}
	return all
}

// Load writes to a cluster until the returned function is called, so that its files
// appear, grow, shrink and disappear.
func Load(t *testing.T, c *pgtest.Cluster) (stop func()) {
	t.Helper()
	c.Exec(t, "CREATE TABLE IF NOT EXISTS load (id int PRIMARY KEY, filler text)")
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	conn := c.Connect(t, "postgres")
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; err == nil && ctx.Err() == nil; i++ {
			for _, sql := range []string{
				fmt.Sprintf("INSERT INTO load SELECT g, repeat('x', 300) FROM generate_series(%d, %d) g", i*100, i*100+99),
				fmt.Sprintf("CREATE TABLE brief_%d AS SELECT g, repeat('y', 100) FROM generate_series(1, 300) g", i),
				fmt.Sprintf("DROP TABLE brief_%d", i),
				fmt.Sprintf("UPDATE load SET filler = 'z' WHERE id %% 7 = %d", i%7),
			} {
				if _, err = conn.Exec(context.Background(), sql); err != nil {
					break
				}
			}
			if i%20 == 19 && err == nil {
				_, err = conn.Exec(context.Background(), "TRUNCATE load")
				i = -1
			}
		}
		done <- err
	}()
	return func() {
		t.Helper()
		cancel()
		err := <-done
		require.True(t, err == nil || errors.Is(err, context.Canceled), "load: %v", err)
	}
}

// Write gives a cluster rows, and so many dirty pages that its next checkpoint
// takes long.
func Write(t *testing.T, c *pgtest.Cluster, what string) {
	t.Helper()
	c.Exec(t, "INSERT INTO journal SELECT '"+what+"', repeat('f', 300) FROM generate_series(1, 3000)",
		"UPDATE journal SET filler = '"+what+"' WHERE ctid::text LIKE '(%,7)'")
}
