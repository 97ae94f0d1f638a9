package rewind_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
)

// rewindWith rewinds with the given options.
func rewindWith(t *testing.T, opts rewind.Options) *rewind.Plan {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	opts.ArchivePause = time.Millisecond
	r, err := rewind.Prepare(ctx, opts)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	require.NoError(t, r.Apply(ctx))
	return r.Plan()
}

// mustStream starts a target that was made a standby, and compares it with its source.
func mustStream(t *testing.T, target, src *pgtest.Cluster) {
	t.Helper()
	target.Start(t)
	target.WaitStreaming(t, src)
	src.Exec(t, "CREATE TABLE IF NOT EXISTS after_rewind (x int)", "INSERT INTO after_rewind VALUES (1)")
	target.WaitCaughtUp(t, src)
	assert.Equal(t, endtoend.Content(t, src), endtoend.Content(t, target), "rows of source and target")
}

// standbyConnInfo returns the connection string that -R would write.
func standbyConnInfo(target, src *pgtest.Cluster) string {
	return fmt.Sprintf("host=%s port=%d user=postgres application_name=%s", src.SocketDir(), src.Port(), target.Name)
}

// archiving makes a cluster archive into a directory, and restore from it.
func archiving(t *testing.T, in *pgtest.Installation) (conf map[string]string, dir, restore string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	restore = fmt.Sprintf("cp %s/%%f %%p", dir)
	conf = map[string]string{"archive_mode": "on", "archive_command": fmt.Sprintf("cp %%p %[1]s/.%%f && mv %[1]s/.%%f %[1]s/%%f", dir)}
	if !in.Version.RecoveryConf {
		conf["restore_command"] = restore
	}
	return conf, dir, restore
}

// TestKilledPrimaryWithItsWALInTheArchive is the common disaster: the primary dies, the
// standby takes over, and the segments that the rewind needs were recycled long ago.
// One call recovers, restores, rewinds and makes a standby.
func TestKilledPrimaryWithItsWALInTheArchive(t *testing.T) {
	pgtest.EachOf(t, endtoend.Telling, func(t *testing.T, in *pgtest.Installation) {
		conf, archive, restore := archiving(t, in)
		old := in.InitCluster(t, pgtest.Options{Conf: conf})
		old.Start(t)
		old.Exec(t, "CREATE TABLE journal (what text, filler text)")
		endtoend.Write(t, old, "common")
		promoted := old.Standby(t)
		promoted.Promote(t)
		var last string
		for range 4 { // segments of the fork and after it
			endtoend.Write(t, old, "lost")
			last = old.SwitchWAL(t)
		}
		old.Exec(t, "INSERT INTO journal VALUES ('lost', 'prepared')")
		require.Eventually(t, func() bool {
			return old.QueryString(t, "SELECT last_archived_wal FROM pg_stat_archiver") >= last
		}, time.Minute, 50*time.Millisecond, "WAL is archived")
		old.Checkpoint(t)
		endtoend.Write(t, old, "lost last")
		old.Kill(t)
		endtoend.Write(t, promoted, "new")

		// What was archived is removed from the target, as a server would over time.
		var gone []string
		archived, err := os.ReadDir(archive)
		require.NoError(t, err)
		for _, f := range archived {
			p := filepath.Join(old.Dir, in.Version.WALDir, f.Name())
			if f.Name() < last && os.Remove(p) == nil {
				gone = append(gone, f.Name())
			}
		}
		require.NotEmpty(t, gone, "segments removed from the target") // the server may have been first
		if in.Version.RecoveryConf {                                  // an old primary was once a standby
			require.NoError(t, os.WriteFile(filepath.Join(old.Dir, "recovery.done"), []byte("restore_command = '"+restore+"'\n"), 0o600))
		}

		live := endtoend.OpenServer(t, promoted.ConnString("postgres"))
		before := treeOf(t, old.Dir)
		opts := rewind.Options{TargetDir: old.Dir, Source: live}
		_, err = rewind.Prepare(t.Context(), opts)
		require.ErrorIs(t, err, rewind.ErrTargetNotClean)
		assert.Empty(t, before.Diff(treeOf(t, old.Dir)))

		program, ok := in.Program("postgres")
		require.True(t, ok)
		opts.EnsureShutdown, opts.ServerProgram = true, filepath.Join(t.TempDir(), "our-server")
		_, err = rewind.Prepare(t.Context(), opts)
		var nowhere *rewind.ServerProgramError
		require.ErrorAs(t, err, &nowhere)
		assert.Equal(t, opts.ServerProgram, nowhere.Program)
		assert.Empty(t, before.Diff(treeOf(t, old.Dir)))

		require.NoError(t, os.Symlink(program, opts.ServerProgram))
		_, err = rewind.Prepare(t.Context(), opts)
		var missing *rewind.MissingWALError
		require.ErrorAs(t, err, &missing)
		assert.FileExists(t, filepath.Join(archive, filepath.Base(missing.Path)))
		assert.True(t, endtoend.ControlOf(t, old).ShutDownCleanly(), "it is recovered now")

		opts.RestoreTargetWAL, opts.PrimaryConnInfo = true, standbyConnInfo(old, promoted)
		plan := rewindWith(t, opts)
		assert.True(t, plan.Required)
		assert.NoDirExists(t, filepath.Join(old.Dir, "pgsql_tmp_gorewind"))
		mustStream(t, old, promoted)
		if in.Version.RecoveryConf {
			conf, err := os.ReadFile(filepath.Join(old.Dir, "recovery.conf"))
			require.NoError(t, err)
			assert.Contains(t, string(conf), "restore_command = '"+restore+"'")
		}
		endtoend.MustBeSound(t, old)
	})
}

