package rewind

import (
	"sync/atomic"
	"time"

	"github.com/gorewind/gorewind/source"
)

// Progress is one report of how far a rewind is.
type Progress struct {
	Phase      Phase
	Step       string // what begins, in pg_rewind's words; empty between two steps
	DoneBytes  int64  // fetched so far
	TotalBytes int64  // to fetch, going by the listed sizes
}

// progressInterval is the time between two reports while data is fetched.
const progressInterval = time.Second

// counter counts what a source sends, on its way to dst.
type counter struct {
	source.Sink
	bytes atomic.Int64
}

func (c *counter) WriteAt(path string, data []byte, offset int64) error {
	err := c.Sink.WriteAt(path, data, offset)
	if err == nil {
		c.bytes.Add(int64(len(data)))
	}
	return err
}

// watch reports the counter's value until the returned function is called, which
// waits for the last report.
func (r *Rewind) watch(c *counter, total int64) (stop func()) {
	if r.opts.Progress == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	report := func() {
		r.opts.Progress(Progress{Phase: Stage, DoneBytes: c.bytes.Load(), TotalBytes: total})
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressInterval)
		defer tick.Stop()
		report()
		for {
			select {
			case <-tick.C:
				report()
			case <-done:
				report()
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// step says that a part of the work begins.
func (r *Rewind) step(what string) {
	if r.opts.Progress != nil {
		r.opts.Progress(Progress{Phase: r.phase, Step: what})
	}
}
