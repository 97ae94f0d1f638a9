package adopters_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend/adopters"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/rewindtest"
)

// multigres is about Multigres. Its contract was read in its repository as of 21 August 2026
// (commit 6bd80b9): PgRewindWithResult in go/cmd/pgctld/command/rewind.go and its caller in
// server.go; runPgRewind and restartAsStandbyLocked in
// go/services/multipooler/internal/manager/rpc_manager.go; rewind_sentinel.go and
// postgres_monitor.go there.
//
// The server is stopped, and recovered in single-user mode if it was not stopped cleanly.
// A dry run comes first: its output, which is returned, is searched for "servers diverged
// at". If that is there, a file outside the directory records that a rewind begins, and
// pg_rewind is run with -R, on a context that the caller's deadline does not cancel. The
// password is in the environment. The file is removed when the server runs as a standby. If
// it is found later, the rewind is run again before any server starts. Failures are tried
// again after pauses that grow; after some, the pooler is quarantined and replaced.
var multigres = manager[adopters.Tick]{
	start: adopters.RestartAsStandby, wipe: adopters.Quarantine,
	at: func(p *place) func(ctx context.Context) (adopters.Tick, error) {
		m := &adopters.Multipooler{SourceHost: "new-primary", SourcePort: 5432, Pgctld: &adopters.Pgctld{DataDir: p.Target, Open: p.connect, Logger: quiet}}
		return func(ctx context.Context) (adopters.Tick, error) {
			next, _, err := m.RestartAsStandby(ctx)
			return next, err
		}
	},
	after: (*adopters.Multipooler)(nil).After,
}

func TestMultigresRestartsAStandbyOrTriesAgain(t *testing.T) {
	multigres.decides(t)
	multigres.meets(t, []row[adopters.Tick]{
		{"it has commits of its own", "", 2, adopters.RestartAsStandby},
		{inStep, "", 1, adopters.RestartAsStandby},
		{"the rewind was killed right after its commit, and the source is gone since", "", 0, adopters.RestartAsStandby},
		{"the rewind was killed before its commit", "", 2, adopters.RestartAsStandby},

		{"nobody answers at the source's address", rewind.SourceUnreachable, 1, adopters.NextTick},
		{"the source is starting", rewind.SourceStarting, 1, adopters.NextTick},
		{"the source goes away while a table is copied", rewind.SourceUnavailable, 2, adopters.NextTick},
		{"another rewind works on it", rewind.TargetLocked, 0, adopters.NextTick},
		{"it is cancelled before it begins", rewind.Interrupted, 1, adopters.NextTick},
		{"it is cancelled while files are copied", rewind.Interrupted, 2, adopters.NextTick},

		{"it is cancelled while files are replaced", rewind.Interrupted, 2, adopters.RewindFirst},
		{"the disk fails while files are replaced", rewind.UnexpectedCondition, 2, adopters.RewindFirst},

		{"the password is wrong", rewind.WrongPassword, 1, adopters.WaitForOperator},
		{"its server still runs", rewind.TargetRunning, 0, adopters.WaitForOperator},
		{"the source is of another cluster", rewind.DifferentSystems, 1, adopters.WaitForOperator},

		{"it has lost WAL, and the archive fails once", rewind.MissingWAL, 1, adopters.ResyncNextTick},
		{"it has lost WAL, which is nowhere", rewind.MissingWAL, 1, adopters.ResyncNextTick},
		{"its pg_control is empty", rewind.DamagedControlFile, 0, adopters.ResyncNextTick},
		{"what a committed rewind is to be finished with is lost", rewind.TargetLost, 0, adopters.Quarantine},
	})
}

// TestADryRunAndTheRealRunAgree is what Multigres relies on: the dry run answers whether the
// real run has anything to do, meets what keeps it from beginning, and changes nothing.
func TestADryRunAndTheRealRunAgree(t *testing.T) {
	for name, bringAbout := range situations {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, rewindtest.Options{InStep: name == inStep})
			bringAbout(t, p)
			ctl, ctx := &adopters.Pgctld{DataDir: p.Target, Open: p.connect, Logger: quiet}, p.ctx(t.Context())
			before := treeOf(t, p.Target)
			dry, dryErr := ctl.PgRewindWithResult(ctx, "host=new-primary", true, rewind.NoResync, nil)
			assert.Empty(t, before.Diff(treeOf(t, p.Target)), "after the dry run")
			did, realErr := ctl.PgRewindWithResult(ctx, "host=new-primary", false, rewind.NoResync, nil)
			if dryErr != nil {
				require.Error(t, realErr)
				assert.Equal(t, rewind.Classify(dryErr).Condition, rewind.Classify(realErr).Condition)
				assert.Equal(t, rewind.Classify(dryErr).Action, rewind.Classify(realErr).Action)
				return
			}
			assert.Equal(t, dry.Diverged, did.Diverged)
			assert.NotEmpty(t, dry.Output)
			if realErr == nil {
				assert.Equal(t, dry.Diverged, len(before.Diff(treeOf(t, p.Target))) > 0, "what the real run changed")
			} else {
				assert.Contains(t, []rewind.Phase{rewind.PhaseStage, rewind.PhaseCommit, rewind.PhaseApply}, rewind.Classify(realErr).Phase)
			}
		})
	}
}
