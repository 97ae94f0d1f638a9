package endtoend

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/cluster"
)

// A Session is a connection to database postgres. It is opened when it is needed,
// and opened again after its server stopped.
type Session struct{ conn *pgconn.PgConn }

// Query runs SQL and returns the rows of its last statement.
func (s *Session) Query(ctx context.Context, c *pgtest.Cluster, sql string) ([][]string, error) {
	if s.conn != nil {
		rows, err := ask(ctx, s.conn, sql)
		var said *pgconn.PgError
		if err == nil || errors.As(err, &said) && !s.conn.IsClosed() {
			return rows, err
		}
		s.Close()
	}
	conn, err := pgconn.Connect(ctx, c.ConnString("postgres"))
	if err != nil {
		return nil, err
	}
	s.conn = conn
	return ask(ctx, conn, sql)
}

// Close ends the connection, until the next Query.
func (s *Session) Close() {
	if s.conn != nil {
		_ = s.conn.Close(context.Background())
		s.conn = nil
	}
}

// ask runs SQL and returns the rows of its last statement. It leaves no transaction
// open.
func ask(ctx context.Context, conn *pgconn.PgConn, sql string) ([][]string, error) {
	rows, err := cluster.QueryText(ctx, conn, sql)
	if !conn.IsClosed() && conn.TxStatus() != 'I' {
		_, rerr := conn.Exec(ctx, "ROLLBACK").ReadAll()
		err = errors.Join(err, rerr)
	}
	return rows, err
}
