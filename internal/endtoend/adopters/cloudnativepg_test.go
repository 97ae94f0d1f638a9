package adopters_test

import (
	"context"
	"testing"

	"github.com/gorewind/gorewind/internal/endtoend/adopters"
	"github.com/gorewind/gorewind/rewind"
)

// cloudNativePG is about CloudNativePG. Its contract was read in its repository as of 21
// August 2026 (commit a95a534): Rewind in pkg/management/postgres/instance.go, and
// verifyPgDataCoherenceForPrimary, which calls it, in
// internal/management/controller/instance_startup.go.
//
// An old primary is rewound before its server is started, in the first reconciliation of
// the instance, when the new primary accepts connections and a stale postmaster.pid is
// removed. pg_rewind is given --progress and --restore-target-wal, on every major, and does
// the crash recovery itself. If it fails, for whatever reason, it is run again three times.
// Then the reconciliation ends with an error, no server starts, and it begins again after
// pauses that grow, for ever. PGDATA is never removed: the documentation asks a person to
// delete the volume if WAL is missing. After success, also if no rewind was required, the
// instance is configured as a replica.
var cloudNativePG = manager[adopters.Reconciliation]{
	start: adopters.DemoteAndStart, wipe: adopters.AskForNewPVC,
	at: func(p *place) func(ctx context.Context) (adopters.Reconciliation, error) {
		return (&adopters.Instance{PgData: p.Target, Open: p.connect, RestoreWAL: p.archive, Logger: quiet, Pause: 1}).Reconcile
	},
	after: (*adopters.Instance)(nil).After,
}

func TestCloudNativePGStartsAReplicaOrReconcilesAgain(t *testing.T) {
	cloudNativePG.decides(t)
	cloudNativePG.meets(t, []row[adopters.Reconciliation]{
		{"it has commits of its own", "", 1, adopters.DemoteAndStart},
		{inStep, "", 1, adopters.DemoteAndStart},
		{"the rewind was killed right after its commit, and the source is gone since", "", 0, adopters.DemoteAndStart},
		{"the rewind was killed before its commit", "", 1, adopters.DemoteAndStart},
		{"it has lost WAL, and the archive fails once", "", 2, adopters.DemoteAndStart},

		{"nobody answers at the source's address", rewind.SourceUnreachable, 4, adopters.ReconcileAgain},
		{"the source is starting", rewind.SourceStarting, 4, adopters.ReconcileAgain},
		{"the source goes away while a table is copied", rewind.SourceUnavailable, 4, adopters.ReconcileAgain},
		{"another rewind works on it", rewind.TargetLocked, 0, adopters.ReconcileAgain},
		{"it is cancelled before it begins", rewind.Interrupted, 1, adopters.ReconcileAgain},
		{"it is cancelled while files are copied", rewind.Interrupted, 1, adopters.ReconcileAgain},
		{"it is cancelled while files are replaced", rewind.Interrupted, 1, adopters.ReconcileAgain},
		{"the disk fails while files are replaced", rewind.UnexpectedCondition, 1, adopters.ReconcileAgain},

		{"the password is wrong", rewind.WrongPassword, 1, adopters.ReportTheCause},
		{"its server still runs", rewind.TargetRunning, 0, adopters.ReportTheCause},
		{"the source is of another cluster", rewind.DifferentSystems, 1, adopters.ReportTheCause},

		{"it has lost WAL, which is nowhere", rewind.MissingWAL, 1, adopters.ResyncTheData},
		{"its pg_control is empty", rewind.DamagedControlFile, 0, adopters.ResyncTheData},
		{"what a committed rewind is to be finished with is lost", rewind.TargetLost, 0, adopters.AskForNewPVC},
	})
}
