package pgsource

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// quoteName quotes a name as SQL and pg_hba.conf require.
func quoteName(name string) string { return pgx.Identifier{name}.Sanitize() }

// trySlot checks whether a standby can use a slot, or whether it can be created. From 13
// on a slot shows that the server gave it up; before, servers never gave up slots.
func (s *Server) trySlot(ctx context.Context, name string, made bool) error {
	var exists, physical, active, lost bool
	var room int
	err := s.do(ctx, func(ctx context.Context, conn *conn) error {
		return conn.row(ctx, oneRow, []any{&exists, &physical, &active, &lost, &room}, `SELECT s.slot_name IS NOT NULL, COALESCE(s.slot_type = 'physical', false), COALESCE(s.active, false),
				COALESCE(pg_catalog.row_to_json(s)->>'wal_status' = 'lost', false),
				pg_catalog.current_setting('max_replication_slots')::int - (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots)::int
			FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name::text = $1`, name)
	})
	if err != nil {
		return s.failed("look at the replication slots of", err)
	}
	no := func(reason, hint string) error {
		return &source.ReplicationError{Reason: fmt.Sprintf("replication slot %q of the source %s", name, reason), Hint: hint}
	}
	switch {
	case made && exists:
		return no("already exists", "name another one, or, if it is this standby's, use it without creating it")
	case made && room <= 0:
		return no("cannot be created: all are in use", holdAdvice["53400"])
	case made:
		return nil
	case !exists:
		return no("does not exist", "create it")
	case !physical:
		return no("is a logical slot, which no standby can use", "name a physical slot")
	case active:
		return &source.ReplicationError{
			Reason: fmt.Sprintf("replication slot %q of the source is in use by another standby", name), Hint: "wait until that ends, or name another one", Temporary: true,
		}
	case lost:
		return no("was invalidated by the source because it kept too much WAL (max_slot_wal_keep_size)", "drop it and create it again")
	}
	return nil
}

// MakeSlot creates a slot on a connection of its own, and only once: a second attempt
// after one that may have succeeded would find the slot there.
func (s *Server) MakeSlot(ctx context.Context, name string) (from pgdata.LSN, err error) {
	asked := false
	err = s.once(ctx, func(ctx context.Context, conn *conn) error {
		asked = true
		var lsn string
		// Up to 9.6 the function's column has another name.
		err := conn.row(ctx, oneRow, []any{&lsn}, `SELECT made.lsn::text FROM pg_catalog.pg_create_physical_replication_slot($1, true) AS made (name, lsn)`, name)
		if err == nil {
			from, err = pgdata.ParseLSN(lsn)
		}
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && holdAdvice[pg.Code] != "" {
		err = fmt.Errorf("%w: %s", err, holdAdvice[pg.Code])
	}
	if err != nil && pg == nil && asked {
		err = fmt.Errorf("%w (it may exist nevertheless, and keep WAL until it is dropped)", err)
	}
	if pg != nil && pg.Code == "42710" {
		err = fmt.Errorf("%w: %w", source.ErrSlotExists, err)
	}
	if err != nil {
		return 0, fmt.Errorf("could not create replication slot %q on the source %s: %w", name, s.name, err)
	}
	return from, nil
}

// DropSlot removes a slot that is not in use.
func (s *Server) DropSlot(ctx context.Context, name string) error {
	err := s.once(ctx, func(ctx context.Context, conn *conn) error {
		return conn.row(ctx, oneRow, []any{new(bool)}, `SELECT pg_catalog.pg_drop_replication_slot($1) IS NOT NULL`, name)
	})
	if err != nil {
		return fmt.Errorf("could not drop replication slot %q of the source %s: %w", name, s.name, err)
	}
	return nil
}

// once runs f on a connection of its own, and does not repeat it if the connection is lost.
func (s *Server) once(ctx context.Context, f func(ctx context.Context, conn *conn) error) error {
	session, err := s.openAnother(ctx)
	defer func() { session.drop() }()
	if err != nil {
		return err
	}
	limit := s.pool.timeout / 2
	watched, stop := session.watchdog.watch(ctx, limit)
	defer stop()
	return silenced(watched, limit, f(watched, session.conn))
}
