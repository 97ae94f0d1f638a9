package pgsource

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorewind/gorewind/internal/libpq"
)

// watchdog measures how long a server was waited for without progress. Time in
// which nobody waits, because data that arrived is being processed, does not count against
// the server.
type watchdog struct {
	mu      sync.Mutex
	waiting int           // number of waiting goroutines
	began   time.Time     // when the current wait began
	waited  time.Duration // time waited since the last progress, before the current wait
	moved   time.Time     // the last progress
}

func (p *watchdog) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == 0 {
		p.began = time.Now()
	}
	p.waiting++
}

func (p *watchdog) stopWaiting() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting--; p.waiting == 0 {
		p.waited += time.Since(p.began)
	}
}

// progress records progress. Received bytes alone are not progress: a server could
// send one now and then for ever.
func (p *watchdog) progress() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved = time.Now()
	p.began, p.waited = p.moved, 0
}

// last is the last sign of life.
func (p *watchdog) last() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.moved
}

func (p *watchdog) silence() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == 0 {
		return p.waited
	}
	return p.waited + time.Since(p.began)
}

// watch returns a context that is cancelled, with cause libpq.ErrSilent, after waiting for
// limit without progress. Slow operations that make progress continue.
func (p *watchdog) watch(ctx context.Context, limit time.Duration) (_ context.Context, stop func()) {
	p.progress()
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			left := limit - p.silence()
			if left <= 0 {
				cancel(libpq.ErrSilent)
				return
			}
			timer.Reset(left)
		}
	}()
	return ctx, func() { cancel(nil) }
}

// maxUnread is how many bytes a server may have sent before we read them: pgx
// buffers all that arrives while it writes. They may be answers to earlier queries.
const maxUnread = (maxInFlight + 1) * maxRequest

var errFlood = unwanted("more than %d bytes without taking what it was sent", maxUnread)

// watchedConn is a connection, below TLS if it is used, with its watchdog. Reading waits
// for the answer to what was written; the filter reports whether that was progress. A
// server that does not accept what is written is silent, too. Writing is not
// progress: with TLS, the server can make us write.
type watchedConn struct {
	net.Conn
	watchdog *watchdog
	unread   atomic.Int64 // bytes received that the filter has not read yet
}

func (c *watchedConn) Read(b []byte) (int, error) {
	c.watchdog.wait()
	defer c.watchdog.stopWaiting()
	n, err := c.Conn.Read(b)
	if c.unread.Add(int64(n)) > maxUnread {
		_ = c.Close()
		return 0, errFlood
	}
	return n, err
}

func (c *watchedConn) Write(b []byte) (int, error) {
	c.watchdog.wait()
	defer c.watchdog.stopWaiting()
	n, err := c.Conn.Write(b)
	if err != nil && c.unread.Load() > maxUnread {
		err = errFlood
	}
	return n, err
}

// received wraps what arrives over a connection, for the filter to read.
type received struct {
	io.Reader
	from *watchedConn
}

func (h received) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	h.from.unread.Store(0)
	return n, err
}
