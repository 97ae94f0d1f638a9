package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/pgdata"
)

// queryTimeout limits every statement that the harness runs.
const queryTimeout = 2 * time.Minute

// ConnString is a connection string for the superuser, over the Unix socket.
func (c *Cluster) ConnString(dbname string) string { return c.ConnStringAs("postgres", dbname) }

// ConnStringAs is ConnString for another role.
func (c *Cluster) ConnStringAs(role, dbname string) string {
	return ConnString(c.home, c.port, role, dbname)
}

// TCPConnString is ConnStringAs over TCP, which needs Options.TCP.
func (c *Cluster) TCPConnString(role, dbname string) string {
	return ConnString("127.0.0.1", c.port, role, dbname)
}

// ConnString is a connection string of a role and a database, for a socket or an address.
func ConnString(host string, port int, role, dbname string) string {
	quote := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
	}
	return fmt.Sprintf("host=%s port=%d user=%s dbname=%s", quote(host), port, quote(role), quote(dbname))
}

// SocketDir is the directory of the server's Unix socket.
func (c *Cluster) SocketDir() string { return c.home }

// Port is the server's port, which is also part of the socket's name.
func (c *Cluster) Port() int { return c.port }

// Connect opens a connection as superuser, which is closed when the test ends.
func (c *Cluster) Connect(t T, dbname string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.ConnString(dbname))
	if err != nil {
		t.Fatalf("connect to %s: %v", c.Name, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	})
	return conn
}

// TryQuery runs one string of SQL, which may contain several statements, and
// returns the rows of the last one as text. Null is the empty string.
func (c *Cluster) TryQuery(ctx context.Context, dbname, sql string) ([][]string, error) {
	conn, err := pgconn.Connect(ctx, c.ConnString(dbname))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	return QueryText(ctx, conn, sql)
}

// QueryText runs SQL, which may contain several statements, and returns the rows of the last
// one as text.
func QueryText(ctx context.Context, conn *pgconn.PgConn, sql string) ([][]string, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	last := results[len(results)-1]
	rows := make([][]string, len(last.Rows))
	for i, row := range last.Rows {
		for _, value := range row {
			rows[i] = append(rows[i], string(value))
		}
	}
	return rows, nil
}

// polling prepares to run one query again and again, over one connection: most
// of the cost of an answer is the server's process. The test fails if it cannot connect.
// The caller must call end.
func (c *Cluster) polling(t T, sql string) (query func() [][]string, end func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	conn, err := pgconn.Connect(ctx, c.ConnString("postgres"))
	if err != nil {
		cancel()
		t.Fatalf("connect to %s: %v", c.Name, err)
	}
	query = func() [][]string {
		t.Helper()
		rows, err := QueryText(ctx, conn, sql)
		if err != nil {
			t.Fatalf("%s: %s: %v", c.Name, sql, err)
		}
		return rows
	}
	return query, func() {
		_ = conn.Close(ctx)
		cancel()
	}
}

// Exec runs statements one after the other on one connection to database
// postgres. Each is its own transaction.
func (c *Cluster) Exec(t T, sql ...string) {
	t.Helper()
	c.ExecIn(t, "postgres", sql...)
}

// ExecIn is Exec in another database.
func (c *Cluster) ExecIn(t T, dbname string, sql ...string) {
	t.Helper()
	ctx, conn, end := c.connected(t, dbname)
	defer end()
	for _, s := range sql {
		if _, err := QueryText(ctx, conn, s); err != nil {
			t.Fatalf("%s: %s: %v", c.Name, s, err)
		}
	}
}

// QueryRows returns the rows of a query in database postgres as text. Null is
// the empty string.
func (c *Cluster) QueryRows(t T, sql string) [][]string {
	t.Helper()
	return c.QueryRowsIn(t, "postgres", sql)
}

// QueryRowsIn is QueryRows in another database.
func (c *Cluster) QueryRowsIn(t T, dbname, sql string) [][]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	rows, err := c.TryQuery(ctx, dbname, sql)
	if err != nil {
		t.Fatalf("%s: %s: %v", c.Name, sql, err)
	}
	return rows
}

