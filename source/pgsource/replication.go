package pgsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/gorewind/gorewind/internal/libpq"
	"github.com/gorewind/gorewind/internal/libpq/conninfo"
	"github.com/gorewind/gorewind/internal/sanitize"
	"github.com/gorewind/gorewind/source"
)

var _ source.Primary = (*Server)(nil)

// Limits on a server's answers to a standby.
var (
	identifyAnswer = answer{rows: 1, width: 1 << 10}
	historyAnswer  = answer{rows: 1, width: maxSmallFile}
	// A server sends 128 kB at once (MAX_SEND_SIZE, replication/walsender.c), as many times
	// as fit on the way until it learns that it was enough.
	streamAnswer = answer{streamed: true, rows: 1 << 10, width: 256 << 10}
	// A server says twice that a stream has ended (StartReplication and
	// exec_replication_command, replication/walsender.c).
	streamIsOver = answer{}
)

// maxTrying is how long a server may be silent while a standby's connection is tried.
const maxTrying = 15 * time.Second

// TryReplication does what a standby's WAL receiver does (replication/walreceiver.c). It
// streams without the slot. With the slot it would be in use for a moment, and a standby
// that needs it just then would be rejected.
func (s *Server) TryReplication(ctx context.Context, want source.Standby) error {
	if want.Slot != "" {
		if err := s.trySlot(ctx, want.Slot, want.MakesSlot); err != nil {
			return err
		}
	}
	c, err := s.asStandby(cmp.Or(want.ConnInfo, s.ConnInfo()))
	if err != nil {
		return &source.ReplicationError{Reason: "its primary_conninfo cannot be understood: " + sanitize.OneLine(err.Error()), Err: err}
	}
	limit := min(s.pool.timeout/4, maxTrying)
	dog := new(watchdog)
	conn, name, err := connect(ctx, c, dog, limit)
	if err != nil {
		return s.refusesStandby(ctx, c.Value("user"), err)
	}
	watched, stop := dog.watch(ctx, limit)
	defer stop()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_ = conn.pg.Close(ctx)
	}()
	err = askAsStandby(watched, conn, want)
	if err != nil && conn.filter.err != nil {
		err = conn.filter.err // pgx may say only that it closed the connection
	}
	var not *source.ReplicationError
	switch {
	case err == nil || errors.As(err, &not):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &source.ReplicationError{Reason: fmt.Sprintf("the %s does not stream: %s", name, sanitize.OneLine(silenced(watched, limit, err).Error())), Temporary: isTemporary(err), Err: err}
}

// asStandby connects as a WAL receiver does (libpqrcv_connect, libpqwalreceiver.c): the
// database is called "replication" for password files, and the environment is the
// server's, not this process's. The server also does not have what a caller supplied for
// connecting: a dialer, a password, a TLS configuration.
func (s *Server) asStandby(connInfo string) (*libpq.Connector, error) {
	settings, err := conninfo.Parse(connInfo)
	if err != nil {
		return nil, err
	}
	env := conninfo.System(s.pool.getenv)
	env.Lookup = func(string) (string, bool) { return "", false }
	settings.Set("dbname", "replication")
	several := settings.Value("target_session_attrs")
	settings.Set("target_session_attrs", "any") // checking others requires SQL
	c, err := libpq.FromSettings(settings, env, libpq.Options{Logger: s.pool.log})
	if err != nil {
		return nil, err
	}
	c.SetParameter("replication", "true")
	if settings.Value("application_name") == "" && settings.Value("fallback_application_name") == "" {
		c.SetParameter("application_name", "walreceiver")
	}
	if several != "any" { // of several hosts, the standby picks the one that the source's connection used
		c.Prefer(s.pool.connector)
	}
	return c, nil
}

