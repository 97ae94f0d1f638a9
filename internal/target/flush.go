package target

import (
	"runtime"
	"sync/atomic"
)

// flushEvery is how many bytes are written to a file before their way to the disk
// begins, so that the disk works while the source is waited for, and the fsync at
// the end has little left to do.
const flushEvery = 8 << 20

// dirty counts the bytes that were written to a file since it was flushed.
type dirty struct{ bytes atomic.Int64 }

// add counts bytes that were written, and flushes the file when they are many.
func (d *dirty) add(n int64, f File, flush func(File)) {
	if d.bytes.Add(n) < flushEvery || flush == nil {
		return
	}
	d.bytes.Store(0)
	flush(f)
}

// flusher is what starts the way of a file's bytes to the disk; nil where that is
// left to the operating system.
func flusher(d Disk, mode SyncMode) func(File) {
	if mode.Off {
		return nil
	}
	return d.Flush
}

// workers is how many goroutines do what takes the processor more than the disk.
func workers() int { return min(runtime.GOMAXPROCS(0), 16) }