// QueryString returns the single value of a query in database postgres.
func (c *Cluster) QueryString(t T, sql string) string {
	t.Helper()
	return c.QueryStringIn(t, "postgres", sql)
}

// QueryStringIn is QueryString in another database.
func (c *Cluster) QueryStringIn(t T, dbname, sql string) string {
	t.Helper()
	rows := c.QueryRowsIn(t, dbname, sql)
	if len(rows) != 1 || len(rows[0]) != 1 {
		t.Fatalf("%s: %s: want one value, got %q", c.Name, sql, rows)
	}
	return rows[0][0]
}

// Checkpoint writes a checkpoint, or a restartpoint on a standby.
func (c *Cluster) Checkpoint(t T) {
	t.Helper()
	c.Exec(t, "CHECKPOINT")
}

// SwitchWAL makes a primary begin a new WAL segment, and returns the name of the
// one that ended. The server does nothing if the current one is empty.
func (c *Cluster) SwitchWAL(t T) (ended string) {
	t.Helper()
	return c.QueryString(t, fmt.Sprintf("SELECT %s(%s())", c.In.Version.SQL.WALFileName, c.In.dialect().switchWAL))
}

// InRecovery reports whether the server is a standby.
func (c *Cluster) InRecovery(t T) bool {
	t.Helper()
	return c.QueryString(t, "SELECT pg_is_in_recovery()") == "t"
}

// FlushLSN is the end of the WAL that a primary has flushed.
func (c *Cluster) FlushLSN(t T) pgdata.LSN {
	t.Helper()
	return c.queryLSN(t, c.In.Version.SQL.FlushLSN+"()")
}

// InsertLSN is where a primary writes its next WAL record.
func (c *Cluster) InsertLSN(t T) pgdata.LSN {
	t.Helper()
	return c.queryLSN(t, c.In.dialect().insertLSN+"()")
}

// ReplayLSN is the end of the WAL that a standby has replayed, zero if it has
// replayed none.
func (c *Cluster) ReplayLSN(t T) pgdata.LSN {
	t.Helper()
	return c.queryLSN(t, c.In.dialect().replayLSN+"()")
}

// endLSN is the end of the WAL that a server has: flushed as a primary, replayed as a
// standby. It takes a single query, since a connection is expensive.
func (c *Cluster) endLSN(t T) pgdata.LSN {
	t.Helper()
	return c.queryLSN(t, fmt.Sprintf("CASE WHEN pg_is_in_recovery() THEN %s() ELSE %s() END", c.In.dialect().replayLSN, c.In.Version.SQL.FlushLSN))
}

func (c *Cluster) queryLSN(t T, expression string) pgdata.LSN {
	t.Helper()
	text := c.QueryString(t, "SELECT "+expression)
	if text == "" {
		return 0
	}
	lsn, err := pgdata.ParseLSN(text)
	if err != nil {
		t.Fatalf("%s: %s: %v", c.Name, expression, err)
	}
	return lsn
}

// connected opens a connection, which the caller must end, and a context for its queries.
func (c *Cluster) connected(t T, dbname string) (ctx context.Context, conn *pgconn.PgConn, end func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	conn, err := pgconn.Connect(ctx, c.ConnString(dbname))
	if err != nil {
		cancel()
		t.Fatalf("connect to %s: %v", c.Name, err)
	}
	return ctx, conn, func() { _ = conn.Close(ctx); cancel() }
}

// CopyOut returns the lines that a COPY ... TO STDOUT in a database prints.
func (c *Cluster) CopyOut(t T, dbname, sql string) []string {
	t.Helper()
	ctx, conn, end := c.connected(t, dbname)
	defer end()
	var out strings.Builder
	if _, err := conn.CopyTo(ctx, &out, sql); err != nil {
		t.Fatalf("%s: %s: %v", c.Name, sql, err)
	}
	if out.Len() == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}
