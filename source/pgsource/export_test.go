package pgsource

import (
	"context"
	"net"

	"github.com/jackc/pgx/v5"
)

// idle is a session that nobody uses.
func (s *Server) idle() *session {
	first := <-s.pool.free
	s.pool.free <- first
	return first
}

// TestConn is a session's connection on which anything may be asked.
type TestConn struct{ *conn }

// Conn is the session, for tests that check what it may do.
func (s *Server) Conn() TestConn { return TestConn{s.idle().conn} }

// QueryRow asks for a row.
func (c TestConn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	c.filter.askOnly(oneRow)
	return c.pg.QueryRow(ctx, sql, args...)
}

// RawConn is the connection below the session.
func (s *Server) RawConn() net.Conn {
	return s.idle().conn.socket.Conn
}

// Exec runs a statement in the session.
func (s *Server) Exec(ctx context.Context, sql string) error {
	c := s.Conn()
	c.filter.askOnly(oneRow)
	_, err := c.pg.Exec(ctx, sql)
	return err
}

// Pooled reports whether the session counts as one behind a pooler.
func (s *Server) Pooled() bool { return s.idle().pooled }

// OpenAnother opens another session.
func (s *Server) OpenAnother(ctx context.Context) (end func(), err error) {
	another, err := s.openAnother(ctx)
	return another.drop, err
}