// askAsStandby runs the commands of a WAL receiver, and waits for the first WAL.
func askAsStandby(ctx context.Context, conn *conn, want source.Standby) error {
	pg := conn.pg.PgConn()
	conn.filter.askOnly(identifyAnswer)
	is, err := pglogrepl.IdentifySystem(ctx, pg)
	if err != nil {
		return err
	}
	switch system := strconv.FormatUint(want.SystemIdentifier, 10); {
	case is.SystemID != system:
		return &source.ReplicationError{
			Reason: fmt.Sprintf("the server that it would connect to has another system identifier, %.20q instead of %s", is.SystemID, system),
			Hint:   "correct its connection string",
		}
	case uint32(is.Timeline) != uint32(want.Primary):
		return &source.ReplicationError{
			Reason: fmt.Sprintf("the server that it would connect to is on timeline %d, not on timeline %d as the source", uint32(is.Timeline), want.Primary),
			Hint:   "correct its connection string",
		}
	}
	if want.Primary > 1 {
		conn.filter.askOnly(historyAnswer)
		if _, err := pglogrepl.TimelineHistory(ctx, pg, is.Timeline); err != nil {
			return err
		}
	}
	if uint64(want.Start) >= uint64(is.XLogPos) {
		return nil // the server has nothing to send yet
	}
	return streamABit(ctx, conn, want)
}

// keepaliveSize is the size of a keepalive message: its type, the end of WAL, the server's
// time, and whether it requests a reply (protocol, Streaming Replication Protocol).
const keepaliveSize = 1 + 8 + 8 + 1

// streamABit streams WAL until the first of it arrives. pglogrepl cannot request
// a stream without a slot.
func streamABit(ctx context.Context, conn *conn, want source.Standby) error {
	pg := conn.pg.PgConn()
	conn.filter.askOnly(streamAnswer, streamIsOver)
	front := pg.Frontend()
	front.Send(&pgproto3.Query{String: fmt.Sprintf("START_REPLICATION %s TIMELINE %d", pglogrepl.LSN(want.Start), want.Timeline)})
	if err := front.Flush(); err != nil {
		return err
	}
	for {
		message, err := pg.ReceiveMessage(ctx)
		if err != nil {
			return noStream(err)
		}
		switch m := message.(type) {
		case *pgproto3.ErrorResponse:
			return noStream(pgconn.ErrorResponseToPgError(m))
		case *pgproto3.ReadyForQuery:
			return nil // that timeline ends exactly there
		case *pgproto3.CopyData:
			switch {
			case len(m.Data) > 0 && m.Data[0] == pglogrepl.XLogDataByteID:
				endStream(ctx, pg)
				return nil
			case len(m.Data) > keepaliveSize:
				return fmt.Errorf("it streams a message of %d bytes that is no WAL: %w", len(m.Data), source.ErrUntrusted)
			}
		}
	}
}

// endStream lets the server end the stream; otherwise it would log an error. The
// outcome does not matter.
func endStream(ctx context.Context, pg *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	pg.Frontend().Send(&pgproto3.CopyDone{})
	if pg.Frontend().Flush() != nil {
		return
	}
	for {
		message, err := pg.ReceiveMessage(ctx)
		if _, ready := message.(*pgproto3.ReadyForQuery); ready || err != nil {
			return
		}
	}
}

// noStream recognizes the error that WAL was removed.
func noStream(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "58P01" {
		return err
	}
	return &source.ReplicationError{
		Reason:  "the source no longer has the WAL that the standby needs next: " + pg.Message,
		Hint:    "get it from an archive with restore_command, or rewind again",
		Removed: true, Err: err,
	}
}

// standbyAdvice is connectAdvice for the connection of a standby.
var standbyAdvice = map[string]string{
	"28000": "allow it in the source's pg_hba.conf with a line \"host replication %[1]s ADDRESS METHOD\", and reload the configuration",
	"28P01": "check the password: in primary_conninfo, or in the password file of the user that runs the server, with the database \"replication\"",
	"42501": "as a superuser, run ALTER ROLE %[1]s REPLICATION",
	"53300": "raise max_wal_senders, or end a connection that it counts",
	"57P03": "wait until the source accepts connections",
}

// refusesStandby says why a standby would be rejected.
func (s *Server) refusesStandby(ctx context.Context, user string, err error) error {
	var pg *pgconn.PgError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.As(err, &pg):
		return &source.ReplicationError{Reason: "it could not connect: " + sanitize.OneLine(err.Error()), Temporary: isTemporary(err), Err: err}
	}
	hint := standbyAdvice[pg.Code]
	if strings.Contains(hint, "%") {
		hint = fmt.Sprintf(hint, quoteName(user))
	}
	return &source.ReplicationError{
		Reason:    fmt.Sprintf("the %s refuses the connection: %s", s.name, pg.Message),
		Hint:      hint,
		Temporary: pg.Code == "53300" || pg.Code == "57P03",
		Err:       err,
	}
}
