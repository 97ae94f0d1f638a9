package rewind

import (
	"os"
	"sync/atomic"
	"time"

	"github.com/gorewind/gorewind/source"
)

// Activity is a part of a rewind that may take long.
type Activity string

// The activities, in the order of a rewind.
const (
	ReadingWAL     Activity = "reading WAL"
	ListingFiles   Activity = "listing files"
	ComparingFiles Activity = "comparing files"
	Copying        Activity = "copying"
	Syncing        Activity = "syncing"
	Applying       Activity = "applying changes"
)

// Progress is one progress report: a step that begins, or how far an activity is. An
// activity is measured in bytes or, if DoneBytes and TotalBytes are zero, in files.
type Progress struct {
	Phase      Phase
	Step       string // what begins, in pg_rewind's words; empty if no step begins
	Activity   Activity
	DoneBytes  int64         // fetched, compared or read so far
	Differing  int64         // of the compared bytes, those of blocks that differ
	TotalBytes int64         // bytes to fetch or compare, by the listed sizes, or DoneBytes if that is more; zero if unknown
	DoneFiles  int           // asked for, listed, synced or applied so far
	TotalFiles int           // total; zero if unknown
	Rate       int64         // recent bytes per second, or files if bytes are not counted; zero while nothing arrives
	Remaining  time.Duration // at that rate; zero if unknown
	Waiting    time.Duration // how long the source has not answered; zero while it answers
}

// isOfBytes reports whether progress is measured in bytes.
func (p *Progress) isOfBytes() bool { return p.DoneBytes > 0 || p.TotalBytes > 0 }

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

// CopyFrom makes a FileSink of any sink, whether dst is one or not.
func (c *counter) CopyFrom(path string, from *os.File, offset, length int64) (int64, error) {
	n, err := source.CopyFrom(c.Sink, path, from, offset, length)
	if err == nil {
		c.bytes.Add(n)
	}
	return n, err
}

// watchFetched reports how much was fetched.
func (r *Rewind) watchFetched(c *counter, total int64, files int) (stop func()) {
	return r.watch(func() Progress {
		return Progress{Activity: Copying, DoneBytes: c.bytes.Load(), TotalBytes: total, DoneFiles: int(c.files.Load()), TotalFiles: files}
	})
}

// watchTarget reports the progress of syncing and applying.
func (r *Rewind) watchTarget() (stop func()) {
	return r.watch(func() Progress {
		w := r.target.Work()
		p := Progress{Activity: Applying, DoneFiles: int(w.Done), TotalFiles: int(w.Total)}
		if w.Syncing {
			p.Activity = Syncing
		}
		return p
	})
}

// watch sends reports until the returned function is called, which waits for the last
// one. Copying and comparing are reported from beginning to end, other activities only
// if they take long.
func (r *Rewind) watch(look func() Progress) (stop func()) {
	if r.observe.Progress == nil {
		return func() {}
	}
	phase := r.phase
	var speed speedometer
	report := func(now time.Time) {
		p := look()
		p.Phase = phase
		if w, can := r.opts.Source.(source.Waiter); can && p.Activity != Syncing && p.Activity != Applying {
			p.Waiting = w.Waiting()
		}
		if p.Activity == Copying {
			p.TotalBytes = max(p.TotalBytes, p.DoneBytes) // the source may have written more WAL
		}
		speed.measure(now, &p)
		r.observe.progress(p)
	}
	always := look().Activity == Copying || look().Activity == ComparingFiles
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressInterval)
		defer tick.Stop()
		if always {
			report(time.Now())
		}
		for {
			select {
			case now := <-tick.C:
				report(now)
			case <-done:
				if always {
					report(time.Now())
				}
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// speedometer measures the rate of an activity by its latest reports, so an outage of
// the source affects the rate only as long as those span it.
type speedometer struct {
	activity Activity
	last     []sample
}

type sample struct {
	at   time.Time
	done int64
}

// samples is how many reports the rate is measured by.
const samples = 10

func (s *speedometer) measure(now time.Time, p *Progress) {
	done, total := int64(p.DoneFiles), int64(p.TotalFiles)
	if p.isOfBytes() {
		done, total = p.DoneBytes, p.TotalBytes
	}
	if p.Activity != s.activity || p.Waiting > 0 || len(s.last) > 0 && done < s.last[len(s.last)-1].done {
		s.activity, s.last = p.Activity, nil
	}
	s.last = append(s.last, sample{now, done})
	if len(s.last) > samples {
		s.last = s.last[1:]
	}
	passed, came := now.Sub(s.last[0].at).Seconds(), done-s.last[0].done
	if p.Waiting > 0 || passed <= 0 || came <= 0 {
		return
	}
	rate := float64(came) / passed
	p.Rate = int64(rate)
	if total > done {
		p.Remaining = time.Duration(float64(total-done) / rate * float64(time.Second))
	}
}

// step reports that a part of the work begins.
func (r *Rewind) step(what string) {
	r.observe.progress(Progress{Phase: r.phase, Step: what})
}
