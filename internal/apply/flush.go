package apply

import "runtime"

// flushEvery is after how many bytes a file is flushed, so that the disk is busy
// while gorewind waits for the source, and the fsync at the end has little to do.
const flushEvery = 8 << 20

// flusher returns the function that flushes; with syncing off, it does nothing.
func flusher(d Disk, mode SyncMode) func(File) {
	if mode.Off {
		return func(File) {}
	}
	return d.Flush
}

// minAllocate is the size, in bytes, from which disk space is allocated before a
// file is written.
const minAllocate = 1 << 20

// workers is how many goroutines do work that is limited by the CPU.
func workers() int { return min(runtime.GOMAXPROCS(0), 16) }
