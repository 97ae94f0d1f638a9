package rewind_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

var errCut = errors.New("the connection was cut")

// cutSource is a source whose connection breaks after some writes.
type cutSource struct {
	source.Source
	left atomic.Int64
}

func (s *cutSource) Fetch(ctx context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	return s.Source.Fetch(ctx, ranges, &cutSink{dst, s})
}

type cutSink struct {
	source.Sink
	from *cutSource
}

func (s *cutSink) WriteAt(path string, data []byte, offset int64) error {
	if !isWAL(path) && s.from.left.Add(-1) < 0 { // the analysis reads WAL
		return errCut
	}
	return s.Sink.WriteAt(path, data, offset)
}

// isWAL reports whether a path is in the WAL directory.
func isWAL(path string) bool {
	return strings.HasPrefix(path, "pg_wal/") || strings.HasPrefix(path, "pg_xlog/")
}

var errFault = errors.New("a fault")

// failAt makes the first matching operation fail, and all after it.
func failAt(matches func(faultdisk.Op) bool) func(apply.Disk) apply.Disk {
	var failed atomic.Bool
	return func(d apply.Disk) apply.Disk {
		return faultdisk.Wrap(d, func(op faultdisk.Op) error {
			if failed.Load() || matches(op) {
				failed.Store(true)
				return errFault
			}
			return nil
		})
	}
}

// diverged makes an old primary, stopped, and the new one, running.
func diverged(t *testing.T, in *pgtest.Installation) (old, promoted *pgtest.Cluster) {
	t.Helper()
	old = in.InitCluster(t, pgtest.Options{})
	old.Start(t)
	old.Exec(t, "CREATE TABLE journal (what text, filler text)", "CREATE TABLE shrinks AS SELECT g FROM generate_series(1, 5000) g")
	endtoend.Write(t, old, "common")
	promoted = old.Standby(t)
	promoted.Promote(t)
	endtoend.Write(t, old, "lost")
	old.Exec(t, "CREATE TABLE lost (x int)", "INSERT INTO shrinks SELECT g FROM generate_series(1, 5000) g", "CREATE DATABASE lost")
	old.Stop(t, pgtest.Fast)
	endtoend.Write(t, promoted, "new")
	promoted.Exec(t, "CREATE TABLE new (x int)", "CREATE DATABASE new")
	promoted.Checkpoint(t)
	return old, promoted
}

// mustNotStart checks that no server starts, in any way.
func mustNotStart(t *testing.T, c *pgtest.Cluster, src *pgtest.Cluster) {
	t.Helper()
	label := filepath.Join(c.Dir, pgdata.BackupLabelPath)
	for _, prepare := range []struct {
		what     string
		do, undo func()
	}{
		{what: "as it is"},
		{what: "with a backup_label", do: func() {
			require.NoError(t, os.WriteFile(label, []byte("START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"+
				"CHECKPOINT LOCATION: 0/2000060\nBACKUP METHOD: pg_rewind\nBACKUP FROM: standby\n"), 0o600))
		}, undo: func() { require.NoError(t, os.Remove(label)) }},
		{what: "as a standby", do: func() { c.MakeStandbyOf(t, src) }},
	} {
		if _, err := os.Stat(label); err == nil && prepare.undo != nil {
			continue // it has a label already
		}
		if prepare.do != nil {
			prepare.do()
		}
		require.ErrorContains(t, c.TryStart(), "control file contains invalid", prepare.what)
		if prepare.undo != nil {
			prepare.undo()
		}
	}
	single := c.In.Command(t, "postgres", "--single", "-D", c.Dir, "template1")
	out, err := single.CombinedOutput()
	require.Error(t, err, "crash recovery by a failover manager: %s", out)
	assert.True(t, endtoend.ControlOf(t, c).ShutDownCleanly(), "failover managers see a stopped server")
	if _, ok := c.In.Program("pg_controldata"); ok {
		assert.Regexp(t, `Database cluster state: +shut down\n`, c.In.Output(t, "pg_controldata", c.Dir))
	}
}

