package pgsource

import "context"

// connector is one to the server that the pool is connected to, and to no other.
func (s *Server) connector() *connector {
	c := *s.pool.connector
	c.base = c.base.Copy()
	return &c
}

// openAnother opens a session beside those of the pool, which fails if the server
// is not the same one any more.
func (s *Server) openAnother(ctx context.Context) (*session, error) {
	another := &session{pool: s.pool, connector: s.connector()}
	return another, another.connect(ctx, s.pool.timeout/4)
}
