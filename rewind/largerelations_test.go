package rewind_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
)

// TestAnIdleSourceDoesNotDelayConsistency leaves the source with a WAL insert position that it
// never flushed, at the start of a page, and then stops the source: the rewound server
// must become consistent with the WAL that it got.
func TestAnIdleSourceDoesNotDelayConsistency(t *testing.T) {
	pgtest.EachOf(t, endtoend.Telling, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{})
		target.Start(t)
		target.Exec(t, "CREATE TABLE journal (what text, filler text)")
		src := target.Standby(t)
		src.Promote(t)
		endtoend.Write(t, target, "lost")
		target.Stop(t, pgtest.Fast)
		endtoend.Write(t, src, "kept")
		src.Checkpoint(t)
		fillPage(t, src)

		plan := endtoend.MustRewind(t, target, endtoend.OpenServer(t, src.ConnString("postgres")))
		insert := src.InsertLSN(t)
		want := endtoend.Content(t, src)
		end := endtoend.ControlOf(t, target).MinRecoveryPoint
		assert.LessOrEqual(t, end, insert)
		assert.NotEqualValues(t, pageHeader, uint64(end)%walPage, "no record ends right after a page header, as at %s", end)
		assert.Greater(t, end, plan.Divergence)

		target.MakeStandbyOf(t, src)
		src.Stop(t, pgtest.Immediate)
		target.Start(t) // waits for connections, which a server accepts when it is consistent
		assert.True(t, target.InRecovery(t))
		assert.Equal(t, want, endtoend.Content(t, target))
	})
}

const walPage, pageHeader = 8192, 24

// fillPage writes WAL that nothing causes to be flushed, until the insert position is
// right after a page header.
func fillPage(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	emit := func(length int) {
		c.QueryString(t, fmt.Sprintf("SELECT pg_logical_emit_message(false, '', repeat('x', %d))", length))
	}
	overhead := walPage
	for range 3 { // one of them does not cross a page header
		at := c.InsertLSN(t)
		emit(1000)
		overhead = min(overhead, int(c.InsertLSN(t)-at)-1000)
	}
	for range 20 {
		left := walPage - int(uint64(c.InsertLSN(t))%walPage)
		if left == walPage-pageHeader {
			break
		}
		emit(max(left-overhead, 300))
	}
	require.EqualValues(t, pageHeader, uint64(c.InsertLSN(t))%walPage, "insert position %s is not where this test wants it", c.InsertLSN(t))
}

// newest returns an installation of the newest downloadable major.
func newest(t *testing.T) *pgtest.Installation {
	t.Helper()
	in, err := servers.Major(t.Context(), "18")
	if err != nil {
		t.Skip(err)
	}
	return in
}

// TestRelationOfSeveralSegments changes blocks beyond the first gigabyte of a relation,
// most of which is a hole.
func TestRelationOfSeveralSegments(t *testing.T) {
	t.Parallel()
	in := newest(t)
	target := in.InitCluster(t, pgtest.Options{})
	target.Start(t)
	target.Exec(t, "CREATE TABLE big (id int, filler text)", "INSERT INTO big VALUES (0, 'first')")
	path := filepath.Join(target.Dir, target.QueryString(t, "SELECT pg_relation_filepath('big')"))
	target.Stop(t, pgtest.Fast)
	require.NoError(t, os.Truncate(path, 1<<30))
	target.Start(t)
	target.Exec(t, "INSERT INTO big SELECT g, repeat('c', 500) FROM generate_series(1, 3000) g")
	require.FileExists(t, path+".1")
	src := target.Standby(t)
	src.Promote(t)
	target.Exec(t, "UPDATE big SET filler = 'lost' WHERE id % 7 = 0", "INSERT INTO big SELECT g, repeat('l', 500) FROM generate_series(1, 3000) g")
	target.Stop(t, pgtest.Fast)
	src.Exec(t, "UPDATE big SET filler = 'kept' WHERE id % 5 = 0", "INSERT INTO big SELECT g, repeat('k', 500) FROM generate_series(1, 9000) g", "CHECKPOINT")

	plan := endtoend.MustRewind(t, target, endtoend.OpenServer(t, src.ConnString("postgres")))
	var changed bool
	for _, e := range plan.Files.Entries {
		changed = changed || e.Blocks != nil && strings.HasSuffix(e.Path, filepath.Base(path)+".1")
	}
	assert.True(t, changed, "blocks of the second segment are in the plan")
	assert.Less(t, plan.Files.FetchBytes(), int64(200<<20))
	endtoend.MustFollow(t, target, src)
	endtoend.MustBeSound(t, target)
}

// TestManyRelations has 4,000 relations, two of which change.
func TestManyRelations(t *testing.T) {
	t.Parallel()
	in := newest(t)
	target := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"max_locks_per_transaction": "2000"}})
	target.Start(t)
	const tables, batch = 2000, 1000
	for first := 0; first < tables; first += batch {
		target.Exec(t, fmt.Sprintf(`DO $$ BEGIN FOR i IN %d..%d LOOP
			EXECUTE 'CREATE TABLE t' || i || ' (id int PRIMARY KEY)'; END LOOP; END $$`, first, first+batch-1))
	}
	target.Exec(t, "INSERT INTO t1 VALUES (1)")
	src := target.Standby(t)
	src.Promote(t)
	target.Exec(t, "INSERT INTO t1 VALUES (2)", "INSERT INTO t500 VALUES (2)")
	target.Stop(t, pgtest.Fast)
	src.Exec(t, "INSERT INTO t1 VALUES (3)", "INSERT INTO t1700 VALUES (3)", "CHECKPOINT")

	plan := endtoend.MustRewind(t, target, endtoend.OpenServer(t, src.ConnString("postgres")))
	assert.Less(t, len(plan.Files.Entries), 1000, "files that do not differ are not in the plan")
	target.MakeStandbyOf(t, src)
	target.Start(t)
	target.WaitCaughtUp(t, src)
	for table, want := range map[string]string{"t1": "1,3", "t500": "", "t1700": "3"} {
		assert.Equal(t, want, target.QueryString(t, "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM "+table), table)
	}
	endtoend.MustBeSound(t, target)
}
