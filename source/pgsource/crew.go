package pgsource

import (
	"context"
	"errors"
	"sync"
	"time"
)

// queue is work for several connections, some of which make more of it.
type queue[T any] struct {
	mu      sync.Mutex
	changed sync.Cond
	ready   []T
	taken   int  // how many are being done
	adding  bool // more may come from elsewhere
	stopped bool
}

// newQueue gives a queue that ends with the context.
func newQueue[T any](ctx context.Context) *queue[T] {
	q := &queue[T]{adding: true}
	q.changed.L = &q.mu
	context.AfterFunc(ctx, func() { q.set(func() { q.stopped = true }) })
	return q
}

func (q *queue[T]) set(change func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	change()
	q.changed.Broadcast()
}

// put adds work, once there is less than limit; false says that nobody does it
// any more.
func (q *queue[T]) put(limit int, work T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ready) >= limit && !q.stopped {
		q.changed.Wait()
	}
	q.ready = append(q.ready, work)
	q.changed.Broadcast()
	return !q.stopped
}

// take gives at most n pieces of work. It waits for the first where it shall;
// none then means that there will be no more.
func (q *queue[T]) take(n int, wait bool) (work []T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for wait && len(q.ready) == 0 && (q.taken > 0 || q.adding) && !q.stopped {
		q.changed.Wait()
	}
	if q.stopped {
		return nil
	}
	n = min(n, len(q.ready))
	work = append(work, q.ready[:n]...)
	clear(q.ready[:n])
	q.ready = q.ready[n:]
	q.taken += n
	q.changed.Broadcast()
	return work
}

// done says that so much of what was taken is done.
func (q *queue[T]) done(n int) { q.set(func() { q.taken -= n }) }

// giveBack returns what was taken and is not done.
func (q *queue[T]) giveBack(work []T) {
	q.set(func() {
		q.ready = append(append([]T{}, work...), q.ready...)
		q.taken -= len(work)
	})
}

// crew is some sessions at the same work.
type crew struct {
	pool    *pool
	ctx     context.Context
	cancel  context.CancelFunc
	growing context.Context // ends when there is nothing left to do for another member
	grown   context.CancelFunc
	all     sync.WaitGroup
	// work does what there is to do. If its session is abandoned, it leaves the
	// rest to others.
	work func(ctx context.Context, s *session) error

	mu      sync.Mutex
	members int
	err     error // the first
}

func newCrew(ctx context.Context, p *pool) *crew {
	c := &crew{pool: p}
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.growing, c.grown = context.WithCancel(c.ctx)
	return c
}

// want makes the crew larger, if it can be. The first member there always is.
func (c *crew) want(members int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.members < min(members, c.pool.jobs) {
		c.members++
		c.all.Add(1)
		go c.member(c.members == 1)
	}
}

// leave reports whether a member may go because there are others.
func (c *crew) leave() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.members == 1 {
		return false
	}
	c.members--
	return true
}

func (c *crew) member(first bool) {
	defer c.all.Done()
	var s *session
	if !first {
		if s = c.pool.tryTake(c.growing); s == nil && c.leave() {
			return
		}
	}
	for {
		var err error
		if s == nil {
			s, err = c.pool.take(c.ctx)
		}
		if err == nil {
			err = c.use(s)
		}
		if !errors.Is(err, errAbandoned) {
			c.grown()
			c.stop(err)
			return
		}
		if c.leave() {
			return
		}
		s = nil
	}
}

// use works with a session, and gives it back also where who takes what is
// fetched ends the goroutine, as a test does that fails.
func (c *crew) use(s *session) error {
	ended := true
	defer func() {
		if ended {
			s.drop()
			c.stop(errors.New("the goroutine that read from the source was ended"))
		}
		c.pool.give(s)
	}()
	err := c.work(c.ctx, s)
	ended = false
	return err
}

// stop ends the work of all if there is an error.
func (c *crew) stop(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.cancel()
}

// wait waits until all is done.
func (c *crew) wait() error {
	c.all.Wait()
	if c.err == nil && c.ctx.Err() == nil {
		c.pool.moved(time.Now())
	}
	c.cancel()
	return c.err
}