// TestKilledStandbyIsRewoundAsItIs has a standby that replayed what its primary lost,
// has made restartpoints later than the last common checkpoint, and received WAL that
// it did not replay.
func TestKilledStandbyIsRewoundAsItIs(t *testing.T) {
	pgtest.EachOf(t, endtoend.Telling, func(t *testing.T, in *pgtest.Installation) {
		p := in.InitCluster(t, pgtest.Options{})
		p.Start(t)
		p.Exec(t, "CREATE TABLE t AS SELECT g AS id, 0 AS n, repeat('x', 100) AS f FROM generate_series(1, 5000) g", "CREATE INDEX ON t (id)")
		promoted, killed := p.Standby(t), p.Standby(t)
		promoted.WaitStreaming(t, p)
		for _, table := range []string{"a", "b", "c"} {
			p.Exec(t, "UPDATE t SET n = n + 1 WHERE id % 3 = 0", "CREATE TABLE "+table+" AS SELECT * FROM t", "CHECKPOINT")
		}
		p.Exec(t, "UPDATE t SET n = n + 1 WHERE id % 5 = 0")
		promoted.WaitCaughtUp(t, p)
		killed.WaitCaughtUp(t, p)
		same := killed.Dir
		promoted.Promote(t)
		promoted.Checkpoint(t)
		p.Exec(t, "UPDATE t SET n = n + 100 WHERE id % 7 = 0", "DROP TABLE a", "CREATE TABLE lost AS SELECT * FROM t")
		promoted.Exec(t, "UPDATE t SET n = n - 1 WHERE id % 11 = 0", "CREATE TABLE new AS SELECT * FROM t")
		killed.WaitCaughtUp(t, p)
		killed.Kill(t)
		require.Equal(t, controlfile.InArchiveRecovery, endtoend.ControlOf(t, killed).State)
		before := treeOf(t, killed.Dir)

		// Its own primary is on the same timeline: no rewind is required, and no server
		// program may be run on it.
		r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: same, Source: endtoend.OpenServer(t, p.ConnString("postgres")), EnsureShutdown: true, BinDir: "/nowhere"})
		require.NoError(t, err)
		assert.False(t, r.Plan().Required)
		require.NoError(t, r.Apply(t.Context()))
		require.NoError(t, r.Close())
		assert.Empty(t, before.Diff(treeOf(t, killed.Dir)))

		plan := rewindWith(t, rewind.Options{
			TargetDir: killed.Dir, Source: endtoend.OpenServer(t, promoted.ConnString("postgres")), PrimaryConnInfo: standbyConnInfo(killed, promoted),
			EnsureShutdown: true, BinDir: "/nowhere", // no server program is needed
		})
		assert.True(t, plan.Required)
		mustStream(t, killed, promoted)
		endtoend.MustBeSound(t, killed)
	})
}

// TestStandbyIsMadeWhereNoRewindIsRequired only makes a standby, as with -R.
func TestStandbyIsMadeWhereNoRewindIsRequired(t *testing.T) {
	p := restorePair(t, "18", "basic")
	src := endtoend.OpenDir(t, p.source)
	require.NoError(t, os.RemoveAll(p.target))
	require.NoError(t, os.CopyFS(p.target, os.DirFS(p.source))) // the same timeline
	autoConf := filepath.Join(p.target, "postgresql.auto.conf")
	require.NoError(t, os.WriteFile(autoConf, []byte("work_mem = '1MB'\nPrimary_ConnInfo = 'host=old'"), 0o600))
	for range 2 {
		r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, Source: src, PrimaryConnInfo: "host=/run user='it's'"})
		require.NoError(t, err)
		require.False(t, r.Plan().Required)
		require.NoError(t, r.Apply(t.Context()))
		require.NoError(t, r.Close())
	}
	auto, err := os.ReadFile(autoConf)
	require.NoError(t, err)
	assert.Equal(t, "work_mem = '1MB'\nprimary_conninfo = 'host=/run user=''it''s'''\n", string(auto))
	assert.FileExists(t, filepath.Join(p.target, "standby.signal"))
}

// TestAFailedCrashRecoveryIsAnError has a server program that writes the state
// of a cluster in recovery, or fails before that.
func TestAFailedCrashRecoveryIsAnError(t *testing.T) {
	for _, c := range []struct {
		name    string
		does    string
		changed bool
		says    string
	}{
		{"before it changes anything", "", false, "The target was not changed."},
		{"in the middle", `cp "$OTHER" "$3/global/pg_control";`, true, "The target was not changed, except by its crash recovery."},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := restorePair(t, "18", "basic")
			p.setState(p.target, controlfile.InCrashRecovery)
			raw, err := os.ReadFile(p.controlFile(p.target))
			require.NoError(t, err)
			p.setState(p.target, controlfile.InProduction)
			other := filepath.Join(p.home, "other")
			p.write(other, raw)
			bin := t.TempDir()
			script := "#!/bin/sh\nif [ \"$1\" = -V ]; then echo 'postgres (PostgreSQL) 18.0'; exit; fi\nOTHER=" + other + "\n" + c.does + " exit 1\n"
			require.NoError(t, os.WriteFile(filepath.Join(bin, "postgres"), []byte(script), 0o700))

			_, err = rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), EnsureShutdown: true, BinDir: bin})
			var failed *rewind.Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, rewind.TargetNotClean, failed.Condition, err)
			assert.True(t, failed.TargetUntouched)
			assert.Equal(t, c.changed, failed.CrashRecovered)
			assert.Equal(t, 1, failed.ExitStatus())
			d := rewind.ErrorDocument(err)
			mustBeADocument(t, d)
			assert.Contains(t, d.Verdict(), c.says)
		})
	}
}
