package pgsource

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/gorewind/gorewind/internal/libpq"
)

// guard is what is around a connection: its watchdog below, its gate above TLS.
type guard struct {
	watchdog *watchdog
	socket   *watchedConn
	gate     *gate
}

var _ libpq.Guard = (*guard)(nil)

// connect makes a connection that is guarded.
func connect(ctx context.Context, c *libpq.Connector, w *watchdog, limit time.Duration) (_ *conn, server string, _ error) {
	var last *guard
	pg, server, err := c.Connect(ctx, limit, func() libpq.Guard {
		last = &guard{watchdog: w}
		return last
	})
	if err != nil {
		return nil, "", err
	}
	return &conn{pg: pg, gate: last.gate, socket: last.socket}, server, nil
}

// Wrap watches a socket.
func (g *guard) Wrap(socket net.Conn) net.Conn {
	g.socket = &watchedConn{Conn: socket, watchdog: g.watchdog}
	return g.socket
}

// Frontend has what the server sends pass the gate.
func (g *guard) Frontend(r io.Reader, w io.Writer, noPassword error) *pgproto3.Frontend {
	g.gate = newGate(heard{r, g.socket}, g.watchdog)
	g.gate.noPassword = noPassword
	return pgproto3.NewFrontend(g.gate, w)
}

// fewRows is the answer to a question about a new connection.
var fewRows = answer{rows: 16, width: 4 << 10}

// Expect lets some answers pass.
func (g *guard) Expect(statements int) {
	g.gate.due = nil
	for range statements {
		g.gate.ask(fewRows)
	}
}
