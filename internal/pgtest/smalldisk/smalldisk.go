package smalldisk

import (
	"os"
	"path/filepath"
)

// An unprivileged process that root started finds a small file system here, or
// the reason why there is none.
const (
	Env      = "GOREWIND_TEST_SMALL_DISK"
	EnvError = "GOREWIND_TEST_SMALL_DISK_ERROR"
)

// Bytes is the size of a small disk.
const Bytes = 24 << 20

// T is the part of testing.T that Dir needs.
type T interface {
	Helper()
	Cleanup(func())
}

// Dir returns a directory on a file system that is small enough to be
// filled, or the reason why there is none: only root can mount one. It is
// emptied at the end of the test; tests that use it do not run in parallel.
func Dir(t T) (dir, missing string) {
	t.Helper()
	if dir = os.Getenv(Env); dir == "" {
		missing = "a small file system is needed, which only root can mount: run the tests as root"
		if why := os.Getenv(EnvError); why != "" {
			missing = "a small file system is needed, and root may mount none here, run the tests where it may (CAP_SYS_ADMIN): " + why
		}
		return "", missing
	}
	t.Cleanup(func() {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	})
	return dir, ""
}
