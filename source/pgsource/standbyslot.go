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

// quoteName writes a name as SQL and pg_hba.conf take it.
func quoteName(name string) string { return pgx.Identifier{name}.Sanitize() }

// trySlot looks whether a standby can use a slot, or whether it can be made. Slots that
// were given up say so from 13 on; the ones before never are.
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
		return no("is there already", "name another one, or use it without making it if it is that of this standby")
	case made && room <= 0:
		return no("cannot be made: all are in use", holdAdvice["53400"])
	case made:
		return nil
	case !exists:
		return no("does not exist", "make it")
	case !physical:
		return no("is a logical one, which no standby can use", "name a physical one")
	case active:
		return &source.ReplicationError{
			Reason: fmt.Sprintf("replication slot %q of the source is in use by another standby", name), Hint: "wait until that ends, or name another one", Temporary: true,
		}
	case lost:
		return no("was given up by the source, since it kept too much WAL (max_slot_wal_keep_size)", "drop it and make it anew")
	}
	return nil
}

// MakeSlot makes a slot on a connection of its own, once: to try again what may have
// succeeded would find it there.
func (s *Server) MakeSlot(ctx context.Context, name string) (from pgdata.LSN, err error) {
	asked := false
	err = s.once(ctx, func(ctx context.Context, conn *conn) error {
		asked = true
		var lsn string
		// Up to 9.6 the function calls that column otherwise.
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
		err = fmt.Errorf("%w (it may be there nevertheless, and keep WAL until it is dropped)", err)
	}
	if pg != nil && pg.Code == "42710" {
		err = fmt.Errorf("%w: %w", source.ErrSlotExists, err)
	}
	if err != nil {
		return 0, fmt.Errorf("could not make replication slot %q on the source %s: %w", name, s.name, err)
	}
	return from, nil
}

// DropSlot removes a slot that nobody uses.
func (s *Server) DropSlot(ctx context.Context, name string) error {
	err := s.once(ctx, func(ctx context.Context, conn *conn) error {
		return conn.row(ctx, oneRow, []any{new(bool)}, `SELECT pg_catalog.pg_drop_replication_slot($1) IS NOT NULL`, name)
	})
	if err != nil {
		return fmt.Errorf("could not drop replication slot %q of the source %s: %w", name, s.name, err)
	}
	return nil
}

// once does something on a connection of its own, and not again if that is lost.
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
