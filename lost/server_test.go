package lost_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// load runs statements on a server and counts the outcomes.
type load struct {
	t                            *testing.T
	c                            *pgtest.Cluster
	committed, aborted, prepared int
	inDatabase                   map[string]int // commits
}

// commit runs statements, each of which commits one transaction.
func (l *load) commit(sql ...string) { l.commitIn("postgres", sql...) }

func (l *load) commitIn(database string, sql ...string) {
	l.c.ExecIn(l.t, database, sql...)
	l.committed += len(sql)
	l.inDatabase[database] += len(sql)
}

func (l *load) abort(sql ...string) {
	l.c.Exec(l.t, sql...)
	l.aborted += len(sql)
}

func (l *load) prepare(name, sql string) {
	l.c.Exec(l.t, fmt.Sprintf("BEGIN; %s; PREPARE TRANSACTION '%s'", sql, name))
	l.prepared++
}

func (l *load) locator(relation string) pgdata.RelFileLocator {
	path := l.c.QueryString(l.t, "SELECT pg_relation_filepath('"+relation+"')")
	segment, ok := pgdata.ParseRelPath(l.c.In.Version, path)
	require.True(l.t, ok, path)
	return segment.Locator
}

func (l *load) oid(catalog, column, name string) uint32 {
	n, err := strconv.ParseUint(l.c.QueryString(l.t, fmt.Sprintf("SELECT oid FROM %s WHERE %s = '%s'", catalog, column, name)), 10, 32)
	require.NoError(l.t, err)
	return uint32(n)
}

// TestWhatAServerLosesIsCounted makes servers of every major commit changes that only
// the test knows.
func TestWhatAServerLosesIsCounted(t *testing.T) {
	pgtest.Each(t, countLosses)
}

