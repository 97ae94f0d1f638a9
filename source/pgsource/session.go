package pgsource

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// session is a connection that is made again when it is lost, to the same
// server.
type session struct {
	config  *pgx.ConnConfig
	name    string // of the server, for messages
	log     *slog.Logger
	timeout time.Duration // without progress, after which an operation is given up

	conn     *pgx.Conn // nil while there is none
	identity identity  // of the server, as first connected to
	address  string    // of that server
	dialled  string    // the last one
	received atomic.Int64
	progress atomic.Int64 // when something last came of an operation, in Unix nanoseconds
}

// identity is what must not change between two connections.
type identity struct {
	system     string
	version    *pgdata.Version
	inRecovery bool
	timeline   string // where a primary writes; empty on a standby
}

func newSession(config *pgx.ConnConfig, name string, opts Options) *session {
	s := &session{config: config, name: name, log: opts.Logger, timeout: opts.Timeout}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.timeout <= 0 {
		s.timeout = DefaultTimeout
	}
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		// Of several hosts, only the one that was chosen first is still the
		// source: another one can be a server that looks the same and is not.
		if s.address != "" && address != s.address {
			return nil, fmt.Errorf("%s is not the server that the rewind began with", address)
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		s.dialled = address
		return &countingConn{conn, &s.received}, nil
	}
	return s
}

// countingConn counts what comes.
type countingConn struct {
	net.Conn
	received *atomic.Int64
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(int64(n))
	return n, err
}

// connect makes a connection, to the same server as before, and makes it safe.
func (s *session) connect(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			s.drop()
		}
	}()
	conn, err := pgx.ConnectConfig(ctx, s.config.Copy())
	if err != nil {
		return connectError(s.name, err)
	}
	s.conn = conn
	if _, err := conn.Exec(ctx, sessionSQL); err != nil {
		return s.failed("prepare a session on", err)
	}
	now, err := s.identify(ctx)
	if err != nil {
		return s.failed("identify", err)
	}
	if s.address == "" {
		s.address, s.identity = s.dialled, now
		return nil
	}
	return s.identity.check(now, s.name)
}

func (s *session) identify(ctx context.Context) (identity, error) {
	var id identity
	var num int
	err := s.conn.QueryRow(ctx, `SELECT pg_catalog.current_setting('server_version_num')::int, system_identifier::text,
		pg_catalog.pg_is_in_recovery() FROM pg_catalog.pg_control_system()`).Scan(&num, &id.system, &id.inRecovery)
	if err != nil {
		return id, err
	}
	if id.version, err = pgdata.VersionByServerNum(num); err != nil || id.inRecovery {
		return id, err
	}
	names := id.version.SQL
	err = s.conn.QueryRow(ctx, fmt.Sprintf("SELECT pg_catalog.substr(pg_catalog.%s(pg_catalog.%s()), 1, 8)", names.WALFileName, names.FlushLSN)).Scan(&id.timeline)
	return id, err
}

// check compares the server with what it was.
func (id identity) check(now identity, name string) error {
	var what string
	switch {
	case now.system != id.system:
		what = fmt.Sprintf("its system identifier is %s and was %s", now.system, id.system)
	case now.version != id.version:
		what = fmt.Sprintf("it is of PostgreSQL %s and was of %s", now.version, id.version)
	case now.inRecovery != id.inRecovery && now.inRecovery:
		what = "it was a primary and is a standby"
	case now.inRecovery != id.inRecovery:
		what = "it was a standby and is promoted"
	case now.timeline != id.timeline:
		what = fmt.Sprintf("it is on timeline %s and was on %s", now.timeline, id.timeline)
	default:
		return nil
	}
	return fmt.Errorf("%w: %s came back as another one, %s: run gorewind again", source.ErrChanged, name, what)
}

// Between two attempts to connect.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// finalError is one that no other connection helps against.
type finalError struct{ error }

// do runs an operation. If the connection is lost it runs again on a new one, as
// long as something comes of it at least once in s.timeout; op must go on from
// where it was, and call moved when something came of it.
func (s *session) do(ctx context.Context, op func(context.Context, *pgx.Conn) error) error {
	s.moved()
	pause, lost := firstPause, false
	for {
		err := s.attempt(ctx, op)
		var final *finalError
		switch {
		case err == nil:
			if lost {
				s.log.Info(fmt.Sprintf("connected to the source %s again", s.name))
			}
			return nil
		case errors.As(err, &final):
			return final.error
		case ctx.Err() != nil:
			return ctx.Err()
		case !isTemporary(err, s.conn):
			return err
		}
		s.drop()
		left := s.timeout - time.Since(time.Unix(0, s.progress.Load()))
		if left <= 0 {
			return fmt.Errorf("%w for %v: %w", source.ErrUnavailable, s.timeout, err)
		}
		if !lost {
			s.log.Warn(fmt.Sprintf("lost the source %s, trying again: %v", s.name, err))
			lost = true
		}
		wait := time.NewTimer(min(left, pause/2+rand.N(pause)))
		select {
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-wait.C:
		}
		pause = min(2*pause, maxPause)
	}
}

// attempt runs an operation once.
func (s *session) attempt(ctx context.Context, op func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := s.watch(ctx, cancel)
	defer watched()
	err := error(nil)
	if s.conn == nil {
		err = s.connect(ctx)
	}
	if err == nil {
		err = op(ctx, s.conn)
	}
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errStalled) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// errStalled says that the connection is there, and nothing comes.
var errStalled = errors.New("the source does not answer")

// watch cancels an attempt if nothing at all came for half of the timeout, so
// that there is time for another one. What is slow but moves goes on.
func (s *session) watch(ctx context.Context, cancel context.CancelCauseFunc) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(max(s.timeout/20, time.Millisecond))
		defer tick.Stop()
		seen, since := s.received.Load(), time.Now()
		for {
			select {
			case <-ctx.Done():
				return
			case <-done:
				return
			case <-tick.C:
			}
			if now := s.received.Load(); now != seen {
				seen, since = now, time.Now()
			} else if time.Since(since) > s.timeout/2 {
				cancel(errStalled)
				return
			}
		}
	}()
	return func() { close(done) }
}

// moved says that something came of an operation.
func (s *session) moved() { s.progress.Store(time.Now().UnixNano()) }

// drop closes what is left of a connection.
func (s *session) drop() {
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = s.conn.Close(ctx)
	s.conn = nil
}

// temporaryCodes are the errors of a server that is there and cannot be used
// just now (errcodes.txt).
var temporaryCodes = []string{
	"08000", "08003", "08006", // connection lost
	"40001",          // a standby's replay ended the query
	"53300",          // too many connections
	"57P01", "57P02", // the server is shut down, or crashed
	"57P03", // it starts
	"57P05", // idle for too long
}

// isTemporary reports whether another connection may help.
func isTemporary(err error, conn *pgx.Conn) bool {
	var pg *pgconn.PgError
	var unknownCA x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	var invalid x509.CertificateInvalidError
	var notTLS tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	switch {
	case errors.Is(err, source.ErrChanged):
		return false
	case errors.Is(err, errStalled):
		return true
	case errors.As(err, &pg):
		return slices.Contains(temporaryCodes, pg.Code)
	case errors.As(err, &unknownCA), errors.As(err, &wrongName), errors.As(err, &invalid), errors.As(err, &notTLS), errors.As(err, &verify):
		return false
	}
	return conn == nil || conn.IsClosed() // the network's, not the server's
}

func (s *session) failed(what string, err error) error {
	return fmt.Errorf("could not %s the source %s: %w", what, s.name, err)
}
