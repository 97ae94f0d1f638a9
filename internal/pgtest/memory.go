package pgtest

import (
	"os"
	"path/filepath"
	"sync"
)

// memory is a scratch directory in main memory, empty where there is none.
var memory = sync.OnceValue(func() string {
	const shm = "/dev/shm"
	r, err := newScratchDir(shm, "gorewind-shm-")
	if err != nil {
		return ""
	}
	atCleanUp(func() {
		_ = os.RemoveAll(r.path)
		r.unlock()
	})
	return r.path
})

// useMemory has t.TempDir lie in main memory, if there is room.
func useMemory() {
	if dir := roomyMemory(); dir != "" {
		_ = os.Setenv("TMPDIR", dir)
	}
}

// MemoryDir is like t.TempDir, but in main memory where the system has a place
// for that: for tests that write the same files thousands of times.
func MemoryDir(t T) string {
	t.Helper()
	dir := memory()
	if dir == "" {
		r, err := run()
		if err != nil {
			t.Fatalf("pgtest: %v", err)
			return ""
		}
		dir = r.path
	}
	dir, err := os.MkdirTemp(dir, "m")
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		}
	})
	return filepath.Clean(dir)
}

// enoughMemory is what has to be free there for one more cluster, beside what the
// others that are there now have yet to write.
const enoughMemory = 3 << 30

// roomyMemory is the scratch directory in main memory, empty where there is none
// with room for one more cluster.
func roomyMemory() string {
	if dir := memory(); dir != "" && min(freeBytes(dir), availableMemory()) >= enoughMemory {
		return dir
	}
	return ""
}
