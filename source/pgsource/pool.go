package pgsource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorewind/gorewind/internal/libpq"
	"github.com/gorewind/gorewind/internal/plain"
)

// defaultJobs is how many connections there may be where nobody says: two for
// each core, since a connection waits for the server as often as for this side.
// Over a distance it waits for its own data, of which only so much is under way:
// there it is as many as are ever of use.
func defaultJobs(answered time.Duration) int {
	if answered >= distant {
		return mostJobs
	}
	return min(max(2*runtime.GOMAXPROCS(0), 4), mostJobs)
}

const mostJobs = 8

// distant is how long a server that is far away takes for its first answer. One
// that is near takes 1 to 3 ms.
const distant = 5 * time.Millisecond

// leaveSlots is how many connections the server must have to spare before it is
// asked for one more than the first.
const leaveSlots = 3

// growAgain is how long a server that refused a connection is not asked for
// another one.
const growAgain = 20 * time.Second

// pool is the connections to one server. The first is there from the beginning,
// and the last one is made again for as long as the timeout allows; others come
// with the work, and those that cannot be had, or not any more, are done without.
type pool struct {
	timeout time.Duration
	log     *slog.Logger
	jobs    int       // the most connections
	name    string    // of the server, for messages
	server  *identity // as first connected to; nil before
	proof   *proof    // that all connections are to one postmaster
	outage  outage

	behindPooler atomic.Bool // and that pools sessions

	free chan *session // those that nobody uses

	getenv func(name string) string // the caller's; nil: that of this process

	connector *libpq.Connector // as the first connection left it; each session has its own
	mu        sync.Mutex
	size      int // how many sessions there are, in use or free
	growing   int // how many more are being made
	growers   sync.WaitGroup
	closing   context.Context // ends when the pool is closed
	closed    context.CancelFunc
	spare     int       // how many connections more the server had room for
	fullUntil time.Time // no more could be had
	warned    bool      // of connections that went to another server
}

func newPool(c *libpq.Connector, opts Options) *pool {
	p := &pool{proof: newProof(), connector: c, timeout: opts.Timeout, log: opts.Logger, jobs: opts.Jobs, getenv: opts.Getenv}
	p.closing, p.closed = context.WithCancel(context.Background())
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.timeout <= 0 {
		p.timeout = DefaultTimeout
	}
	return p
}

// open makes the first connection.
func (p *pool) open(ctx context.Context) (*session, error) {
	s := &session{pool: p, connector: p.connector.Copy()}
	if err := s.connect(ctx, p.timeout); err != nil {
		return nil, err
	}
	p.connector = s.connector.Copy()
	p.name, p.size, p.spare, s.member = s.name, 1, s.spare, true
	if p.jobs <= 0 {
		p.jobs = defaultJobs(s.answered)
	}
	p.free = make(chan *session, p.jobs)
	p.free <- s
	return s, nil
}

// close ends the connections; nobody uses them any more.
func (p *pool) close() {
	p.closed()
	p.growers.Wait()
	for range len(p.free) {
		s := <-p.free
		s.drop()
		p.free <- s
	}
}

// take gives the first session that is free. Where none is at once, another one is
// made meanwhile, which can take its time where a pooler has none left.
func (p *pool) take(ctx context.Context) (*session, error) {
	select {
	case s := <-p.free:
		return s, nil
	default:
	}
	if p.mayGrow() {
		p.growers.Go(func() {
			if s := p.grow(p.closing); s != nil {
				p.give(s)
			}
		})
	}
	select {
	case s := <-p.free:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// tryTake gives a session that is free or can be made until the context ends; else nil.
func (p *pool) tryTake(ctx context.Context) *session {
	select {
	case s := <-p.free:
		return s
	default:
	}
	if !p.mayGrow() {
		return nil
	}
	return p.grow(ctx)
}

// give takes a session back. One that lost its connection is kept only where it
// is the last.
func (p *pool) give(s *session) {
	if s.conn != nil && s.conn.isClosed() {
		s.drop()
	}
	if s.conn == nil {
		p.abandon(s)
	}
	if !s.abandoned {
		p.free <- s
	}
}

// abandon gives a session up, if there is another one.
func (p *pool) abandon(s *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !s.abandoned && p.size > 1 {
		s.abandoned = true
		p.size--
		p.spare++
	}
	return s.abandoned
}

// mayGrow reports whether one more connection may be made. Who asks makes it.
func (p *pool) mayGrow() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.fullUntil) || p.size+p.growing >= p.jobs || p.spare <= leaveSlots {
		return false
	}
	p.growing++
	p.spare--
	return true
}

// grow makes one more connection. It is nil where none is to be had, and nobody fails
// for that.
func (p *pool) grow(ctx context.Context) *session {
	s := &session{pool: p, connector: p.connector.Copy()}
	err := s.connect(ctx, p.timeout/4)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.growing--
	if err != nil {
		p.spare++
		if ctx.Err() == nil {
			p.fullUntil = time.Now().Add(growAgain)
			p.log.Log(ctx, p.levelOf(err), fmt.Sprintf("going on with the connections there are, no more can be made: %s", plain.OneLine(err.Error())),
				"source", p.name, "connections", p.size, "error", err)
		}
		return nil
	}
	p.size++
	p.spare, s.member = s.spare, true
	return s
}

// do runs an operation on any connection.
func (p *pool) do(ctx context.Context, op func(context.Context, *conn) error) error {
	for {
		s, err := p.take(ctx)
		if err != nil {
			return err
		}
		err = s.do(ctx, func(ctx context.Context, conn *conn) error {
			asked := time.Now()
			err := op(ctx, conn)
			if err == nil {
				p.proof.heard(s, asked)
			}
			return err
		})
		p.give(s)
		if err == nil {
			p.moved(time.Now())
		}
		if !errors.Is(err, errAbandoned) {
			return err
		}
	}
}

// moved says that something came of an operation on a connection made then. At
// the end of one, it does not matter which connection it was.
func (p *pool) moved(made time.Time) {
	if length := p.outage.move(made); length > 0 {
		p.log.Info(fmt.Sprintf("the source %s is back after %v", p.name, length.Round(time.Millisecond)), "source", p.name, "outage", length)
	}
}
