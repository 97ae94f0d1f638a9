package adopters

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// ConnParams are the parameters of a connection, by keyword.
type ConnParams map[string]string

// ConnString is the connection string.
func (p ConnParams) ConnString() string {
	var parts []string
	for _, keyword := range slices.Sorted(maps.Keys(p)) {
		parts = append(parts, keyword+"="+pgsource.Quote(p[keyword]))
	}
	return strings.Join(parts, " ")
}

// Keeper is a keeper of Stolon with its data directory.
//
// It needs no password file, no setting against a temporary table that waits for
// synchronous standbys, and it need not remove postgresql.auto.conf, which may be a link.
type Keeper struct {
	DataDir, BinDir        string
	SUUsername, SUPassword string
	UsePgrewind            bool // usePgrewind of the cluster's specification
	Open                   Open
	SyncFromFollowed       func() error // pg_basebackup
	Logger                 *slog.Logger

	resync rewind.Resync // what an earlier attempt asks for
}

// SyncFromFollowedPGRewind rewinds to the primary.
func (k *Keeper) SyncFromFollowedPGRewind(ctx context.Context, primary ConnParams, password string) error {
	k.Logger.Info("running the rewind")
	opts := rewind.Options{TargetDir: k.DataDir, EnsureShutdown: true, BinDir: k.BinDir, Resync: k.resync, Logger: k.Logger}
	opts.OpenSource = func(ctx context.Context) (source.Source, error) {
		return k.Open(ctx, primary.ConnString(), pgsource.Options{
			Password: func(context.Context) (string, error) { return password, nil },
			Logger:   k.Logger,
		})
	}
	if _, err := attempt(ctx, opts, false); err != nil {
		return fmt.Errorf("error: %w", err)
	}
	return nil
}

// Resynced is what the keeper does after it tried to make a standby of its database.
type Resynced string

// What it does. Only after StartFollowing and FullResync does a server start.
const (
	StartFollowing  Resynced = "start following"
	ResyncAgain     Resynced = "resync again"        // the next check of the cluster's state finds it not converged
	TellOperator    Resynced = "tell the operator"   // the same, and it says what is wrong
	CompareNextTime Resynced = "compare next time"   // with Options.Resync
	FullResync      Resynced = "remove all and copy" // pg_basebackup
)

// Sync is the keeper's resync. tryPgrewind is false if it is known that the directory is no
// copy of this cluster.
func (k *Keeper) Sync(ctx context.Context, primary ConnParams, tryPgrewind bool) (Resynced, error) {
	if tryPgrewind && k.UsePgrewind && k.SUUsername != "" && k.SUPassword != "" {
		err := k.SyncFromFollowedPGRewind(ctx, primary, k.SUPassword)
		if err == nil {
			return StartFollowing, nil
		}
		k.Logger.Error("error syncing with a rewind", "error", err)
		failed := rewind.Classify(err)
		next := k.After(failed)
		if next == CompareNextTime {
			k.resync = evidence(failed)
		}
		if next != FullResync {
			return next, err
		}
	}
	if err := os.RemoveAll(k.DataDir); err != nil {
		return ResyncAgain, fmt.Errorf("failed to remove the postgres data dir: %w", err)
	}
	if err := k.SyncFromFollowed(); err != nil {
		return ResyncAgain, fmt.Errorf("sync error: %w", err)
	}
	return FullResync, nil
}

// After is the decision after an error.
func (*Keeper) After(failed *rewind.Error) Resynced {
	switch failed.Action {
	case rewind.ActionRetry, rewind.ActionRetryWithSource, rewind.ActionResume:
		return ResyncAgain
	case rewind.ActionFix:
		return TellOperator
	case rewind.ActionResync:
		return CompareNextTime
	case rewind.ActionBaseBackup:
		return FullResync
	}
	return ""
}