// TestRewindIsFinishedWithoutTheSource stops rewinds of real servers at critical
// points, tries to start the target there, and makes the next run continue.
func TestRewindIsFinishedWithoutTheSource(t *testing.T) {
	points := []struct {
		name    string
		matches func(faultdisk.Op) bool
	}{
		{"the commit itself is done, and nothing after it", func(op faultdisk.Op) bool { return op.Name == "remove" && op.Path == pgdata.PostmasterPid }},
		{"when files are replaced", func(op faultdisk.Op) bool { return op.Name == "rename" && strings.HasPrefix(op.Path, "base/") }},
		{"when blocks are written", func(op faultdisk.Op) bool {
			return strings.HasPrefix(op.Path, "base/") && (op.Name == "writeat" || op.Name == "copyrange")
		}},
		{"when files are removed", func(op faultdisk.Op) bool { return op.Name == "remove" && strings.HasPrefix(op.Path, "base/") }},
		{"when the label was written", func(op faultdisk.Op) bool { return op.Name == "sync" && op.Path == "." }},
		{"when only the control file is missing", func(op faultdisk.Op) bool {
			return op.Name == "open" && op.Path == "pgsql_tmp_gorewind/pg_control.new" && !op.Read
		}},
	}
	pgtest.EachOf(t, endtoend.Telling, func(t *testing.T, in *pgtest.Installation) {
		old, promoted := diverged(t, in)
		live := endtoend.OpenServer(t, promoted.ConnString("postgres"))
		ctx := context.WithoutCancel(t.Context())
		before := treeOf(t, old.Dir)

		for _, writes := range []int64{0, 1, 40} {
			cut := &cutSource{Source: live}
			cut.left.Store(writes)
			r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: old.Dir, Source: cut})
			require.NoError(t, err)
			err = r.Apply(ctx)
			require.NoError(t, r.Close())
			require.ErrorIs(t, err, errCut)
			var failed *rewind.Error
			require.ErrorAs(t, err, &failed)
			assert.True(t, failed.TargetUntouched)
			assert.Equal(t, rewind.PhaseStage, failed.Phase)
			assert.Empty(t, before.Diff(treeOf(t, old.Dir)), "cut after %d writes", writes)
		}

		opts := rewind.Options{TargetDir: old.Dir, Source: live}
		for i, point := range points {
			wrap := failAt(point.matches)
			if i == 0 { // the control file is already poisoned when gorewind's postmaster.pid is removed
				var poisoned atomic.Bool
				wrap = failAt(func(op faultdisk.Op) bool {
					if op.Name == "rename" && op.Path == pgdata.ControlFilePath {
						poisoned.Store(true)
					}
					return poisoned.Load() && point.matches(op)
				})
			}
			r, err := rewind.Prepare(ctx, opts.WithDisk(wrap))
			require.NoError(t, err, point.name)
			assert.Equal(t, i > 0, r.Plan().Resumes)
			assert.True(t, r.Plan().Required)
			assert.NotZero(t, r.Plan().Divergence)
			err = r.Apply(ctx)
			require.NoError(t, r.Close())
			require.ErrorIs(t, err, errFault, point.name)
			var failed *rewind.Error
			require.ErrorAs(t, err, &failed)
			assert.False(t, failed.TargetUntouched, point.name)
			assert.True(t, failed.Retryable(), point.name)

			status, err := rewind.ReadStatus(old.Dir)
			require.NoError(t, err)
			assert.Equal(t, rewind.StateUnfinished, status.State, point.name)
			assert.False(t, status.Running)
			mustNotStart(t, old, promoted)
			opts.Source = nil // what is staged is enough
		}

		promoted.Stop(t, pgtest.Immediate)
		require.NoError(t, rewind.Resume(ctx, rewind.Options{TargetDir: old.Dir}))
		require.ErrorIs(t, rewind.Resume(ctx, rewind.Options{TargetDir: old.Dir}), rewind.ErrNothingToResume)
		status, err := rewind.ReadStatus(old.Dir)
		require.NoError(t, err)
		assert.Equal(t, rewind.StateRewound, status.State)
		assert.NoDirExists(t, filepath.Join(old.Dir, "pgsql_tmp_gorewind"))
		endtoend.MustFollow(t, old, promoted)
		endtoend.MustBeSound(t, old)
	})
}

