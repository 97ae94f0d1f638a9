package pgsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/source"
)

// Before each attempt to connect again but the first, which comes at once.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 3 * time.Second
)

// pauseBefore is how long to wait before an attempt: exponential, with jitter.
func pauseBefore(attempt int) time.Duration {
	if attempt == 0 {
		return 0
	}
	pause := maxPause
	if attempt < 10 {
		pause = min(firstPause<<(attempt-1), maxPause)
	}
	return pause/2 + rand.N(pause/2)
}

// outage is a time without anything coming of an operation.
type outage struct {
	since    time.Time // the last sign of life before it; zero while there is no outage
	attempts int       // to go on
}

// finalError is one that no other connection helps against.
type finalError struct{ error }

// do runs an operation. When the connection is lost or silent, op runs again on
// a new one, until something comes of it or the timeout is over. It must go on
// from where it was, and call moved when something came of it.
func (s *session) do(ctx context.Context, op func(context.Context, *pgx.Conn) error) error {
	s.outage = outage{}
	for {
		err := s.attempt(ctx, op)
		var final *finalError
		switch {
		case err == nil:
			s.moved()
			return nil
		case errors.As(err, &final):
			return final.error
		case ctx.Err() != nil:
			return ctx.Err()
		case !isTemporary(err):
			return err
		}
		s.drop()
		if s.outage.since.IsZero() {
			s.outage.since = s.pulse.last()
			s.log.Warn(fmt.Sprintf("lost the connection to the source %s, trying again for %v: %s", s.name, s.timeout, oneLine(err.Error())))
		}
		left := s.left()
		if left <= 0 {
			return fmt.Errorf("%w for %v: %w; run gorewind again when it does", source.ErrUnavailable, s.timeout, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(left, pauseBefore(s.outage.attempts))):
		}
		s.outage.attempts++
	}
}

// left is what is left of the timeout.
func (s *session) left() time.Duration {
	if s.outage.since.IsZero() {
		return s.timeout
	}
	return s.timeout - time.Since(s.outage.since)
}

// moved says that something came of an operation.
func (s *session) moved() {
	if !s.outage.since.IsZero() {
		s.log.Info(fmt.Sprintf("the source %s is back after %v", s.name, time.Since(s.outage.since).Round(time.Millisecond)))
	}
	s.outage = outage{}
}

// attempt runs an operation once. Silence of half the timeout is taken for a
// connection that the network lost without a word: the other half is there to
// try another one.
func (s *session) attempt(ctx context.Context, op func(context.Context, *pgx.Conn) error) error {
	if s.conn != nil && s.conn.IsClosed() { // by an operation that was cancelled
		s.drop()
	}
	if s.conn == nil {
		if err := s.connect(ctx, max(min(s.timeout/4, s.left()), time.Millisecond)); err != nil {
			return err
		}
	}
	limit := s.timeout / 2
	watched, stop := s.pulse.watch(ctx, limit)
	defer stop()
	return silenced(watched, limit, op(watched, s.conn))
}

// silenced replaces the error that a watched context led to: that the context was
// cancelled is not for callers, who cancelled nothing.
func silenced(watched context.Context, limit time.Duration, err error) error {
	var final *finalError
	if err != nil && !errors.As(err, &final) && errors.Is(context.Cause(watched), errSilent) {
		return fmt.Errorf("%w for %v", errSilent, limit.Round(time.Millisecond))
	}
	return err
}

// temporaryCodes are the errors of a server that is there and cannot be used
// just now (errcodes.txt).
var temporaryCodes = []string{
	"08000", "08001", "08003", "08004", "08006", // a connection, as poolers say
	"40001", "40P01", // a standby's replay ended the query
	"53200", "53300", // out of memory, too many connections
	"57P01", "57P02", "57P03", // it shuts down, crashed, starts
	"57P05", // idle for too long
}

// isTemporary reports whether another connection, later, may help.
func isTemporary(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return slices.Contains(temporaryCodes, pg.Code)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary || dns.IsTimeout
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op != "remote error" && op.Op != "local error" // one side of TLS does not want the other
	}
	return slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, pgconn.ErrConnClosed, context.DeadlineExceeded, errSilent},
		func(lost error) bool { return errors.Is(err, lost) })
}

// unavailableError is one that may go away by itself.
type unavailableError struct{ error }

func (e *unavailableError) Unwrap() []error { return []error{e.error, source.ErrUnavailable} }