func countLosses(t *testing.T, in *pgtest.Installation) {
	// Logical records contain everything that others contain, and more. The fixtures use a
	// lower level.
	o := pgtest.Options{Conf: map[string]string{"wal_level": "logical", "track_commit_timestamp": "on"}}
	if in.CanChooseWALSegSize() {
		o.WALSegSizeMB = 1
	}
	c := in.InitCluster(t, o)
	c.Start(t)
	l := &load{t: t, c: c, inDatabase: map[string]int{}}
	space, second := c.TablespaceDir(t, "space"), c.TablespaceDir(t, "second")
	c.Exec(t, "CREATE TABLE t (x int)", "CREATE TABLE gone (x int, y text)", "INSERT INTO gone VALUES (1)",
		"CREATE TABLE emptied AS SELECT 1 AS x",
		"CREATE DATABASE old", "CREATE TABLESPACE first LOCATION '"+second+"'",
		"SELECT pg_replication_origin_create('elsewhere')", "BEGIN; INSERT INTO t VALUES (0); PREPARE TRANSACTION 'early'")
	c.ExecIn(t, "old", "CREATE TABLE shrunk AS SELECT generate_series(1, 2000) AS x", "CHECKPOINT")
	gone, oldOID, firstSpace := l.locator("gone"), l.oid("pg_database", "datname", "old"), l.oid("pg_tablespace", "spcname", "first")
	emptied := l.locator("emptied")
	fork := c.InsertLSN(t)
	begun := c.QueryString(t, "SELECT clock_timestamp()")

	l.abort("BEGIN; INSERT INTO t VALUES (1); ROLLBACK", "BEGIN; CREATE TABLE never (x int); ROLLBACK")
	for range 20 {
		l.commit("INSERT INTO t VALUES (2)")
	}
	l.commit("BEGIN; INSERT INTO t VALUES (3); SAVEPOINT a; INSERT INTO t VALUES (4); SAVEPOINT b; INSERT INTO t VALUES (5); COMMIT")
	l.commit("BEGIN; INSERT INTO t VALUES (6); SAVEPOINT a; INSERT INTO t VALUES (7); ROLLBACK TO a; COMMIT")
	l.aborted++ // the subtransaction
	c.Exec(t, "SELECT * FROM t", "BEGIN; ROLLBACK")
	c.SwitchWAL(t)
	l.prepare("committed", "INSERT INTO t VALUES (6)")
	l.prepare("rolled back", "SAVEPOINT a; INSERT INTO t VALUES (7)")
	l.prepare("it''s open", "CREATE TABLE undecided (x int)")
	l.prepare("open too", "INSERT INTO t VALUES (8)")
	c.SwitchWAL(t)
	l.commit("COMMIT PREPARED 'committed'", "COMMIT PREPARED 'early'")
	l.abort("ROLLBACK PREPARED 'rolled back'")
	l.commit("CREATE TABLE made AS SELECT g FROM generate_series(1, 5000) g", "UPDATE made SET g = 0 WHERE g < 100",
		"CREATE UNLOGGED TABLE unlogged (x int)", "CREATE TABLE short_lived (x int)")
	made, unlogged, shortLived := l.locator("made"), l.locator("unlogged"), l.locator("short_lived")
	l.commit("DROP TABLE gone", "DROP TABLE short_lived", "TRUNCATE emptied", "CREATE DATABASE new", "CREATE TABLESPACE space LOCATION '"+space+"'")
	l.commitIn("old", "DELETE FROM shrunk", "VACUUM shrunk") // no prepared transaction of that database might see the rows
	l.commit("ALTER DATABASE new SET TABLESPACE space", "DROP DATABASE old", "DROP TABLESPACE first")
	l.commitIn("new", "CREATE TABLE elsewhere (x int)", "DROP TABLE elsewhere")
	l.commit("SELECT pg_replication_origin_session_setup('elsewhere'); BEGIN; INSERT INTO t VALUES (9);" +
		" SELECT pg_replication_origin_xact_setup('0/10', now()); COMMIT")
	c.Exec(t, "SELECT pg_logical_emit_message(false, 'prefix', 'text')")
	lastXID := uint32(0)
	for range 3 {
		n, err := strconv.ParseUint(c.QueryString(t, "BEGIN; INSERT INTO t VALUES (10); COMMIT; SELECT max(xmin::text::bigint) FROM t WHERE x = 10"), 10, 32)
		require.NoError(t, err)
		lastXID = uint32(n)
		l.committed++
	}
	l.inDatabase["postgres"] += 3
	blocks, err := strconv.Atoi(c.QueryString(t, "SELECT count(DISTINCT (ctid::text::point)[0]) FROM made"))
	require.NoError(t, err)
	newOID, spaceOID := l.oid("pg_database", "datname", "new"), l.oid("pg_tablespace", "spcname", "space")
	postgresOID := l.oid("pg_database", "datname", "postgres")
	rewritten := l.locator("emptied")
	ended := c.QueryString(t, "SELECT clock_timestamp()")
	c.Stop(t, pgtest.Fast)

	w, err := walreader.OpenDir(c.Dir)
	require.NoError(t, err)
	end, err := w.End(t.Context())
	require.NoError(t, err)
	res, err := walreader.Scan(t.Context(), w, w.Format, walreader.ScanRequest{
		Fork: fork, End: end.LSN, Visitor: func() walreader.Visitor { return lost.NewVisitor(w.Format, fork) },
	})
	require.NoError(t, err)
	got := res.Visitor.(*lost.Visitor).Report(res.BlocksAfterFork)
	assert.Equal(t, []int{l.committed, l.aborted, l.prepared}, []int{got.Committed, got.Aborted, got.Prepared})
	assert.Zero(t, got.Unparsed)
	assert.Equal(t, 1, got.Messages)

	names := []string{}
	for _, p := range got.StillPrepared.List {
		names = append(names, p.GID)
		assert.Equal(t, postgresOID, p.Database, p.GID)
		assertBetween(t, begun, ended, p.Time)
	}
	assert.Equal(t, []string{"it's open", "open too"}, names)
	assertBetween(t, begun, ended, got.FirstCommit.Time)
	assertBetween(t, begun, ended, got.LastCommit.Time)
	assert.Less(t, got.FirstCommit.LSN, got.LastCommit.LSN)
	assert.Equal(t, lastXID, got.LastCommit.XID)
	assert.GreaterOrEqual(t, got.FirstCommit.LSN, fork)
	assert.Equal(t, map[uint32]int{
		postgresOID: l.inDatabase["postgres"], newOID: l.inDatabase["new"], oldOID: l.inDatabase["old"],
	}, got.CommittedIn)

	assert.Equal(t, int64(blocks), got.Blocks[made])
	assert.Zero(t, got.Blocks[unlogged])
	for _, r := range []pgdata.RelFileLocator{made, unlogged, shortLived, rewritten} {
		assert.Contains(t, got.Created.List, r)
	}
	for _, r := range []pgdata.RelFileLocator{gone, shortLived, emptied} {
		assert.Contains(t, got.Dropped.List, r)
	}
	require.Len(t, got.Truncated.List, 1)
	assert.Equal(t, oldOID, got.Truncated.List[0].Database)
	assert.Equal(t, []uint32{newOID}, got.CreatedDatabases)
	assert.Equal(t, []uint32{oldOID}, got.DroppedDatabases)
	assert.Equal(t, []lost.Tablespace{{OID: spaceOID, Location: space}}, got.CreatedTablespaces)
	assert.Equal(t, []uint32{firstSpace}, got.DroppedTablespaces)
	compareWithPgWaldump(t, in, c.Dir, fork, end.LSN, &got)
}