// TestRewindInPlaceIsStartedAgain interrupts rewinds in place. In between no server
// starts, and the last run does not need what the first ones overwrote.
func TestRewindInPlaceIsStartedAgain(t *testing.T) {
	pgtest.EachOf(t, endtoend.Telling, func(t *testing.T, in *pgtest.Installation) {
		old, promoted := diverged(t, in)
		live := endtoend.OpenServer(t, promoted.ConnString("postgres"))
		ctx := context.WithoutCancel(t.Context())
		for i, writes := range []int64{0, 1, 40, 150, 1 << 40} {
			cut := &cutSource{Source: live}
			cut.left.Store(writes)
			opts := rewind.Options{TargetDir: old.Dir, Source: cut, InPlace: i < 3} // a rerun knows by itself
			if writes == 1<<40 {
				opts = opts.WithDisk(failAt(func(op faultdisk.Op) bool { return op.Name == "rename" && op.Path == pgdata.ControlFilePath }))
			}
			r, err := rewind.Prepare(ctx, opts)
			require.NoError(t, err, "after %d cuts", i)
			err = r.Apply(ctx)
			require.NoError(t, r.Close())
			require.Error(t, err)
			var failed *rewind.Error
			require.ErrorAs(t, err, &failed)
			assert.False(t, failed.TargetUntouched)
			require.ErrorContains(t, rewind.Resume(ctx, rewind.Options{TargetDir: old.Dir}), "needs its source")
			status, err := rewind.ReadStatus(old.Dir)
			require.NoError(t, err)
			assert.Equal(t, rewind.StateInPlace, status.State)
			if i > 1 {
				mustNotStart(t, old, promoted)
			}
		}
		endtoend.Write(t, promoted, "newer")
		endtoend.MustRewind(t, old, live)
		assert.NoDirExists(t, filepath.Join(old.Dir, "pgsql_tmp_gorewind"))
		endtoend.MustFollow(t, old, promoted)
		endtoend.MustBeSound(t, old)
	})
}

// TestRewindInPlaceIsNotStartedAgainWithASourceThatLags gives the next run a standby
// that has less WAL than the checkpoint from which the first one began.
func TestRewindInPlaceIsNotStartedAgainWithASourceThatLags(t *testing.T) {
	pgtest.EachOf(t, []string{"13", "18"}, func(t *testing.T, in *pgtest.Installation) {
		l := endtoend.NewLab(t, in)
		a := l.Primary(pgtest.Options{}, endtoend.Thousand...)
		both := l.Standbys(a, 2)
		b, behind := both[0], both[1]
		l.CatchUp(a, b, behind)
		behind.CutOff(l)
		a.Exec(l, "UPDATE t SET i = i + 1", "CHECKPOINT")
		l.CatchUp(a, b)
		l.Promote(b)
		a.Exec(l, "UPDATE t SET i = i + 1")
		a.Stop(l, pgtest.Fast)

		cut := &cutSource{Source: endtoend.OpenServer(t, b.ConnString("postgres"))}
		cut.left.Store(3)
		r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: a.Dir, Source: cut, InPlace: true})
		require.NoError(t, err)
		require.ErrorIs(t, r.Apply(t.Context()), errCut)
		require.NoError(t, r.Close())
		_, err = rewind.Prepare(t.Context(), rewind.Options{TargetDir: a.Dir, Source: endtoend.OpenServer(t, behind.ConnString("postgres"))})
		require.ErrorIs(t, err, rewind.ErrSourceChanged)
		endtoend.MustRewind(t, a, endtoend.OpenServer(t, b.ConnString("postgres")))
		endtoend.MustFollow(t, a, b)
	})
}
