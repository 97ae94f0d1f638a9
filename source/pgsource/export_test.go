package pgsource

import (
	"context"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/source/pgsource/internal/conninfo"
)

// idle is a session that nobody uses.
func (s *Server) idle() *session {
	first := <-s.pool.free
	s.pool.free <- first
	return first
}

// Conn is the session, for tests that ask what it is allowed to do.
func (s *Server) Conn() *pgx.Conn { return s.idle().conn }

// RawConn is what lies below the session.
func (s *Server) RawConn() net.Conn {
	raw, _ := rawConn(s.idle().conn)
	return raw.Conn
}

// Exec runs a statement in the session.
func (s *Server) Exec(ctx context.Context, sql string) error {
	_, err := s.idle().conn.Exec(ctx, sql)
	return err
}

// WithDialer makes the connections of a source go another way.
func (o Options) WithDialer(dialer func(pgconn.DialFunc) pgconn.DialFunc) Options {
	o.dialer = dialer
	return o
}

// ConnInfo is what -R writes for a connection string in some environment.
func ConnInfo(connString string, env conninfo.Environment, major int) (string, error) {
	c, err := parseConnString(connString, env, nil)
	if err != nil {
		return "", err
	}
	return c.connInfo(major), nil
}

// Pooled tells whether the session is taken for one behind a pooler.
func (s *Server) Pooled() bool { return s.idle().pooled }

// OpenAnother opens a session beside the one that there is.
func (s *Server) OpenAnother(ctx context.Context) (end func(), err error) {
	another, err := s.openAnother(ctx)
	return another.drop, err
}
