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
// a server sends that of its process, and a proxy that only forwards bytes (HAProxy, SSH,
// NAT) does not change it, while poolers such as PgBouncer make up their own keys.
// Behind a pooler, settings last only for one query until it is known that sessions are
// kept apart: otherwise other clients would find the settings.
//
// Whether they are kept apart only shows with a second client of the pooler: a single
// client gets the same process again and again.

// PoolerError says that a connection pooler gives a client one server process for
// one transaction, and another one for the next.
type PoolerError struct {
	Server string // the server behind the pooler
	Reason string // what showed it
}

func (e *PoolerError) Error() string {
	return fmt.Sprintf("%v, such as PgBouncer with pool_mode = transaction or statement: %s: %s: "+
		"connect to the server itself, or through a pool with pool_mode = session", source.ErrPooled, e.Server, e.Reason)
}

// Unwrap gives source.ErrPooled.
func (e *PoolerError) Unwrap() error { return source.ErrPooled }

// secondWait is how long a second client must be kept waiting, while the first one is
// served, before that proves anything.
const secondWait = 2 * time.Second

// rounds is how often both clients are asked. One round is enough if there are no
// others; with other clients, a process may look like a client's own by chance.
const rounds = 4

// checkPooler finds out whether a pooler keeps sessions apart, with a second client:
// each of the two must have its own process all the time. If the pooler has no process
// for the second client while the first one, which is idle, has one, it
// reserves that for the first.
func (s *session) checkPooler(ctx context.Context, now *identity) error {
	if err := s.stays(ctx, now.backend); err != nil {
		return err
	}
	second, _, err := connect(ctx, s.connector.Copy(), new(watchdog), s.pool.timeout/4)
	if err != nil {
		return fmt.Errorf("a second connection is needed to find out whether the connection pooler keeps sessions apart, and it could not be opened (connect to the server itself): %w", err)
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
			return s.movedError(before, pid)
		}
		before = pid
		if err := s.stays(ctx, now.backend); err != nil {
			return err
		}
	}
	return nil
}

// askSecond asks which process serves the second client. It returns zero if the second is
// not served although the first one is, again and again.
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

// stays checks that the session still has the same server process.
func (s *session) stays(ctx context.Context, backend int64) error {
	pid, err := backendOf(ctx, s.conn)
	if err == nil && pid != backend {
		err = s.movedError(backend, pid)
	}
	return err
}

func (s *session) movedError(one, another int64) error {
	return &PoolerError{s.name, fmt.Sprintf("one session was led to the server's processes %d and %d", one, another)}
}

// backendOf asks for the process that answers.
func backendOf(ctx context.Context, conn *conn) (pid int64, err error) {
	err = conn.row(ctx, oneRow, []any{&pid}, `SELECT pg_catalog.pg_backend_pid()`)
	return pid, err
}

// inProcess is SQL for whether a setting must be local to the query: that is so if another
// process answers than expected. No name in it can mean anything else.
func inProcess(backend int64) string {
	return fmt.Sprintf("pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.<>) %d", backend)
}

// checkKept checks whether a setting is still there in the next query.
func (s *session) checkKept(ctx context.Context, now *identity) error {
	var pid int64
	var kept bool
	err := s.conn.row(ctx, oneRow, []any{&pid, &kept}, `SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.=) ''
			AND pg_catalog.current_setting('default_transaction_read_only') OPERATOR(pg_catalog.=) 'on'`)
	switch {
	case err != nil:
		return err
	case pid != now.backend:
		return s.movedError(now.backend, pid)
	case !kept:
		return &PoolerError{s.name, "what was set in a session was not kept"}
	}
	return nil
}

// makePooledReady makes a session behind a pooler ready for work, or refuses it. If there
// are other sessions, the kind of pooler is already known.
func (s *session) makePooledReady(ctx context.Context, now *identity, others bool) error {
	if !others {
		if err := s.checkPooler(ctx, now); err != nil {
			return err
		}
	}
	s.pooled = true // from here on there are settings to reset
	s.pool.behindPooler.Store(true)
	if err := s.keep(ctx, now); err != nil {
		return err
	}
	return s.checkKept(ctx, now)
}

// isTemporary reports whether another connection may help later. Poolers report most of
// their own problems as protocol violations: a lost server process, no free one, or a
// shutdown. And a caller that supplied a password before may supply one
// again.
func (p *pool) isTemporary(err error) bool {
	var pg *pgconn.PgError
	var password *libpq.PasswordError
	return isTemporary(err) || p.behindPooler.Load() && errors.As(err, &pg) && pg.Code == "08P01" || errors.As(err, &password)
}

// putBack resets the server's process for the pooler's next client. Poolers
// do so themselves, unless configured not to.
func (s *session) putBack(ctx context.Context) {
	if s.pooled && !s.conn.pg.IsClosed() {
		_ = s.conn.exec(ctx, "DISCARD ALL") // if it fails, the connection ends, and the process with it
	}
}
