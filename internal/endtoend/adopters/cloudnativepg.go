package adopters

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// Instance is an instance manager of CloudNativePG. It calls Rewind before it starts the
// server of an old primary.
//
// What it does around pg_rewind is not needed: a copy of pg_control, because a failure
// could leave an empty one; a configuration file with a restore_command for the rewind
// only; and to try again after any failure, because it is not told which can pass.
type Instance struct {
	PgData, PrimaryConnInfo string
	BinDir                  string // of the server
	Open                    Open
	// RestoreWAL is its own program for WAL from the archive, which knows what is not there.
	RestoreWAL func(ctx context.Context, name, dst string) error
	Pause      time.Duration   // before the second attempt; doubles before each further one
	Observer   rewind.Observer // for what --progress shows
	Logger     *slog.Logger

	// RewindIsRunning is what the probes ask for.
	RewindIsRunning bool

	resync rewind.Resync // what an earlier reconciliation asks for
}

// rewindSteps is how many attempts there are in one reconciliation.
const rewindSteps = 4

// Rewind brings the data directory in line with the primary.
func (i *Instance) Rewind(ctx context.Context) error {
	i.RewindIsRunning = true
	defer func() { i.RewindIsRunning = false }()
	opts := rewind.Options{
		TargetDir: i.PgData, FetchWAL: i.RestoreWAL, ArchiveAttempts: 1, RestoreTargetWAL: true,
		EnsureShutdown: true, BinDir: i.BinDir, Resync: i.resync, Observer: i.Observer, Logger: i.Logger,
		OpenSource: func(ctx context.Context) (source.Source, error) {
			return i.Open(ctx, i.PrimaryConnInfo, pgsource.Options{Logger: i.Logger})
		},
	}
	i.Logger.Info("Starting up the rewind", "pgdata", i.PgData)
	pause := i.Pause
	for n := 1; ; n++ {
		_, err := attempt(ctx, opts, false)
		if err == nil {
			return nil
		}
		i.Logger.Error("Failed to rewind", "attempt", n, "error", err)
		if !rewind.Classify(err).Retryable() || n == rewindSteps || ctx.Err() != nil {
			return fmt.Errorf("error executing the rewind: %w", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause *= 2
	}
}

// Reconciliation is what happens after the first reconciliation of an old primary.
type Reconciliation string

// What happens. Only after DemoteAndStart does a server start.
const (
	DemoteAndStart Reconciliation = "demote and start"       // configure it as a replica
	ReconcileAgain Reconciliation = "reconcile again"        // after a pause that grows
	ReportTheCause Reconciliation = "report and reconcile"   // the same, and the Cluster says what is wrong
	ResyncTheData  Reconciliation = "resync in the next one" // with Options.Resync
	AskForNewPVC   Reconciliation = "ask for a new volume"   // a person deletes it, and the operator makes a replica
)

// Reconcile is how Rewind is called.
func (i *Instance) Reconcile(ctx context.Context) (Reconciliation, error) {
	if err := i.Rewind(ctx); err != nil {
		failed := rewind.Classify(err)
		next := i.After(failed)
		if next == ResyncTheData {
			i.resync = evidence(failed)
		}
		return next, fmt.Errorf("while executing the rewind: %w", err)
	}
	return DemoteAndStart, nil
}

// After is the decision after an error.
func (*Instance) After(failed *rewind.Error) Reconciliation {
	switch failed.Action {
	case rewind.ActionRetry, rewind.ActionRetryWithSource, rewind.ActionResume:
		return ReconcileAgain
	case rewind.ActionFix:
		return ReportTheCause
	case rewind.ActionResync:
		return ResyncTheData
	case rewind.ActionBaseBackup:
		return AskForNewPVC
	}
	return ""
}
