package rewind

import (
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gorewind/gorewind/source"
)

// Progress is one report of how far a rewind is.
type Progress struct {
	Phase      Phase
	Step       string        // what begins, in pg_rewind's words; empty between two steps
	DoneBytes  int64         // fetched or, in phase Analyze, compared so far
	Differing  int64         // of the compared bytes, those of blocks that differ
	TotalBytes int64         // to fetch or compare, going by the listed sizes, or what came if that is more
	DoneFiles  int           // asked for so far
	TotalFiles int           // to ask for
	Rate       int64         // bytes per second since fetching or comparing began
	Remaining  time.Duration // at that rate; zero where there is none yet
}

// progressInterval is the time between two reports while data is fetched.
const progressInterval = time.Second

// counter counts what a source sends, on its way to dst.
type counter struct {
	source.Sink
	bytes atomic.Int64
	files atomic.Int64
}

func (c *counter) WriteAt(path string, data []byte, offset int64) error {
	err := c.Sink.WriteAt(path, data, offset)
	if err == nil {
		c.bytes.Add(int64(len(data)))
	}
	return err
}

// CopyFrom makes a FileSink of every sink, whether dst is one or not.
func (c *counter) CopyFrom(path string, from *os.File, offset, length int64) (int64, error) {
	n, err := source.CopyFrom(c.Sink, path, from, offset, length)
	if err == nil {
		c.bytes.Add(n)
	}
	return n, err
}

// watchFetched reports what was fetched.
func (r *Rewind) watchFetched(c *counter, total int64, files int) (stop func()) {
	return r.watch(func() Progress {
		return Progress{Phase: Stage, DoneBytes: c.bytes.Load(), TotalBytes: total, DoneFiles: int(c.files.Load()), TotalFiles: files}
	})
}

// watchCompared reports how much of the files was compared.
func (r *Rewind) watchCompared(done, differing *atomic.Int64, total int64) (stop func()) {
	return r.watch(func() Progress {
		return Progress{Phase: Analyze, DoneBytes: done.Load(), Differing: differing.Load(), TotalBytes: total}
	})
}

// watch makes reports until the returned function is called, which waits for the last
// one.
func (r *Rewind) watch(look func() Progress) (stop func()) {
	if r.opts.Progress == nil {
		return func() {}
	}
	begun, done, ended := time.Now(), make(chan struct{}), make(chan struct{})
	report := func() {
		p := look()
		p.TotalBytes = max(p.TotalBytes, p.DoneBytes) // the source writes WAL meanwhile
		if passed := time.Since(begun).Seconds(); passed > 0 && p.DoneBytes > 0 {
			p.Rate = int64(float64(p.DoneBytes) / passed)
			p.Remaining = time.Duration(float64(p.TotalBytes-p.DoneBytes) / float64(p.DoneBytes) * passed * float64(time.Second))
		}
		r.opts.Progress(p)
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

// PhaseResult is what a phase took.
type PhaseResult struct {
	Phase    Phase
	Began    time.Time
	Duration time.Duration
	Bytes    int64 // fetched from the source
	Files    int   // that something was fetched of
}

// enter begins a phase.
func (r *Rewind) enter(p Phase) {
	now := time.Now()
	r.leave(now)
	r.phase = p
	r.phases = append(r.phases, PhaseResult{Phase: p, Began: now})
}

// leave ends the phase that goes on.
func (r *Rewind) leave(now time.Time) {
	if n := len(r.phases); n > 0 && r.phases[n-1].Duration == 0 {
		r.phases[n-1].Duration = max(now.Sub(r.phases[n-1].Began), 1)
	}
}

// Phases is what the phases took that have begun so far.
func (r *Rewind) Phases() []PhaseResult {
	r.leave(time.Now())
	return slices.Clone(r.phases)
}
