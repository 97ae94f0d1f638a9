package apply

import "runtime"

// flushEvery is how many bytes are written to a file before their way to the disk
// begins, so that the disk works while the source is waited for, and the fsync at
// the end has little left to do.
const flushEvery = 8 << 20

// flusher is what starts that, unless it is left to the operating system.
func flusher(d Disk, mode SyncMode) func(File) {
	if mode.Off {
		return func(File) {}
	}
	return d.Flush
}

// minAllocate is the size from which on files get their place on the disk before
// they are written.
const minAllocate = 1 << 20

// workers is how many goroutines do what takes the processor more than the disk.
func workers() int { return min(runtime.GOMAXPROCS(0), 16) }
