//go:build unix

package recovery_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/recovery"
)

func TestKilledStandby(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		primary := in.InitCluster(t, pgtest.Options{})
		primary.Start(t)
		standby := primary.Standby(t)
		primary.Exec(t, "CREATE TABLE t AS SELECT g, repeat('x', 200) AS filler FROM generate_series(1, 20000) g")
		standby.WaitCaughtUp(t, primary)
		d := open(t, standby.Dir)
		opts := recovery.Options{Dir: d, Program: program(t, in)}
		assert.ErrorIs(t, recovery.Run(t.Context(), opts), recovery.ErrRunning)
		end := killPostmaster(t, standby)
		require.Equal(t, controlfile.InArchiveRecovery, control(t, standby.Dir).State)

		// Processes that outlived the postmaster named in postmaster.pid.
		err := recovery.Run(t.Context(), opts)
		assert.ErrorIs(t, err, recovery.ErrStillUnclean)
		assert.ErrorContains(t, err, "still in use")
		if runtime.GOOS == "linux" {
			_, err = recovery.Assess(d, control(t, standby.Dir))
			assert.ErrorIs(t, err, recovery.ErrRunning)
			assert.ErrorContains(t, err, "its postmaster was killed")
		}
		end()
		assess := func() recovery.Need {
			need, err := recovery.Assess(d, control(t, standby.Dir))
			require.NoError(t, err)
			return need
		}
		require.Eventually(t, func() bool {
			_, err := recovery.Assess(d, control(t, standby.Dir))
			return err == nil
		}, time.Minute, 10*time.Millisecond, "the other processes notice that the postmaster is gone")
		assert.Equal(t, recovery.OlderStart, assess())

		name := "standby.signal"
		if in.Version.RecoveryConf {
			name = "recovery.conf"
		}
		said, err := os.ReadFile(filepath.Join(standby.Dir, name))
		require.NoError(t, err)
		files := map[string]string{name: string(said)}

		// An earlier run was killed in between.
		require.NoError(t, recovery.HideSignalFiles(d, in.Version))
		assert.NoFileExists(t, filepath.Join(standby.Dir, name))
		assert.Equal(t, recovery.OlderStart, assess(), "it is still a standby")
		back, err := recovery.RestoreSignalFiles(d)
		require.NoError(t, err)
		assert.Equal(t, []string{name}, back)
		assertSignals(t, standby, files)

		// Another run was killed, too, and this one completes everything.
		require.NoError(t, recovery.HideSignalFiles(d, in.Version))
		require.NoError(t, recovery.Run(t.Context(), opts))
		assertSignals(t, standby, files)
		assert.Equal(t, controlfile.ShutDown, control(t, standby.Dir).State)
		assert.Equal(t, recovery.Nothing, assess())
	})
}

// killPostmaster leaves a backend running that does not notice, until end is called.
func killPostmaster(t *testing.T, c *pgtest.Cluster) (end func()) {
	t.Helper()
	backend := int(c.Connect(t, "postgres").PgConn().PID())
	require.NoError(t, syscall.Kill(backend, syscall.SIGSTOP))
	end = func() { _ = syscall.Kill(backend, syscall.SIGKILL) }
	t.Cleanup(end)
	require.NoError(t, syscall.Kill(c.PID(), syscall.SIGKILL))
	c.Stop(t, pgtest.Immediate) // waits until it is gone
	return end
}
