package recovery_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/recovery"
)

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
