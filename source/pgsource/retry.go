package pgsource

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorewind/gorewind/internal/libpq"
	"github.com/gorewind/gorewind/internal/sanitize"
	"github.com/gorewind/gorewind/source"
)

// The pause before each attempt to reconnect. The first attempt is made at once.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 3 * time.Second
)

// pauseBefore is how long to wait before an attempt: exponential, with jitter.
func pauseBefore(attempt int) time.Duration {
	if attempt == 0 {
		return 0
	}
	pause := maxPause
	if attempt < 10 {
		pause = min(firstPause<<(attempt-1), maxPause)
	}
	return pause/2 + rand.N(pause/2)
}

// outage is a time in which connections are lost. It ends when an operation makes
// progress on a connection that was opened since.
type outage struct {
	mu       sync.Mutex
	began    time.Time // zero while there is no outage
	since    time.Time // the last sign of life on any connection
	attempts int       // to reconnect
	on       atomic.Bool
	moved    atomic.Int64 // when an operation last made progress, in Unix nanoseconds
}

// begin records a loss, and reports whether it is the first of an outage.
func (o *outage) begin(last time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.began.IsZero() {
		return false
	}
	if moved := time.Unix(0, o.moved.Load()); moved.After(last) {
		last = moved // on another connection
	}
	o.began, o.since = time.Now(), last
	o.on.Store(true)
	return true
}

// move records that an operation made progress on a connection opened at that time. If
// that ends an outage, it returns how long the outage lasted, otherwise zero.
func (o *outage) move(made time.Time) (length time.Duration) {
	now := time.Now()
	o.moved.Store(now.UnixNano())
	if !o.on.Load() {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.began.IsZero() && made.After(o.began) {
		length = max(now.Sub(o.since), 1)
		o.reset()
	}
	o.since, o.attempts = now, 0
	return length
}

// giveUp ends an outage without success: the next operation has the full timeout again.
func (o *outage) giveUp() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reset()
}

func (o *outage) reset() {
	o.began, o.since, o.attempts = time.Time{}, time.Time{}, 0
	o.on.Store(false)
}

// left is what is left of the timeout.
func (o *outage) left(timeout time.Duration) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() {
		return timeout
	}
	return timeout - time.Since(o.since)
}

// waiting is how long the outage has lasted; zero if there is none.
func (o *outage) waiting() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() {
		return 0
	}
	return max(time.Since(o.since), 1)
}

// pause is how long to wait before the next attempt.
func (o *outage) pause() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attempts++
	return pauseBefore(o.attempts - 1)
}

// finalError is an error that another connection cannot fix.
type finalError struct{ error }

// errAbandoned says that a session could not go on, while others can.
var errAbandoned = errors.New("the connection was given up")

// do runs an operation. When the connection is lost or silent, op runs again on
// a new one, until it makes progress or the timeout is over. op must continue from
// where it was, and call moved when it makes progress. If no new connection can be
// opened but others exist, the error is errAbandoned.
func (s *session) do(ctx context.Context, op func(context.Context, *conn) error) error {
	p := s.pool
	for {
		connected := s.conn != nil
		err := s.attempt(ctx, op)
		var final *finalError
		switch {
		case err == nil:
			s.moved()
			return nil
		case errors.As(err, &final):
			return final.error
		case ctx.Err() != nil:
			return ctx.Err()
		case !p.isTemporary(err):
			return denied(err)
		}
		s.drop()
		if p.outage.begin(s.watchdog.last()) {
			p.log.Warn(fmt.Sprintf("lost the connection to the source %s, trying again for %v: %s", s.name, p.timeout, sanitize.OneLine(err.Error())),
				"source", s.name, "timeout", p.timeout, "error", err)
		}
		if !connected && p.abandon(s) {
			return errAbandoned
		}
		left := p.outage.left(p.timeout)
		if left <= 0 {
			p.outage.giveUp()
			return fmt.Errorf("%w for %v: %w; run gorewind again when it does", source.ErrUnavailable, p.timeout, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(left, p.outage.pause())):
		}
	}
}

// moved records that an operation made progress.
func (s *session) moved() { s.pool.moved(s.made) }

// attempt runs an operation once. Silence for half the timeout is treated as a
// connection that the network lost without notice: the other half is left to
// try another one.
func (s *session) attempt(ctx context.Context, op func(context.Context, *conn) error) error {
	timeout := s.pool.timeout
	if s.conn != nil && s.conn.isClosed() {
		s.drop()
	}
	if s.conn == nil {
		if err := s.connect(ctx, max(min(timeout/4, s.pool.outage.left(timeout)), time.Millisecond)); err != nil {
			return err
		}
	}
	limit := timeout / 2
	watched, stop := s.watchdog.watch(ctx, limit)
	defer stop()
	return silenced(watched, limit, op(watched, s.conn))
}

// silenced replaces the error that cancelling a watched context caused: the callers
// cancelled nothing, so they should not see a cancellation.
func silenced(watched context.Context, limit time.Duration, err error) error {
	var final *finalError
	if err != nil && !errors.As(err, &final) && errors.Is(context.Cause(watched), libpq.ErrSilent) {
		return fmt.Errorf("%w for %v", libpq.ErrSilent, limit.Round(time.Millisecond))
	}
	return err
}

// isTemporary reports whether another connection may help later.
func isTemporary(err error) bool { return libpq.IsTemporary(err) || errors.Is(err, errUnproven) }

// unavailableError is an error that may go away by itself.
type unavailableError struct{ error }

func (e *unavailableError) Unwrap() []error { return []error{e.error, source.ErrUnavailable} }
