package pgsource

import (
	"context"
	"sync"
)

// queue is work for several connections, some of which produce more of it.
type queue[T any] struct {
	mu      sync.Mutex
	changed sync.Cond
	ready   []T
	taken   int  // items in progress
	adding  bool // more may come from elsewhere
	stopped bool
}

// newQueue returns a queue that ends with the context.
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

// put adds work, once there are fewer than limit items; false means that the queue
// has ended.
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

// take returns at most n items. If wait is set, it waits for the first one;
// an empty result then means that there will be no more.
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

// done records that n of the taken items are done.
func (q *queue[T]) done(n int) { q.set(func() { q.taken -= n }) }

// giveBack returns items that were taken and are not done.
func (q *queue[T]) giveBack(work []T) {
	q.set(func() {
		q.ready = append(append([]T{}, work...), q.ready...)
		q.taken -= len(work)
	})
}