func assertBetween(t *testing.T, from, to string, at time.Time) {
	t.Helper()
	const layout = "2006-01-02 15:04:05.999999-07"
	begin, err := time.Parse(layout, from)
	require.NoError(t, err)
	end, err := time.Parse(layout, to)
	require.NoError(t, err)
	assert.WithinRange(t, at, begin, end)
}

var dumpedXact = regexp.MustCompile(`(?m)tx: +(\d+), lsn: ([0-9A-F/]+), .* desc: ([A-Z_]+)`)

// compareWithPgWaldump compares the numbers with those of the major's own pg_waldump,
// if available.
func compareWithPgWaldump(t *testing.T, in *pgtest.Installation, dir string, fork, end pgdata.LSN, got *lost.Lost) {
	ins, _ := servers.Genuine(t.Context())
	i := slices.IndexFunc(ins, func(g *pgtest.Installation) bool { return g.Version == in.Version })
	if i < 0 {
		t.Logf("no pg_waldump of %s to compare with", in.Version)
		return
	}
	program, _ := ins[i].Program("pg_waldump")
	// Without a name, pg_waldump takes the segment size from any file, even one that is
	// not written yet.
	names, err := filepath.Glob(filepath.Join(dir, in.Version.WALDir, "00000001*[0-9A-F]"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	info, err := os.Stat(names[0])
	require.NoError(t, err)
	geo := pgdata.Geometry{WALSegSize: uint32(info.Size())}
	out, err := exec.CommandContext(context.Background(), program, "--rmgr=Transaction",
		"-s", fork.String(), "-e", end.String(),
		filepath.Join(dir, in.Version.WALDir, geo.WALFileName(1, geo.SegNo(fork))), geo.WALFileName(1, geo.SegNo(end-1))).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		t.Logf("pg_waldump: %s", failed.Stderr)
	}
	require.NoError(t, err)
	counts := map[string]int{}
	commits := []string{}
	for _, m := range dumpedXact.FindAllStringSubmatch(string(out), -1) {
		counts[m[3]]++
		if m[3] == "COMMIT" {
			commits = append(commits, m[1]+" at "+m[2])
		}
	}
	assert.Equal(t, got.Committed, counts["COMMIT"]+counts["COMMIT_PREPARED"])
	assert.Equal(t, got.Aborted, counts["ABORT"]+counts["ABORT_PREPARED"])
	assert.Equal(t, got.Prepared, counts["PREPARE"])
	for i, c := range map[int]lost.Commit{0: got.FirstCommit, len(commits) - 1: got.LastCommit} {
		assert.Equal(t, fmt.Sprintf("%d at %s", c.XID, c.LSN.Padded()), commits[i])
	}
}
