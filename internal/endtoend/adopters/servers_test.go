package adopters_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/endtoend/adopters"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
)

// oldAndNew are an old major and a new one; the tables do not depend on it.
var oldAndNew = []string{"9.6", "18"}

// call has a manager look at an old primary once. It returns what that does next, and
// whether this is to start the server.
type call func(ctx context.Context, target, src *pgtest.Cluster, password string) (next string, starts bool, err error)

// calls are the managers', for a source that asks the role guarded for a password.
func calls(binDir string) map[string]call {
	return map[string]call{
		"CloudNativePG": func(ctx context.Context, target, src *pgtest.Cluster, password string) (string, bool, error) {
			i := &adopters.Instance{
				PgData: target.Dir, BinDir: binDir, PrimaryConnInfo: src.TCPConnString("guarded", "postgres") + " password=" + password,
				Open: adopters.OpenServer, Logger: quiet,
				RestoreWAL: func(context.Context, string, string) error { return rewind.ErrNotInArchive },
			}
			next, err := i.Reconcile(ctx)
			return string(next), next == adopters.DemoteAndStart, err
		},
		"Multigres": func(ctx context.Context, target, src *pgtest.Cluster, password string) (string, bool, error) {
			m := &adopters.Multipooler{SourceHost: "127.0.0.1", SourcePort: src.Port(), Pgctld: &adopters.Pgctld{
				DataDir: target.Dir, BinDir: binDir, User: "guarded", Password: password, Open: adopters.OpenServer, Logger: quiet,
			}}
			next, _, err := m.RestartAsStandby(ctx)
			return string(next), next == adopters.RestartAsStandby, err
		},
		"Stolon": func(ctx context.Context, target, src *pgtest.Cluster, password string) (string, bool, error) {
			k := &adopters.Keeper{
				DataDir: target.Dir, BinDir: binDir, SUUsername: "guarded", SUPassword: password, UsePgrewind: true,
				Open: adopters.OpenServer, Logger: quiet, SyncFromFollowed: func() error { panic("not to be copied") },
			}
			params := adopters.ConnParams{"host": "127.0.0.1", "port": strconv.Itoa(src.Port()), "user": "guarded", "dbname": "postgres"}
			next, err := k.Sync(ctx, params, true)
			return string(next), next == adopters.StartFollowing, err
		},
	}
}

// TestTheManagersOnRealServers has each manager meet a primary that was killed and has
// commits of its own, right after its standby was promoted, and a standby that has none.
// What it rewound or started is started as a standby, and must have the source's rows.
func TestTheManagersOnRealServers(t *testing.T) {
	pgtest.EachOf(t, oldAndNew, func(t *testing.T, in *pgtest.Installation) {
		l := endtoend.NewLab(t, in)
		old := l.Primary(pgtest.Options{TCP: true}, append(endtoend.Thousand, "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'right'")...)
		both := l.Standbys(old, 2)
		successor, inStep := both[0], both[1]
		l.CatchUp(old, both...)
		inStep.Stop(l, pgtest.Fast)
		successor.Promote(l)
		old.Exec(l, "DELETE FROM t WHERE i > 500", "CREATE TABLE own AS SELECT 1 AS x")
		old.Stop(l, pgtest.Immediate)
		hba := "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 md5\n"
		require.NoError(t, os.WriteFile(filepath.Join(successor.Dir, "pg_hba.conf"), []byte(hba), 0o600))
		successor.Reload(l)

		follows := func(t *testing.T, target *pgtest.Cluster) {
			y := &endtoend.Try{Target: target, Src: successor}
			require.NoError(t, y.Follow(t))
			target.Stop(t, pgtest.Fast)
		}
		binDir := l.Recovers().BinDir
		for name, call := range calls(binDir) {
			t.Run(name+" has a wrong password, is cancelled, and then rewinds", func(t *testing.T) {
				target := old.CloneStopped(t)
				before := treeOf(t, target.Dir)
				next, starts, err := call(t.Context(), target, successor, "wrong")
				assert.Equal(t, rewind.WrongPassword, rewind.Classify(err).Condition, "%v", err)
				assert.False(t, starts, next)

				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				next, starts, err = call(ctx, target, successor, "right")
				assert.Equal(t, rewind.Interrupted, rewind.Classify(err).Condition, "%v", err)
				assert.False(t, starts, next)
				assert.Empty(t, before.Diff(treeOf(t, target.Dir)))

				next, starts, err = call(t.Context(), target, successor, "right")
				require.NoError(t, err)
				assert.True(t, starts, next)
				follows(t, target)
			})
			t.Run(name+" finds what a killed process left, and the source is gone", func(t *testing.T) {
				target := old.CloneStopped(t)
				kill(t, rewind.PhaseApply, target.Dir, successor.ConnString("postgres"), binDir)
				successor.Stop(t, pgtest.Fast)
				next, starts, err := call(t.Context(), target, successor, "right")
				require.NoError(t, err)
				assert.True(t, starts, next)
				successor.Start(t)
				follows(t, target)
			})
			t.Run(name+" starts what needs no rewind", func(t *testing.T) {
				target := inStep.CloneStopped(t)
				before := treeOf(t, target.Dir)
				next, starts, err := call(t.Context(), target, successor, "right")
				require.NoError(t, err)
				assert.True(t, starts, next)
				assert.Empty(t, before.Diff(treeOf(t, target.Dir)))
				follows(t, target)
			})
			t.Run(name+" waits for a source that is gone", func(t *testing.T) {
				target := old.CloneStopped(t)
				before := treeOf(t, target.Dir)
				successor.Stop(t, pgtest.Fast)
				next, starts, err := call(t.Context(), target, successor, "right")
				successor.Start(t)
				assert.Equal(t, rewind.ActionRetryWithSource, rewind.Classify(err).Action, "%v", err)
				assert.False(t, starts, next)
				assert.Empty(t, before.Diff(treeOf(t, target.Dir)))
			})
		}
		t.Run("a dry run foresees the crash recovery, which the real run does", func(t *testing.T) {
			target := old.CloneStopped(t)
			before := treeOf(t, target.Dir)
			ctl := &adopters.Pgctld{DataDir: target.Dir, BinDir: binDir, Open: adopters.OpenServer, Logger: quiet}
			dry, err := ctl.PgRewindWithResult(t.Context(), successor.ConnString("postgres"), true, rewind.NoResync, nil)
			require.NoError(t, err)
			assert.True(t, dry.Diverged)
			assert.Empty(t, before.Diff(treeOf(t, target.Dir)))
			did, err := ctl.PgRewindWithResult(t.Context(), successor.ConnString("postgres"), false, rewind.NoResync, nil)
			require.NoError(t, err)
			assert.True(t, did.Diverged)
			follows(t, target)
		})
	})
}
