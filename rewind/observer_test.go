package rewind_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// witness records what an Observer is told, and notices concurrent calls.
type witness struct {
	t      *testing.T
	inside atomic.Int32
	lines  []string
	ended  []rewind.PhaseResult
	errs   []error
}

func (w *witness) alone(f func()) {
	assert.EqualValues(w.t, 1, w.inside.Add(1), "two at once")
	f()
	w.inside.Add(-1)
}

func (w *witness) observer() rewind.Observer {
	return rewind.Observer{
		PhaseBegan: func(p rewind.Phase) {
			w.alone(func() { w.lines = append(w.lines, "+"+string(p)) })
		},
		PhaseEnded: func(p rewind.PhaseResult, err error) {
			w.alone(func() {
				w.lines = append(w.lines, "-"+string(p.Phase))
				w.ended, w.errs = append(w.ended, p), append(w.errs, err)
			})
		},
		Progress: func(p rewind.Progress) {
			w.alone(func() {
				if len(w.lines) > 0 && p.Step != "" { // in a phase that has not ended
					assert.Equal(w.t, "+"+string(p.Phase), w.lines[len(w.lines)-1], p.Step)
				}
			})
		},
	}
}

func TestAnObserverIsToldOfEveryPhase(t *testing.T) {
	p := newSpecimen(t)
	for _, c := range []struct {
		name   string
		opts   func(*rewind.Options)
		phases string
	}{
		{"a rewind", func(*rewind.Options) {}, "inspect analyze stage commit apply"},
		{"a rewind in place", func(o *rewind.Options) { o.InPlace = true }, "inspect analyze stage apply"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.restore(t)
			w := &witness{t: t}
			opts := p.options(t)
			c.opts(&opts)
			opts.Observer = w.observer()
			require.NoError(t, run(opts.WithDisk(withoutSync)))
			var want []string
			for phase := range strings.FieldsSeq(c.phases) {
				want = append(want, "+"+phase, "-"+phase)
			}
			assert.Equal(t, want, w.lines)
			for i, ended := range w.ended {
				assert.NoError(t, w.errs[i], ended.Phase)
				assert.Positive(t, ended.Duration, ended.Phase)
				assert.Equal(t, ended.Phase == rewind.PhaseStage, ended.Bytes > 0, ended.Phase)
			}
		})
	}
}

// TestAnObserverIsToldTheErrorOfAPhase makes every phase fail, and compares
// what the observer is told with what the caller gets.
func TestAnObserverIsToldTheErrorOfAPhase(t *testing.T) {
	p := newSpecimen(t)
	for _, phase := range []rewind.Phase{rewind.PhaseAnalyze, rewind.PhaseStage, rewind.PhaseCommit, rewind.PhaseApply} {
		t.Run(string(phase), func(t *testing.T) {
			p.restore(t)
			w := &witness{t: t}
			opts := p.options(t)
			opts.Observer = w.observer()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			began := opts.Observer.PhaseBegan
			opts.Observer.PhaseBegan = func(p rewind.Phase) {
				if began(p); p == phase {
					cancel()
				}
			}
			r, err := rewind.Prepare(ctx, opts.WithDisk(withoutSync))
			if err == nil {
				err = r.Apply(ctx)
				require.NoError(t, r.Close())
			}
			var failed *rewind.Error
			require.ErrorAs(t, err, &failed)
			require.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, phase, failed.Phase)
			last := len(w.ended) - 1
			assert.Equal(t, phase, w.ended[last].Phase)
			assert.Same(t, failed, w.errs[last])
			for _, err := range w.errs[:last] {
				assert.NoError(t, err)
			}
			assert.Equal(t, 2*len(w.ended), len(w.lines), "each phase that began has ended: %v", w.lines)
			if phase == rewind.PhaseApply {
				again := &witness{t: t}
				require.NoError(t, rewind.Resume(t.Context(), rewind.Options{TargetDir: p.target(), Observer: again.observer()}.WithDisk(withoutSync)))
				assert.Equal(t, []string{"+inspect", "-inspect", "+apply", "-apply"}, again.lines)
			}
		})
	}
}

// TestACancelledContextAfterTheCommit cancels the context at a sample of
// the changes from the commit on. With FinishCommitted the rewind runs to its end;
// otherwise it stops, and must be finished.
func TestACancelledContextAfterTheCommit(t *testing.T) {
	for _, s := range []struct {
		name    string
		inPlace bool
	}{{"staged", false}, {"in place", true}} {
		t.Run(s.name, func(t *testing.T) {
			p := newSpecimen(t)
			finished, stopped := 0, 0
			for k, more := int64(1), true; more; k += step(4) {
				for _, finish := range []bool{true, false} {
					p.restore(t)
					var committed atomic.Bool
					var n atomic.Int64
					ctx, cancel := context.WithCancel(t.Context())
					opts := p.options(t)
					opts.InPlace, opts.FinishCommitted = s.inPlace, finish
					if s.inPlace {
						opts.Observer.PhaseBegan = func(p rewind.Phase) { committed.Store(committed.Load() || p == rewind.PhaseApply) }
					}
					r, err := rewind.Prepare(ctx, opts.WithDisk(func(d apply.Disk) apply.Disk {
						return faultdisk.Wrap(withoutSync(d), func(op faultdisk.Op) error {
							if !op.Read && committed.Load() && n.Add(1) == k {
								cancel()
							}
							if !s.inPlace && op.Name == "remove" && op.Path == pgdata.PostmasterPid {
								committed.Store(true)
							}
							return nil
						})
					}))
					require.NoError(t, err)
					err = r.Apply(ctx)
					require.NoError(t, r.Close())
					cancel()
					what := fmt.Sprintf("cancelled at change %d after the commit, to be finished: %v", k, finish)
					state := p.checkState(t, what)
					more = n.Load() >= k
					switch {
					case finish || !more:
						require.NoError(t, err, what)
						require.Equal(t, rewind.StateRewound, state, what)
						finished++
					case err != nil:
						require.ErrorIs(t, err, context.Canceled, what)
						stopped++
						p.finish(t, state, what)
					}
					p.mustBeRewound(t, what)
				}
			}
			assert.NotZero(t, finished)
			assert.NotZero(t, stopped)
		})
	}
}

func TestAPhaseEndsEvenIfNothingWasGivenToResume(t *testing.T) {
	w := &witness{t: t}
	require.ErrorIs(t, rewind.Resume(t.Context(), rewind.Options{Observer: w.observer()}), rewind.ErrOptions)
	assert.Equal(t, []string{"+inspect", "-inspect"}, w.lines)
}
