package scratch

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"syscall"
)

// freeBytes is the free space in the file system of a directory, or zero if unknown.
func freeBytes(dir string) uint64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0
	}
	return s.Bavail * uint64(s.Bsize)
}

// availableMemory is how much memory this process can get before the kernel kills a
// process for it, as far as the kernel reports it.
func availableMemory() uint64 {
	least := uint64(math.MaxUint64)
	if kb, ok := namedNumber("/proc/meminfo", "MemAvailable:"); ok {
		least = kb << 10
	}
	// A container may have its own limit. "max" is not a number.
	limit, limited := number("/sys/fs/cgroup/memory.max")
	if used, ok := number("/sys/fs/cgroup/memory.current"); limited && ok {
		cached, _ := namedNumber("/sys/fs/cgroup/memory.stat", "inactive_file")
		least = min(least, limit-min(limit, used-min(used, cached)))
	}
	return least
}

// number is the number in a file.
func number(file string) (n uint64, ok bool) {
	text, err := os.ReadFile(file)
	if err == nil {
		n, err = strconv.ParseUint(string(bytes.TrimSpace(text)), 10, 64)
	}
	return n, err == nil
}

// namedNumber is the number after a name at the beginning of a line.
func namedNumber(file, name string) (n uint64, ok bool) {
	text, _ := os.ReadFile(file)
	for line := range bytes.Lines(text) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == name {
			n, err := strconv.ParseUint(string(f[1]), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
