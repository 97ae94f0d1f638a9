package pgsource

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// errSilent is the cause of a context that pulse.watch cancelled.
var errSilent = errors.New("nothing came from the server")

// pulse tells for how long something was waited for from a server and nothing
// came. Time in which nobody waits, since what came is being worked on, is not
// the server's.
type pulse struct {
	mu      sync.Mutex
	waiting int       // how many wait
	since   time.Time // when something last came, or the waiting began
}

func (p *pulse) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == 0 {
		p.since = time.Now()
	}
	p.waiting++
}

func (p *pulse) came(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting--
	if bytes > 0 {
		p.since = time.Now()
	}
}

// last is the last sign of life.
func (p *pulse) last() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.since
}

func (p *pulse) silence() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == 0 {
		return 0
	}
	return time.Since(p.since)
}

// watch gives a context that is cancelled, with cause errSilent, when nothing
// came for as long as limit. What is slow but moves goes on.
func (p *pulse) watch(ctx context.Context, limit time.Duration) (_ context.Context, stop func()) {
	p.mu.Lock()
	p.since = time.Now()
	p.mu.Unlock()
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
				cancel(errSilent)
				return
			}
			timer.Reset(left)
		}
	}()
	return ctx, func() { cancel(nil) }
}

// watchedConn is a connection, below TLS if there is some, with its pulse. An
// answer to what was written is waited for by reading; a server that does not
// even take what is written is silent, too.
type watchedConn struct {
	net.Conn
	pulse *pulse
}

func (c *watchedConn) Read(b []byte) (int, error) {
	c.pulse.wait()
	n, err := c.Conn.Read(b)
	c.pulse.came(n)
	return n, err
}

func (c *watchedConn) Write(b []byte) (int, error) {
	c.pulse.wait()
	n, err := c.Conn.Write(b)
	c.pulse.came(n)
	return n, err
}
