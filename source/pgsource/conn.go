package pgsource

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/internal/sanitize"
)

// conn is a connection on which every query states how much may arrive in answer to
// it; its filter lets nothing else pass. All queries go through it, except for
// those that fetch pipelines.
type conn struct {
	pg     *pgx.Conn
	filter *filter
	socket *watchedConn // below TLS
}

// isClosed reports whether no more queries can be sent. Cancelling an operation closes the
// connection, and so does not waiting for the rest of an answer.
func (c *conn) isClosed() bool { return c.pg.IsClosed() || c.filter.err != nil }

// query asks for rows. A caller that does not read all of them must shut the filter, so
// that the others are not waited for.
func (c *conn) query(ctx context.Context, most answer, sql string, args ...any) (pgx.Rows, error) {
	c.filter.askOnly(most)
	return c.pg.Query(ctx, sql, args...)
}

// each asks for rows, scans each one into the given variables, and then calls take.
func (c *conn) each(ctx context.Context, most answer, into []any, take func() error, sql string, args ...any) error {
	rows, err := c.query(ctx, most, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		// Rows.Scan would wait for the remaining rows if it fails.
		err := pgx.ScanRow(c.pg.TypeMap(), rows.FieldDescriptions(), rows.RawValues(), into...)
		if err != nil {
			err = unwanted("a row that cannot be understood (%s)", sanitize.Text(err.Error(), maxErrorText))
		} else {
			err = take()
		}
		if err != nil {
			c.filter.stopWith(err)
			return err
		}
	}
	return rows.Err()
}

// row asks for one row.
func (c *conn) row(ctx context.Context, most answer, into []any, sql string, args ...any) error {
	c.filter.askOnly(most)
	return c.pg.QueryRow(ctx, sql, args...).Scan(into...)
}

// exec runs a statement in the simple protocol and ignores its rows.
func (c *conn) exec(ctx context.Context, sql string) error {
	c.filter.askOnly(oneRow)
	_, err := c.pg.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// batch is several queries that are sent together.
type batch struct {
	pgx.Batch
	due []answer
}

func (b *batch) ask(most answer, sql string, args ...any) {
	b.Queue(sql, args...)
	b.due = append(b.due, most)
}

func (c *conn) send(ctx context.Context, b *batch) pgx.BatchResults {
	c.filter.askOnly(b.due...)
	return c.pg.SendBatch(ctx, &b.Batch)
}
