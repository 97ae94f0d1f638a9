//go:build unix

package recovery_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/recovery"
	"github.com/gorewind/gorewind/pgdata"
)

// After a reboot the process ID in postmaster.pid may belong to any process; the server that
// recovers must ignore it, too.
func TestNumbersThatAreNoServersAnyMoreDoNotKeepFromRecovery(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)
		c.Kill(t)
		killed := c.CloneStopped(t)
		for name, pid := range map[string]int{"of this process": os.Getpid(), "of its parent": os.Getppid(), "of the first process": 1} {
			if err := syscall.Kill(pid, 0); pid == 1 && err == nil {
				t.Log("process 1 is of this user, and may be a server: not tried")
				continue
			}
			clone := killed.CloneStopped(t)
			path := filepath.Join(clone.Dir, pgdata.PostmasterPid)
			_, rest, _ := strings.Cut(read(t, path), "\n")
			write(t, path, strconv.Itoa(pid)+"\n"+rest)
			require.NoError(t, recovery.Run(t.Context(), recovery.Options{Dir: open(t, clone.Dir), Program: program(t, in)}), name)
			assert.True(t, control(t, clone.Dir).ShutDownCleanly(), name)
		}
	})
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}
