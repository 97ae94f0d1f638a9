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
	"github.com/gorewind/gorewind/internal/sanitize"
)

// defaultJobs is the most connections if Options do not say: two for each core, since a
// connection waits for the server about as often as for this side. To a distant server
// a connection waits for its own data, of which only so much is in flight, so it is the
// most connections that are ever useful.
func defaultJobs(answered time.Duration) int {
	if answered >= distant {
		return mostJobs
	}
	return min(max(2*runtime.GOMAXPROCS(0), 4), mostJobs)
}

const mostJobs = 8

// distant is how long a distant server takes for its first answer. A nearby one
// takes 1 to 3 ms.
const distant = 5 * time.Millisecond

// leaveSlots is how many free connections the server must have before it is
// asked for another one after the first.
const leaveSlots = 3

// growAgain is how long no further connection is requested from a server that
// refused one.
const growAgain = 20 * time.Second

// pool is the connections to one server. The first exists from the beginning, and
// the last remaining one is reopened until the timeout. Others are opened as the work
// requires; the pool continues without those that cannot be opened or are lost.
type pool struct {
	timeout time.Duration
	log     *slog.Logger
	jobs    int       // the most connections
	name    string    // of the server, for messages
	server  *identity // of the first connection; nil before it
	proof   *proof    // shows that all connections go to one postmaster
	outage  outage

	behindPooler atomic.Bool // a pooler that keeps sessions apart

	free chan *session // idle sessions

	getenv func(name string) string // the caller's; nil: that of this process

	connector *libpq.Connector // as set up by the first connection; each session has its own copy
	mu        sync.Mutex
	size      int // number of sessions, in use or free
	growing   int // number of sessions being opened
	growers   sync.WaitGroup
	closing   context.Context // ends when the pool is closed
	closed    context.CancelFunc
	spare     int       // how many more connections the server had room for
	fullUntil time.Time // no more are requested before then
	warned    bool      // about connections that went to another server
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

// open opens the first connection.
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

// close ends the connections. None may be in use.
func (p *pool) close() {
	p.closed()
	p.growers.Wait()
	for range len(p.free) {
		s := <-p.free
		s.drop()
		p.free <- s
	}
}

// take returns the first session that is free. If none is free at once, another one is
// opened in the meantime, which can take long if a pooler has none left.
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

// tryTake returns a session that is free or can be opened before the context ends, otherwise nil.
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

// give returns a session to the pool. One that lost its connection is kept only if it
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

// abandon gives up a session if there is another one.
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

// mayGrow reports whether one more connection may be opened. If so, the caller must open it.
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

// grow opens one more connection. It returns nil if it cannot, which is not an error
// for anybody.
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
			p.log.Log(ctx, p.levelOf(err), fmt.Sprintf("continuing with the existing connections, no more can be opened: %s", sanitize.OneLine(err.Error())),
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
				p.proof.noteAnswer(s, asked)
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

// moved records that an operation on a connection opened at that time made progress. If
// that ends an outage, it does not matter which connection it was.
func (p *pool) moved(made time.Time) {
	if length := p.outage.move(made); length > 0 {
		p.log.Info(fmt.Sprintf("the source %s is back after %v", p.name, length.Round(time.Millisecond)), "source", p.name, "outage", length)
	}
}
