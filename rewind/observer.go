package rewind

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gorewind/gorewind/internal/seam"
)

// Observer is told what a rewind does, for metrics, traces and progress bars. Each
// function may be nil. They are called one at a time, and the rewind waits for them, so
// they should be quick; they must not call methods of the Rewind.
type Observer struct {
	// PhaseBegan is called when a phase begins.
	PhaseBegan func(Phase)
	// PhaseEnded is called when it has ended. The error, an *Error, is what it ended by;
	// nil where the next phase follows, or all is done. Every phase that began ends,
	// at the latest when Prepare, Apply or Resume returns. A phase can come twice: what
	// is found while WAL is copied can lead back to the analysis.
	PhaseEnded func(PhaseResult, error)
	// Progress is called when a step begins and, while something lasts, about once a
	// second.
	Progress func(Progress)
}

// observers calls an Observer's functions, one at a time.
type observers struct {
	Observer
	mu sync.Mutex
}

func (o *observers) phaseBegan(p Phase) {
	if o.PhaseBegan != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.PhaseBegan(p)
	}
}

func (o *observers) phaseEnded(p PhaseResult, err error) {
	if o.PhaseEnded != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.PhaseEnded(p, err)
	}
}

func (o *observers) progress(p Progress) {
	if o.Progress != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.Progress(p)
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

// enter begins a phase. The one before it, if it goes on, ended well.
func (r *Rewind) enter(p Phase) {
	r.leave(nil)
	r.phase = p
	r.phases = append(r.phases, PhaseResult{Phase: p, Began: time.Now()})
	r.observe.phaseBegan(p)
}

// reach is enter, where tests can let a phase fail at its beginning.
func (r *Rewind) reach(ctx context.Context, p Phase) error {
	r.enter(p)
	return seam.At(ctx, string(p))
}

// leave ends the phase that goes on, if one does, by the error that is given.
func (r *Rewind) leave(err error) {
	n := len(r.phases)
	if n == 0 || r.phases[n-1].Duration != 0 {
		return
	}
	last := &r.phases[n-1]
	last.Duration = max(time.Since(last.Began), 1)
	r.observe.phaseEnded(*last, err)
}

// ended ends the phase and gives the *Error that an error of it is, or nil.
func (r *Rewind) ended(err error) error {
	if err != nil {
		err = r.failed(err)
	}
	r.leave(err)
	return err
}

// Phases is what the phases took that have begun so far; of one that goes on, what it
// took until now.
func (r *Rewind) Phases() []PhaseResult {
	phases := slices.Clone(r.phases)
	if n := len(phases); n > 0 && phases[n-1].Duration == 0 {
		phases[n-1].Duration = max(time.Since(phases[n-1].Began), 1)
	}
	return phases
}
