package rewind_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
)

// TestWhatIsLostIsCounted makes the target commit changes that only this test knows. It
// compares them with what the plan and its document say is lost, and with what is saved
// of it.
func TestWhatIsLostIsCounted(t *testing.T) {
	endtoend.OldestAndNewest(t, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"autovacuum": "off", "max_prepared_transactions": "5", "wal_level": "logical"}})
		target.Start(t)
		target.Exec(t, "CREATE TABLE t (x int)", "CREATE TABLE gone (x int)", "INSERT INTO gone SELECT generate_series(1, 1000)", "CREATE DATABASE old")
		src := target.Standby(t)
		src.Promote(t)
		src.Stop(t, pgtest.Fast)

		file := func(table string) (string, pgdata.RelFileLocator) {
			p := target.QueryString(t, "SELECT pg_relation_filepath('"+table+"')")
			segment, ok := pgdata.ParseRelPath(in.Version, p)
			require.True(t, ok, p)
			return p, segment.Locator
		}
		gonePath, gone := file("gone")
		var committed int
		commit := func(sql ...string) {
			committed += len(sql)
			target.Exec(t, sql...)
		}
		begun := time.Now().Add(-time.Second) // clocks have different resolutions
		for range 7 {
			commit("INSERT INTO t VALUES (1)")
		}
		commit("BEGIN; INSERT INTO t VALUES (2); SAVEPOINT a; INSERT INTO t VALUES (3); SAVEPOINT b; INSERT INTO t VALUES (4); COMMIT")
		target.Exec(t, "BEGIN; INSERT INTO t VALUES (5); ROLLBACK")
		for _, name := range []string{"kept", "back", `it''s open \ für`} {
			target.Exec(t, "BEGIN; INSERT INTO t VALUES (6); PREPARE TRANSACTION '"+name+"'")
		}
		commit("COMMIT PREPARED 'kept'")
		target.Exec(t, "ROLLBACK PREPARED 'back'")
		commit("CREATE TABLE made AS SELECT g FROM generate_series(1, 5000) g", "DROP TABLE gone", "CREATE DATABASE new", "DROP DATABASE old")
		space := target.TablespaceDir(t, "space")
		commit("SELECT pg_logical_emit_message(true, 'outbox', 'an event')", "CREATE TABLESPACE space LOCATION '"+space+"'")
		_, made := file("made")
		blocks := target.QueryString(t, "SELECT count(DISTINCT (ctid::text::point)[0]) FROM made")
		size := target.QueryString(t, "SELECT pg_relation_size('made')")
		newOID := target.QueryString(t, "SELECT oid FROM pg_database WHERE datname = 'new'")
		target.ExecIn(t, "new", "CREATE TABLE a AS SELECT 1 AS x", "CREATE TABLE b AS SELECT 1 AS x")
		committed += 2
		literal := target.QueryString(t, "SELECT quote_literal(gid) FROM pg_prepared_xacts")
		ended := time.Now().Add(time.Second)
		target.Stop(t, pgtest.Fast)

		saved := filepath.Join(t.TempDir(), "saved")
		opts := rewind.Options{TargetDir: target.Dir, Source: endtoend.OpenDir(t, src.Dir), SaveLost: saved}
		before := map[string][]byte{}
		segments, err := filepath.Glob(filepath.Join(target.Dir, in.Version.WALDir, "0000000100000000*"))
		require.NoError(t, err)
		for _, f := range segments {
			before[filepath.Base(f)], err = os.ReadFile(f)
			require.NoError(t, err)
		}
		ctx := context.WithoutCancel(t.Context())
		r, err := rewind.Prepare(ctx, opts)
		require.NoError(t, err)
		defer func() { assert.NoError(t, r.Close()) }()
		said := r.Document(ctx, nil)
		assert.Contains(t, textOf(t, said), "will be saved in")
		assert.NoDirExists(t, saved)
		require.NoError(t, r.Apply(ctx))
		assert.Equal(t, saved, r.Document(ctx, nil).Lost.SavedIn)

		lost := r.Plan().Lost
		assert.Equal(t, committed, lost.Committed)
		assert.Equal(t, 3, lost.Prepared)
		assert.Equal(t, 2, lost.Aborted)
		assert.Zero(t, lost.Unparsed)
		assert.Positive(t, lost.Bytes)
		assert.WithinRange(t, lost.FirstCommit.Time, begun, ended)
		assert.WithinRange(t, lost.LastCommit.Time, lost.FirstCommit.Time, ended)
		assert.Contains(t, lost.Created.List, made)
		assert.Contains(t, lost.Dropped.List, gone)
		assert.Equal(t, blocks, fmt.Sprint(lost.Blocks[made]))
		require.Len(t, lost.CreatedDatabases, 1)
		assert.Equal(t, newOID, fmt.Sprint(lost.CreatedDatabases[0]))
		assert.Len(t, lost.DroppedDatabases, 1)
		mustSayWhatIsLost(t, said, literal, newOID, space)

		// What was overwritten or removed can still be read.
		madePath := "files/" + pgdata.RelSegment{Locator: made}.Path(in.Version)
		info, err := os.Stat(filepath.Join(saved, madePath))
		require.NoError(t, err)
		assert.Equal(t, size, fmt.Sprint(info.Size()))
		assert.NoFileExists(t, filepath.Join(saved, "files", gonePath), "that is empty on the target")
		wal, err := filepath.Glob(filepath.Join(saved, "wal", "0000000100000000*"))
		require.NoError(t, err)
		require.NotEmpty(t, wal)
		for _, f := range wal {
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(before[filepath.Base(f)], b), f)
		}
		endtoend.MustFollow(t, target, src)
		endtoend.MustBeSound(t, target)
	})
}

func textOf(t *testing.T, d *report.Document) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Text(&b, d, report.Options{Width: 500}))
	return b.String()
}

// mustSayWhatIsLost checks what the document adds to the counts.
func mustSayWhatIsLost(t *testing.T, d *report.Document, literal, newDatabase, space string) {
	t.Helper()
	mustBeADocument(t, d)
	lost := d.Lost
	require.Len(t, lost.StillPrepared, 1)
	open := lost.StillPrepared[0]
	assert.Equal(t, []string{`it's open \ für`, literal}, []string{open.GID, open.Literal})
	assert.WithinRange(t, open.Time, *lost.FirstCommit, *lost.LastCommit)
	assert.Contains(t, textOf(t, d), "1 transaction prepared and never ended: "+literal+" in postgres")
	require.Len(t, lost.CreatedTablespaces, 1)
	assert.Equal(t, space, lost.CreatedTablespaces[0].Location)
	assert.Equal(t, 1, lost.Messages)
	require.Len(t, lost.CommittedByDatabase, 2, "wal_level is logical")
	assert.Equal(t, fmt.Sprint(lost.CommittedByDatabase[1].Database), newDatabase)
	assert.Equal(t, 2, lost.CommittedByDatabase[1].Committed)
	for _, list := range [][]report.Relation{lost.Relations, lost.Created} {
		ofNew := slices.DeleteFunc(slices.Clone(list), func(r report.Relation) bool { return fmt.Sprint(r.Database) != newDatabase })
		require.Len(t, ofNew, 1, "a created database is one entry")
		assert.GreaterOrEqual(t, ofNew[0].Relations, 2)
		assert.Zero(t, ofNew[0].FileNode)
	}
	assert.Greater(t, lost.RelationCount(), int64(len(lost.Relations)))
}
