package pgsource

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Conn is the session, for tests that ask what it is allowed to do.
func (s *Server) Conn() *pgx.Conn { return s.conn }

// Exec runs a statement in the session.
func (s *Server) Exec(ctx context.Context, sql string) error {
	_, err := s.conn.Exec(ctx, sql)
	return err
}
