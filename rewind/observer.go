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
// they should be quick. They must not call methods of the Rewind.
type Observer struct {
	// PhaseBegan is called when a phase begins.
	PhaseBegan func(Phase)
	// PhaseEnded is called when a phase has ended. The error, an *Error, is what ended it,
	// or nil if the next phase follows or the rewind is done. Every phase that began also
	// ends, at the latest when Prepare, Apply or Resume returns. A phase may run twice:
	// what is found while WAL is copied can lead back to the analysis.
	PhaseEnded func(PhaseResult, error)
	// Progress is called when a step begins and, during a long step, about once a second.
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

// PhaseResult says how long a phase took and what it transferred.
type PhaseResult struct {
	Phase    Phase
	Began    time.Time
	Duration time.Duration
	Bytes    int64 // fetched from the source
	Files    int   // files of which something was fetched
}

// enter begins a phase. If the previous phase is still open, it ended without an error.
func (r *Rewind) enter(p Phase) {
	r.leave(nil)
	r.phase = p
	r.phases = append(r.phases, PhaseResult{Phase: p, Began: time.Now()})
	r.observe.phaseBegan(p)
}

// reach is enter, but tests can make a phase fail at its beginning.
func (r *Rewind) reach(ctx context.Context, p Phase) error {
	r.enter(p)
	return seam.At(ctx, string(p))
}

// leave ends the current phase, if there is one, with the given error.
func (r *Rewind) leave(err error) {
	n := len(r.phases)
	if n == 0 || r.phases[n-1].Duration != 0 {
		return
	}
	last := &r.phases[n-1]
	last.Duration = max(time.Since(last.Began), 1)
	r.observe.phaseEnded(*last, err)
}

// ended ends the phase and returns its error as an *Error, or nil.
func (r *Rewind) ended(err error) error {
	if err != nil {
		err = r.failed(err)
	}
	r.leave(err)
	return err
}

// Phases returns the results of the phases that have begun so far. For the current
// phase, it is the result up to now.
func (r *Rewind) Phases() []PhaseResult {
	phases := slices.Clone(r.phases)
	if n := len(phases); n > 0 && phases[n-1].Duration == 0 {
		phases[n-1].Duration = max(time.Since(phases[n-1].Began), 1)
	}
	return phases
}
