package pgsource

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/source"
)

// proof shows that all sessions go to one postmaster. Behind one address, that of a
// load balancer, there can be several standbys of one primary. Standbys made from one
// snapshot are identical in all that their files say, and virtual machines that were
// cloned while running even have the same start time. A mixture of their files would
// not be a cluster.
//
// So every session holds an advisory lock with a random key in shared mode. The lock
// is only in the memory of that postmaster and ends with the session. It needs no
// privilege, changes nothing, can be taken on standbys, and is visible to all roles in
// all databases. A session that is opened beside others must find the lock there, held
// by one of them. Only then does it take the lock itself, so that two sessions of another
// server cannot prove each other.
//
// If no session is left, there is no lock to find. Then the start time of the
// postmaster, its process ID and the clock show whether it is the same postmaster,
// or one that started since.
type proof struct {
	key uint64

	mu    sync.Mutex
	run   *postmaster // nil before the first session
	alive time.Time   // by the server's clock: a time at which that run was certainly alive
}

func newProof() *proof {
	var key [8]byte
	_, _ = rand.Read(key[:]) // it never fails
	return &proof{key: binary.LittleEndian.Uint64(key[:])}
}

// witnessSQL asks whether another session holds the lock.
func (p *proof) witnessSQL() string {
	return fmt.Sprintf(`EXISTS (SELECT FROM pg_catalog.pg_lock_status() WHERE locktype = 'advisory' AND objsubid = 1
		AND classid = '%d'::pg_catalog.oid AND objid = '%d'::pg_catalog.oid AND granted AND pid <> pg_catalog.pg_backend_pid())`,
		p.key>>32, uint32(p.key))
}

// holdSQL takes the lock for the lifetime of the session.
func (p *proof) holdSQL() string {
	return fmt.Sprintf(`pg_catalog.pg_try_advisory_lock_shared('%d'::pg_catalog.int8)`, int64(p.key))
}

// askSQL asks for the process, its postmaster and the lock. It takes the lock if the
// session is certainly one of ours: if it is the first, or another one holds the lock,
// and there is no pooler in between.
func (p *proof) askSQL(conn *conn) string {
	return fmt.Sprintf(`SELECT pg_catalog.pg_backend_pid(), %s, witnessed,
			CASE WHEN (witnessed OR %t) AND pg_catalog.pg_backend_pid() = %d THEN %s END
		FROM (SELECT %s AS witnessed OFFSET 0) w`, postmasterSQL, !p.begun(), conn.pg.PgConn().PID(), p.holdSQL(), p.witnessSQL())
}

// runAnswer limits the answer to askSQL: it contains 4096 bytes of a postmaster.pid,
// which can be in hexadecimal.
var runAnswer = answer{rows: 1, width: 16 << 10}

// readRun reads the answer.
func (id *identity) readRun(row pgx.Row) error {
	var started, clock int64
	var pidFile []byte
	err := row.Scan(&id.backend, &started, &clock, &pidFile, &id.run.address, &id.witnessed, &id.holds)
	id.run.started, id.clock = time.UnixMicro(started), time.UnixMicro(clock)
	id.run.readPIDFile(pidFile)
	return err
}

// makeReady makes a new session ready for work, once it is proven to go to the
// same server.
func (s *session) makeReady(ctx context.Context, now *identity) error {
	others := s.pool.others(s)
	if err := s.pool.proof.admit(now, others, s.name); err != nil {
		return err
	}
	s.run, s.clock, s.clockRead = &now.run, now.clock, time.Now()
	switch {
	case now.backend != int64(s.conn.pg.PgConn().PID()):
		return s.makePooledReady(ctx, now, others)
	case now.holds == nil: // no session held the lock, but the identity was accepted
		return s.keep(ctx, now)
	}
	return nil
}

// others reports whether there are other sessions than this one.
func (p *pool) others(s *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size > 1 || p.size == 1 && !s.member
}

// levelOf is the log level for a connection that could not be opened. That it went to
// another server is a warning, once.
func (p *pool) levelOf(err error) slog.Level {
	if p.warned || !errors.Is(err, source.ErrChanged) {
		return slog.LevelDebug
	}
	p.warned = true
	return slog.LevelWarn
}

// begun reports whether there was a session.
func (p *proof) begun() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run != nil
}

// errUnproven says that a session may go to the same postmaster, but that no other
// session proves it, although some should exist. They may have been lost unnoticed;
// then the session is tried again as the last one that is left.
var errUnproven = errors.New("no other session vouches for it")

// admit accepts the identity of a new session, or returns an error that says why not.
// Others means that there are other sessions.
func (p *proof) admit(now *identity, others bool, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.run == nil:
	case now.witnessed && now.run.started.Equal(p.run.started):
	case !now.run.is(p.run) && !now.run.mayFollow(p.run, p.alive):
		return &balancedError{name: name, was: p.run, is: &now.run}
	case others:
		return fmt.Errorf("%w: it goes to %v", errUnproven, &now.run)
	}
	if p.run == nil || !now.run.is(p.run) {
		run := now.run
		p.run, p.alive = &run, time.Time{}
	}
	if now.clock.After(p.alive) {
		p.alive = now.clock
	}
	return nil
}

// noteAnswer records that the server answered in a session a query sent at the given local
// time, and so was alive then. An answer that arrived later may have been in flight while
// the server was gone. Its clock is known from the start of the session. Clocks may run
// at different rates; the tolerance is a thousandth, twice the rate at which clocks are slewed.
func (p *proof) noteAnswer(s *session, asked time.Time) {
	passed := asked.Sub(s.clockRead)
	at := s.clock.Add(passed - passed/1000)
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.run.is(p.run) && at.After(p.alive) {
		p.alive = at
	}
}

// balancedError says that connections went to different servers.
type balancedError struct {
	name    string
	was, is *postmaster
}

func (e *balancedError) Error() string {
	return fmt.Sprintf("%v: the address of the source %s leads to more than one server, as a load balancer's does: "+
		"the first connection went to %v, another one to %v: name one server in the connection string, by an address that is its own",
		source.ErrChanged, e.name, e.was, e.is)
}

// Unwrap gives source.ErrChanged.
func (e *balancedError) Unwrap() error { return source.ErrChanged }

// keep makes the session permanent: settings that were local to the transaction now
// last for the session, and it takes the lock. That happens in the
// server process that answered before, and in no other.
func (s *session) keep(ctx context.Context, now *identity) error {
	b := safely(inProcess(now.backend))
	b.ask(oneRow, fmt.Sprintf(`SELECT pg_catalog.pg_backend_pid(), CASE WHEN pg_catalog.pg_backend_pid() = %d THEN %s END`, now.backend, s.pool.proof.holdSQL()))
	answers, err := send(ctx, s.conn, b)
	if err != nil {
		return err
	}
	var backend int64
	var held *bool
	err = answers.QueryRow().Scan(&backend, &held)
	if closed := answers.Close(); err == nil {
		err = closed
	}
	if err == nil && backend != now.backend {
		err = s.movedError(now.backend, backend)
	}
	return err
}

// same asks on a connection to any database whether it goes to the same postmaster.
func (p *proof) same(ctx context.Context, conn *conn) (bool, error) {
	var started int64
	var witnessed bool
	err := conn.row(ctx, oneRow, []any{&started, &witnessed}, `SELECT `+startedSQL+`, `+p.witnessSQL())
	p.mu.Lock()
	defer p.mu.Unlock()
	return witnessed && p.run.started.Equal(time.UnixMicro(started)), err
}
