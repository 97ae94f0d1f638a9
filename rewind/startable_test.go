package rewind_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
)

// TestWhetherTheTargetWillStartIsKnownInAdvance removes WAL from the source that the
// rewound server's recovery needs: first it is nowhere, then in the archive. Both times
// the prediction is tested.
func TestWhetherTheTargetWillStartIsKnownInAdvance(t *testing.T) {
	endtoend.OldestAndNewest(t, func(t *testing.T, in *pgtest.Installation) {
		conf, archive, restore := archiving(t, in)
		target := in.InitCluster(t, pgtest.Options{Conf: conf})
		target.Start(t)
		target.Exec(t, "CREATE TABLE journal (what text, filler text)")
		endtoend.Write(t, target, "common")
		src := target.Standby(t)
		src.Promote(t)
		endtoend.Write(t, target, "lost")
		target.Stop(t, pgtest.Fast)
		for range 2 {
			endtoend.Write(t, src, "new")
			src.SwitchWAL(t)
		}
		last := src.QueryString(t, "SELECT "+in.Version.SQL.WALFileName+"("+in.Version.SQL.FlushLSN+"())")
		require.Eventually(t, func() bool {
			files, err := filepath.Glob(filepath.Join(archive, "00000002????????????????"))
			return err == nil && len(files) >= 2
		}, time.Minute, 50*time.Millisecond, "WAL is archived")
		src.Checkpoint(t)

		// The source's WAL of its own timeline is removed, except for the newest segment.
		var gone []string
		segments, err := filepath.Glob(filepath.Join(src.Dir, in.Version.WALDir, "00000002????????????????"))
		require.NoError(t, err)
		for _, p := range segments {
			if filepath.Base(p) < last {
				gone = append(gone, filepath.Base(p))
				require.NoError(t, os.Remove(p))
			}
		}
		require.NotEmpty(t, gone)
		if in.Version.RecoveryConf {
			require.NoError(t, os.WriteFile(filepath.Join(target.Dir, "recovery.done"), []byte("restore_command = '"+restore+"'\n"), 0o600))
		}
		twin := target.CloneStopped(t)
		hidden := archive + ".hidden"
		require.NoError(t, os.Rename(archive, hidden))

		live := endtoend.OpenServer(t, src.ConnString("postgres"))
		before := treeOf(t, target.Dir)
		_, err = rewind.Prepare(t.Context(), rewind.Options{TargetDir: target.Dir, Source: live, ArchivePause: time.Millisecond})
		var failed *rewind.Error
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, rewind.MissingWAL, failed.Condition)
		assert.Equal(t, 1, failed.ExitStatus(), "a restore_command is set, and may bring it the next time")
		assert.True(t, failed.TargetUntouched && !failed.Retryable())
		var missing *rewind.CannotStartError
		require.ErrorAs(t, err, &missing)
		assert.Subset(t, gone, missing.Missing)
		assert.ErrorContains(t, err, "If an archive has them, set restore_command in the target's configuration or copy them")
		for says, opts := range map[string]rewind.Options{
			"correct Options.RestoreCommand or copy them":           {RestoreCommand: "false"},
			"let Options.FetchWAL get them from there or copy them": {FetchWAL: func(context.Context, string, string) error { return rewind.ErrNotInArchive }},
		} {
			opts.TargetDir, opts.Source, opts.ArchivePause = target.Dir, live, time.Millisecond
			_, err := rewind.Prepare(t.Context(), opts)
			require.ErrorContains(t, err, says)
			assert.NotContains(t, err.Error(), "target's configuration")
		}
		assert.Empty(t, before.Diff(treeOf(t, target.Dir)))

		// The prediction is right: this is what would have happened.
		opts := rewind.Options{TargetDir: twin.Dir, Source: live, ArchivePause: time.Millisecond}.StartOrNot()
		rewindWith(t, opts)
		twin.MakeStandbyOf(t, src)
		twin.Hopeless = func(log string) bool { return strings.Contains(log, "has already been removed") } // it would wait for ever
		err = twin.TryStart()
		if err == nil { // some majors accept no connections, and wait
			assert.NotContains(t, twin.Log(), "consistent recovery state reached")
			twin.Stop(t, pgtest.Immediate)
		}
		assert.Contains(t, twin.Log(), "has already been removed")

		require.NoError(t, os.Rename(hidden, archive))
		plan := rewindWith(t, rewind.Options{TargetDir: target.Dir, Source: live, PrimaryConnInfo: standbyConnInfo(target, src)})
		var archived []string
		for _, w := range plan.NeededWAL {
			if w.Origin == report.InArchive {
				archived = append(archived, w.Name)
			}
		}
		assert.Equal(t, missing.Missing, archived, "%v", plan.NeededWAL)
		mustStream(t, target, src)
		endtoend.MustBeSound(t, target)
	})
}

// TestASavedPlanIsApplied saves a plan, applies it in another rewind, and checks
// that it is refused if either side has moved on.
func TestASavedPlanIsApplied(t *testing.T) {
	endtoend.OldestAndNewest(t, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{})
		target.Start(t)
		target.Exec(t, "CREATE TABLE journal (what text, filler text)")
		src := target.Standby(t)
		src.Promote(t)
		endtoend.Write(t, target, "lost")
		target.Stop(t, pgtest.Fast)
		endtoend.Write(t, src, "kept")
		src.Stop(t, pgtest.Fast)

		save := func() string {
			r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: target.Dir, Source: endtoend.OpenDir(t, src.Dir)})
			require.NoError(t, err)
			defer r.Close()
			var b strings.Builder
			require.NoError(t, r.Save(&b))
			return b.String()
		}
		apply := func(plan string, keep ...string) (*rewind.Plan, error) {
			r, err := rewind.Prepare(t.Context(), rewind.Options{
				TargetDir: target.Dir, Source: endtoend.OpenDir(t, src.Dir), Plan: strings.NewReader(plan), Keep: keep,
				SaveLost: filepath.Join(t.TempDir(), "lost"),
			})
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return r.Plan(), r.Apply(t.Context())
		}
		// A configuration that is kept, and with which the server would not start as a
		// standby.
		conf := filepath.Join(t.TempDir(), "postgresql.conf")
		require.NoError(t, os.WriteFile(conf, []byte("max_connections = 3\nhot_standby = on\n"), 0o600))
		r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: target.Dir, Source: endtoend.OpenDir(t, src.Dir), ConfigFile: conf})
		require.NoError(t, err)
		require.NoError(t, r.Close())
		assert.Contains(t, strings.Join(r.Plan().Warnings, "\n"), "max_connections = 3 is lower than on the primary")

		plan := save()
		_, err = apply(plan, "*.conf")
		assert.ErrorIs(t, err, rewind.ErrOptions, "other files to keep")
		_, err = apply(plan[:len(plan)-1])
		assert.ErrorIs(t, err, rewind.ErrOptions, "a damaged plan")
		_, err = apply("nonsense")
		assert.ErrorIs(t, err, rewind.ErrOptions)

		src.Start(t)
		src.Stop(t, pgtest.Fast)
		_, err = apply(plan)
		var failed *rewind.Error
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, rewind.PlanOutdated, failed.Condition, err)
		assert.True(t, failed.TargetUntouched)

		applied, err := apply(save())
		require.NoError(t, err)
		assert.Positive(t, applied.Files.FetchBytes())
		endtoend.MustFollow(t, target, src)
		endtoend.MustBeSound(t, target)
	})
}
