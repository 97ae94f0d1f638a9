package pgsource

import (
	"context"
	"errors"
	"sync"
	"time"
)

// workers is a group of sessions that share the same work.
type workers struct {
	pool    *pool
	ctx     context.Context
	cancel  context.CancelFunc
	growing context.Context // ends when there is no work left for another session
	grown   context.CancelFunc
	all     sync.WaitGroup
	// work does the work that is waiting. If its session is abandoned, it leaves the
	// rest to others.
	work func(ctx context.Context, s *session) error

	mu     sync.Mutex
	number int
	err    error // the first
}

func newWorkers(ctx context.Context, p *pool) *workers {
	w := &workers{pool: p}
	w.ctx, w.cancel = context.WithCancel(ctx)
	w.growing, w.grown = context.WithCancel(w.ctx)
	return w
}

// want raises the number of workers, if possible. There is always at least one.
func (w *workers) want(number int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.number < min(number, w.pool.jobs) {
		w.number++
		w.all.Add(1)
		go w.run(w.number == 1)
	}
}

// leave reports whether a worker may leave because there are others.
func (w *workers) leave() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.number == 1 {
		return false
	}
	w.number--
	return true
}

func (w *workers) run(first bool) {
	defer w.all.Done()
	var s *session
	if !first {
		if s = w.pool.tryTake(w.growing); s == nil && w.leave() {
			return
		}
	}
	for {
		var err error
		if s == nil {
			s, err = w.pool.take(w.ctx)
		}
		if err == nil {
			err = w.use(s)
		}
		if !errors.Is(err, errAbandoned) {
			w.grown()
			w.stop(err)
			return
		}
		if w.leave() {
			return
		}
		s = nil
	}
}

// use works with a session, and gives it back even if the receiver of the data
// ends the goroutine, as a failing test does.
func (w *workers) use(s *session) error {
	ended := true
	defer func() {
		if ended {
			s.drop()
			w.stop(errors.New("the goroutine that read from the source was ended"))
		}
		w.pool.give(s)
	}()
	err := w.work(w.ctx, s)
	ended = false
	return err
}

// stop ends the work of all if there is an error.
func (w *workers) stop(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.cancel()
}

// wait waits until all work is done.
func (w *workers) wait() error {
	w.all.Wait()
	if w.err == nil && w.ctx.Err() == nil {
		w.pool.moved(time.Now())
	}
	w.cancel()
	return w.err
}
