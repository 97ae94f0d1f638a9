package pgsource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/internal/libpq"
	"github.com/gorewind/gorewind/source"
)

// A pooler shows by the process ID that comes with the key for cancelling queries:
// a server sends that of its process, and what only passes bytes on (HAProxy, SSH,
// NAT) does not change it; poolers, such as PgBouncer, make up keys of their own.
// Behind one, nothing is set for longer than one question, until it is known that
// the session is one: other clients would find in it what is left behind.
//
// Whether it is one only shows with another client of the pooler: alone, a client is
// given the same process again and again.

// PoolerError says that a connection pooler gives a client one server process for
// one transaction, and another one for the next.
type PoolerError struct {
	Server string // which the pooler stands for
	Reason string // how it shows
}

func (e *PoolerError) Error() string {
	return fmt.Sprintf("%v, such as PgBouncer with pool_mode = transaction or statement: %s: %s: "+
		"connect to the server itself, or through a pool with pool_mode = session", source.ErrPooled, e.Server, e.Reason)
}

// Unwrap gives source.ErrPooled.
func (e *PoolerError) Unwrap() error { return source.ErrPooled }

// secondWait is how long a second client waits before that says something, if the
// first one is served meanwhile.
const secondWait = 2 * time.Second

// rounds is how often both clients are asked. One is enough if they are the only
// ones; others who come and go can make a process look like a client's own once.
const rounds = 4

// checkPooler finds out whether a pooler keeps sessions apart, by a second client:
// all the time the two must have one process each, not the same. A pooler that has
// none for the second one while the first, who wants nothing, has one, keeps it for
// him.
func (s *session) checkPooler(ctx context.Context, now *identity) error {
	if err := s.stays(ctx, now.backend); err != nil {
		return err
	}
	second, _, err := connect(ctx, s.connector.Copy(), new(watchdog), s.pool.timeout/4)
	if err != nil {
		return fmt.Errorf("whether the connection pooler in between keeps sessions apart cannot be found out without a second connection (connect to the server itself): %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_ = second.pg.Close(ctx)
	}()
	var before int64
	for range rounds {
		pid, err := s.askSecond(ctx, second, now.backend)
		switch {
		case err != nil:
			return err
		case pid == 0:
			return nil
		case pid == now.backend:
			return &PoolerError{s.name, fmt.Sprintf("two sessions were led to the server's process %d", pid)}
		case before != 0 && pid != before:
			return s.strays(before, pid)
		}
		before = pid
		if err := s.stays(ctx, now.backend); err != nil {
			return err
		}
	}
	return nil
}

// askSecond asks which process serves the second client. It is zero where that is
// not served, although the first one is, again and again.
func (s *session) askSecond(ctx context.Context, second *conn, own int64) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	var pid int64
	var err error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		pid, err = backendOf(ctx, second)
	}()
	defer func() {
		cancel()
		<-answered
	}()
	select {
	case <-answered:
	case <-time.After(secondWait):
		for range rounds {
			if err := s.stays(ctx, own); err != nil {
				return 0, err
			}
		}
		select {
		case <-answered:
		default:
			return 0, nil
		}
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return 0, s.stays(ctx, own)
	}
	return pid, err
}

// stays checks that a process of the server's is still the session's.
func (s *session) stays(ctx context.Context, backend int64) error {
	pid, err := backendOf(ctx, s.conn)
	if err == nil && pid != backend {
		err = s.strays(backend, pid)
	}
	return err
}

func (s *session) strays(one, another int64) error {
	return &PoolerError{s.name, fmt.Sprintf("one session was led to the server's processes %d and %d", one, another)}
}

// backendOf asks for the process that answers.
func backendOf(ctx context.Context, conn *conn) (pid int64, err error) {
	err = conn.row(ctx, oneRow, []any{&pid}, `SELECT pg_catalog.pg_backend_pid()`)
	return pid, err
}

// inProcess is whether a setting is to be for this question only: whether another
// process answers than the one meant. No name in it can mean anything else.
func inProcess(backend int64) string {
	return fmt.Sprintf("pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.<>) %d", backend)
}

// checkKept looks whether what was set is still there with the next question.
func (s *session) checkKept(ctx context.Context, now *identity) error {
	var pid int64
	var kept bool
	err := s.conn.row(ctx, oneRow, []any{&pid, &kept}, `SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.=) ''
			AND pg_catalog.current_setting('default_transaction_read_only') OPERATOR(pg_catalog.=) 'on'`)
	switch {
	case err != nil:
		return err
	case pid != now.backend:
		return s.strays(now.backend, pid)
	case !kept:
		return &PoolerError{s.name, "what was set in a session was not kept"}
	}
	return nil
}

// settlePooled makes a session behind a pooler one to work with, or refuses it. Where
// there are others, what kind of pooler it is was found out when they were made.
func (s *session) settlePooled(ctx context.Context, now *identity, others bool) error {
	if !others {
		if err := s.checkPooler(ctx, now); err != nil {
			return err
		}
	}
	s.pooled = true // from here on there is something to put back
	s.pool.behindPooler.Store(true)
	if err := s.keep(ctx, now); err != nil {
		return err
	}
	return s.checkKept(ctx, now)
}

// isTemporary reports whether another connection, later, may help. Poolers say of
// most that happens to them that it violates the protocol: that they lost the server's
// process, have none for now, or shut down. And who gave a password before may have one
// again.
func (p *pool) isTemporary(err error) bool {
	var pg *pgconn.PgError
	var password *libpq.PasswordError
	return isTemporary(err) || p.behindPooler.Load() && errors.As(err, &pg) && pg.Code == "08P01" || errors.As(err, &password)
}

// putBack leaves the server's process to the pooler's next client as it was. Poolers
// do so themselves, unless they are told not to.
func (s *session) putBack(ctx context.Context) {
	if s.pooled && !s.conn.pg.IsClosed() {
		_ = s.conn.exec(ctx, "DISCARD ALL") // or the connection ends, and the process with it
	}
}
