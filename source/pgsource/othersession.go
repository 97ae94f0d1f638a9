package pgsource

import (
	"context"
	"errors"

	"github.com/gorewind/gorewind/internal/libpq"
)

// connector connects to the same server as the pool, and to no other.
func (s *Server) connector() *libpq.Connector {
	return s.pool.connector.Copy()
}

// openAnother opens a session outside the pool. It fails if the server is no longer
// the same one.
func (s *Server) openAnother(ctx context.Context) (*session, error) {
	another := &session{pool: s.pool, connector: s.connector()}
	err := another.connect(ctx, s.pool.timeout/4)
	if !errors.Is(err, errUnproven) {
		return another, err
	}
	// The sessions that would prove it may have been lost while idle.
	err = s.do(ctx, func(ctx context.Context, conn *conn) error { return conn.exec(ctx, "SELECT 1") })
	if err == nil {
		err = another.connect(ctx, s.pool.timeout/4)
	}
	return another, err
}
