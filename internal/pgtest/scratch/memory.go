package scratch

import (
	"os"
	"path/filepath"
	"sync"
)

// memory is a scratch directory in main memory, or empty if there is none.
var memory = sync.OnceValue(func() string {
	const shm = "/dev/shm"
	d, err := New(shm, "gorewind-shm-")
	if err != nil {
		return ""
	}
	remove(d.remove)
	return d.Path
})

// UseMemory places t.TempDir in main memory, if there is room.
func UseMemory() {
	if dir := RoomyMemory(); dir != "" {
		_ = os.Setenv("TMPDIR", dir)
	}
}

// T is the part of testing.T that MemoryDir needs.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
}

// MemoryDir is like t.TempDir, but in main memory if the system supports
// that: for tests that write the same files thousands of times.
func MemoryDir(t T) string {
	t.Helper()
	dir := memory()
	if dir == "" {
		var err error
		if dir, err = Run(); err != nil {
			t.Fatalf("no scratch directory: %v", err)
			return ""
		}
	}
	dir, err := os.MkdirTemp(dir, "m")
	if err != nil {
		t.Fatalf("no scratch directory: %v", err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		}
	})
	return filepath.Clean(dir)
}

// enoughMemory is how much must be free for one more cluster, in addition to what the
// existing ones have yet to write.
const enoughMemory = 3 << 30

// RoomyMemory is the scratch directory in main memory, or empty if there is none
// with room for one more cluster.
func RoomyMemory() string {
	if dir := memory(); dir != "" && min(freeBytes(dir), availableMemory()) >= enoughMemory {
		return dir
	}
	return ""
}
