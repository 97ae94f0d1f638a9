package pgsource

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

var _ source.WALHolder = (*Server)(nil)

// HoldWAL creates a temporary replication slot on a connection of its own: when
// that ends, for whatever reason, the server drops the slot. It requires
// PostgreSQL 10, and a superuser or a role with the attribute REPLICATION; one of the
// server's max_replication_slots must be free. If the server limits what slots may keep
// (max_slot_wal_keep_size, 13), it terminates the connection when that limit is
// exceeded.
func (s *Server) HoldWAL(ctx context.Context) (from pgdata.LSN, release func() error, err error) {
	if !s.version.SQL.TemporarySlots {
		return 0, nil, s.notHeld(fmt.Errorf("PostgreSQL %s has no temporary replication slots", s.version))
	}
	session, err := s.openAnother(ctx)
	if err == nil {
		limit := s.pool.timeout / 2
		watched, stop := session.watchdog.watch(ctx, limit)
		from, err = makeSlot(watched, session.conn)
		err = silenced(watched, limit, err)
		stop()
	}
	if err != nil {
		session.drop()
		if ctx.Err() != nil {
			return 0, nil, ctx.Err()
		}
		return 0, nil, s.notHeld(err)
	}
	return from, sync.OnceValue(func() error {
		defer session.drop()
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if err := checkSlot(ctx, session.conn); err != nil {
			return s.notHeld(fmt.Errorf("its replication slot was lost: %w", err))
		}
		return nil
	}), nil
}

// slotSQL is the name of a session's slot. It is unique on the server.
const slotSQL = `'gorewind_' || pg_catalog.pg_backend_pid()`

func makeSlot(ctx context.Context, conn *conn) (pgdata.LSN, error) {
	var lsn string
	err := conn.row(ctx, oneRow, []any{&lsn}, `SELECT lsn::text FROM pg_catalog.pg_create_physical_replication_slot(`+slotSQL+`, true, true)`)
	if err != nil {
		return 0, err
	}
	return pgdata.ParseLSN(lsn)
}

// checkSlot checks whether the slot still keeps WAL. An invalidated slot
// has no position.
func checkSlot(ctx context.Context, conn *conn) error {
	var held bool
	err := conn.row(ctx, oneRow, []any{&held}, `SELECT restart_lsn IS NOT NULL FROM pg_catalog.pg_replication_slots WHERE slot_name = `+slotSQL)
	if err == nil && !held {
		err = errors.New("the server gave it up")
	}
	return err
}

// holdAdvice is what to do about an error of the server, by SQLSTATE.
var holdAdvice = map[string]string{
	"42501": "as a superuser, run ALTER ROLE ... REPLICATION",
	"53400": "raise max_replication_slots",
	"55000": "set wal_level to replica or logical, and max_replication_slots to more than 0",
}

// notHeld says why WAL is not held, and what would help.
func (s *Server) notHeld(reason error) error {
	var pg *pgconn.PgError
	if errors.As(reason, &pg) && holdAdvice[pg.Code] != "" {
		reason = fmt.Errorf("%w: %s", reason, holdAdvice[pg.Code])
	}
	return fmt.Errorf("%w: %s: %w", source.ErrWALNotHeld, s.name, reason)
}
