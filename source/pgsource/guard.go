package pgsource

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/gorewind/gorewind/internal/libpq"
)

// guard wraps a connection: with its watchdog below TLS, and its filter above.
type guard struct {
	watchdog *watchdog
	socket   *watchedConn
	filter   *filter
}

var _ libpq.Guard = (*guard)(nil)

// connect opens a guarded connection.
func connect(ctx context.Context, c *libpq.Connector, w *watchdog, limit time.Duration) (_ *conn, server string, _ error) {
	var last *guard
	pg, server, err := c.Connect(ctx, limit, func() libpq.Guard {
		last = &guard{watchdog: w}
		return last
	})
	if err != nil {
		return nil, "", err
	}
	return &conn{pg: pg, filter: last.filter, socket: last.socket}, server, nil
}

// Wrap puts a socket under the watchdog.
func (g *guard) Wrap(socket net.Conn) net.Conn {
	g.socket = &watchedConn{Conn: socket, watchdog: g.watchdog}
	return g.socket
}

// Frontend passes what the server sends through the filter.
func (g *guard) Frontend(r io.Reader, w io.Writer, noPassword error) *pgproto3.Frontend {
	g.filter = newFilter(received{r, g.socket}, g.watchdog)
	g.filter.noPassword = noPassword
	return pgproto3.NewFrontend(g.filter, w)
}

// fewRows limits the answer to a query about a new connection.
var fewRows = answer{rows: 16, width: 4 << 10}

// Expect lets the answers to some statements pass.
func (g *guard) Expect(statements int) {
	g.filter.due = nil
	for range statements {
		g.filter.ask(fewRows)
	}
}
