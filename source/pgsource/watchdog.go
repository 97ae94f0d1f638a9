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

// watchdog tells for how long something was waited for from a server and nothing came
// of it. Time in which nobody waits, since what came is being worked on, is not the
// server's.
type watchdog struct {
	mu      sync.Mutex
	waiting int           // how many wait
	began   time.Time     // when the waiting began
	waited  time.Duration // since the last progress, before that
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

func (p *watchdog) waitNoMore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting--; p.waiting == 0 {
		p.waited += time.Since(p.began)
	}
}

// progress says that something came of the waiting. That bytes came does not: a
// server could send one now and then for ever.
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

// watch gives a context that is cancelled, with cause libpq.ErrSilent, when nothing came
// of waiting for as long as limit. What is slow but moves goes on.
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

// maxUnread is how much a server can have sent before it is listened to, in bytes: pgx
// keeps all that comes while it writes. That can be answers to what was asked before.
const maxUnread = (maxInFlight + 1) * maxRequest

var errFlood = unwanted("more than %d bytes without taking what it was sent", maxUnread)

// watchedConn is a connection, below TLS if there is some, with its watchdog. An
// answer to what was written is waited for by reading; what comes of that the filter
// tells. A server that does not even take what is written is silent, too. That
// something was written is no progress: with TLS, the server can make us write.
type watchedConn struct {
	net.Conn
	watchdog *watchdog
	unread   atomic.Int64 // bytes that came and that the filter did not take yet
}

func (c *watchedConn) Read(b []byte) (int, error) {
	c.watchdog.wait()
	defer c.watchdog.waitNoMore()
	n, err := c.Conn.Read(b)
	if c.unread.Add(int64(n)) > maxUnread {
		_ = c.Close()
		return 0, errFlood
	}
	return n, err
}

func (c *watchedConn) Write(b []byte) (int, error) {
	c.watchdog.wait()
	defer c.watchdog.waitNoMore()
	n, err := c.Conn.Write(b)
	if err != nil && c.unread.Load() > maxUnread {
		err = errFlood
	}
	return n, err
}

// received is what came over a connection, for the filter.
type received struct {
	io.Reader
	from *watchedConn
}

func (h received) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	h.from.unread.Store(0)
	return n, err
}
