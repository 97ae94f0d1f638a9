package pgsource

import (
	"context"
	"errors"

	"github.com/gorewind/gorewind/internal/libpq"
)

// connector is one to the server that the pool is connected to, and to no other.
func (s *Server) connector() *libpq.Connector {
	return s.pool.connector.Copy()
}

// openAnother opens a session beside those of the pool, which fails if the server
// is not the same one any more.
func (s *Server) openAnother(ctx context.Context) (*session, error) {
	another := &session{pool: s.pool, connector: s.connector()}
	err := another.connect(ctx, s.pool.timeout/4)
	if !errors.Is(err, errUnproven) {
		return another, err
	}
	// Those that should vouch for it may have been lost while nobody used them.
	err = s.do(ctx, func(ctx context.Context, conn *conn) error { return conn.exec(ctx, "SELECT 1") })
	if err == nil {
		err = another.connect(ctx, s.pool.timeout/4)
	}
	return another, err
}
