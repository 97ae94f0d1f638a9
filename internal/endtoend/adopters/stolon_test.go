package adopters_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend/adopters"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/rewindtest"
)

// stolon is about Stolon. Its contract was read in its repository as of 6 September 2023
// (commit bcea7a7): SyncFromFollowedPGRewind in internal/postgresql/postgresql.go, and
// resync and its caller in cmd/keeper/cmd/keeper.go.
//
// The server is stopped; crash recovery is left to pg_rewind. The password is in a file that
// lives as long as the call. synchronous_commit is off in the connection, because pg_rewind
// made a temporary table; no checkpoint is asked for. On any failure, the error is logged,
// the directory is removed and pg_basebackup copies everything. The same follows at once if
// usePgrewind is false, as it is by default, if there is no superuser's password, or if the
// system identifier is another one; and later, if the rewound server does not become ready.
var stolon = manager[adopters.Resynced]{
	start: adopters.StartFollowing, wipe: adopters.FullResync,
	at: func(p *place) func(ctx context.Context) (adopters.Resynced, error) {
		k := newKeeper(p)
		return func(ctx context.Context) (adopters.Resynced, error) {
			said := &logged{Handler: slog.DiscardHandler}
			k.Logger = slog.New(said)
			next, err := k.Sync(ctx, primary, true)
			if next == adopters.FullResync {
				err = errors.Join(err, said.err)
			}
			return next, err
		}
	},
	after: (*adopters.Keeper)(nil).After,
}

// logged keeps the error that was logged: Stolon does not return one that led to a copy.
type logged struct {
	slog.Handler
	err error
}

func (*logged) Enabled(context.Context, slog.Level) bool { return true }

func (l *logged) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if err, is := a.Value.Any().(error); is {
			l.err = err
		}
		return true
	})
	return nil
}

var primary = adopters.ConnParams{"host": "new-primary", "port": "5432", "user": "postgres"}

func newKeeper(p *place) *adopters.Keeper {
	return &adopters.Keeper{
		DataDir: p.Target, SUUsername: "postgres", SUPassword: "secret", UsePgrewind: true, Open: p.connect, Logger: quiet,
		SyncFromFollowed: func() error { return os.CopyFS(p.Target, os.DirFS(p.Source)) },
	}
}

func TestStolonFollowsOrResyncsAgainButKeepsTheDirectory(t *testing.T) {
	stolon.decides(t)
	stolon.meets(t, []row[adopters.Resynced]{
		{"it has commits of its own", "", 1, adopters.StartFollowing},
		{inStep, "", 1, adopters.StartFollowing},
		{"the rewind was killed right after its commit, and the source is gone since", "", 0, adopters.StartFollowing},
		{"the rewind was killed before its commit", "", 1, adopters.StartFollowing},

		{"nobody answers at the source's address", rewind.SourceUnreachable, 1, adopters.ResyncAgain},
		{"the source is starting", rewind.SourceStarting, 1, adopters.ResyncAgain},
		{"the source goes away while a table is copied", rewind.SourceUnavailable, 1, adopters.ResyncAgain},
		{"another rewind works on it", rewind.TargetLocked, 0, adopters.ResyncAgain},
		{"it is cancelled before it begins", rewind.Interrupted, 1, adopters.ResyncAgain},
		{"it is cancelled while files are copied", rewind.Interrupted, 1, adopters.ResyncAgain},
		{"it is cancelled while files are replaced", rewind.Interrupted, 1, adopters.ResyncAgain},
		{"the disk fails while files are replaced", rewind.UnexpectedCondition, 1, adopters.ResyncAgain},

		{"the password is wrong", rewind.WrongPassword, 1, adopters.TellOperator},
		{"its server still runs", rewind.TargetRunning, 0, adopters.TellOperator},
		{"the source is of another cluster", rewind.DifferentSystems, 1, adopters.TellOperator},

		{"it has lost WAL, and the archive fails once", rewind.MissingWAL, 1, adopters.CompareNextTime},
		{"it has lost WAL, which is nowhere", rewind.MissingWAL, 1, adopters.CompareNextTime},
		{"its pg_control is empty", rewind.DamagedControlFile, 0, adopters.CompareNextTime},
		{"what a committed rewind is to be finished with is lost", rewind.TargetLost, 0, adopters.FullResync},
	})
}

func TestStolonCopiesEverythingIfItIsAskedNotToRewind(t *testing.T) {
	for name, refuse := range map[string]func(k *adopters.Keeper) (tryPgrewind bool){
		"usePgrewind is false":                 func(k *adopters.Keeper) bool { k.UsePgrewind = false; return true },
		"it has no password of a superuser":    func(k *adopters.Keeper) bool { k.SUPassword = ""; return true },
		"the system identifier is another one": func(*adopters.Keeper) bool { return false },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, rewindtest.Options{})
			k := newKeeper(p)
			next, err := k.Sync(t.Context(), primary, refuse(k))
			require.NoError(t, err)
			assert.Equal(t, adopters.FullResync, next)
			assert.Zero(t, p.opened)
			rewindtest.Equal(t, p.Target, p.Source, 0)
		})
	}
}
