package pgsource

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Conn is the session, for tests that ask what it is allowed to do.
func (s *Server) Conn() *pgx.Conn { return s.session.conn }

// Exec runs a statement in the session.
func (s *Server) Exec(ctx context.Context, sql string) error {
	_, err := s.session.conn.Exec(ctx, sql)
	return err
}
