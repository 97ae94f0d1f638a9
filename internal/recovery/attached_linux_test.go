package recovery_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/recovery"
)

// Neither way lets a cluster be touched while processes of its server live,
// though the process that postmaster.pid names is dead.
func TestProcessesThatOutliveTheirPostmaster(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		primary := in.InitCluster(t, pgtest.Options{})
		primary.Start(t)
		standby := primary.Standby(t)
		for _, c := range []*pgtest.Cluster{primary, standby} {
			backend := c.Connect(t, "postgres").PgConn().PID()
			require.NoError(t, syscall.Kill(int(backend), syscall.SIGSTOP))
			t.Cleanup(func() { _ = syscall.Kill(int(backend), syscall.SIGKILL) })
			require.NoError(t, syscall.Kill(c.PID(), syscall.SIGKILL))
			c.Stop(t, pgtest.Immediate) // waits for it
		}

		d := open(t, standby.Dir)
		require.Equal(t, controlfile.InArchiveRecovery, control(t, standby.Dir).State)
		_, err := recovery.Assess(d, control(t, standby.Dir))
		assert.ErrorIs(t, err, recovery.ErrRunning)
		assert.ErrorContains(t, err, "its postmaster was killed")

		d = open(t, primary.Dir)
		err = recovery.Run(t.Context(), recovery.Options{Dir: d, Program: program(t, in)})
		assert.ErrorIs(t, err, recovery.ErrStillUnclean)
		assert.ErrorContains(t, err, "still in use")
	})
}

func FuzzSharedMemoryOfAKilledServer(f *testing.F) {
	list, err := os.ReadFile("/proc/sysvipc/shm")
	require.NoError(f, err)
	f.Add("4711\n/data\n1700000000\n5432\n/tmp\n\n 5432001    65536\n", string(list)+" 5432001 65536 600 56 1 1 7\n")
	f.Add("4711\n/data\n", "")
	f.Fuzz(func(t *testing.T, pidFile, list string) {
		key, id, ok := recovery.SegmentOf(pidFile)
		if n := recovery.AttachedTo(list, key, id); !ok && (key != "" || id != "" || n != "0") {
			t.Errorf("%q names no segment, but %q %q has %s", pidFile, key, id, n)
		}
	})
}
