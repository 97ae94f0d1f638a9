package libpq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
	"github.com/gorewind/gorewind/source"
)

func TestReasons(t *testing.T) {
	refused := func(code, file string) error {
		return &pgconn.PgError{Code: code, File: file, Message: "in any language"}
	}
	for _, tt := range []struct {
		name      string
		err       error
		want      error
		temporary bool
	}{
		{"a wrong password", refused("28P01", "auth.c"), source.ErrWrongPassword, false},
		{"pg_hba.conf", refused("28000", "auth.c"), source.ErrNotAllowed, false},
		{"no such role", refused("28000", "miscinit.c"), source.ErrNoRole, false},
		{"a pooler that names no file", refused("28000", ""), source.ErrNotAllowed, false},
		{"no CONNECT", refused("42501", "postinit.c"), source.ErrNotAllowed, false},
		{"a database that takes no connections", refused("55000", "postinit.c"), source.ErrNotAllowed, false},
		{"no such database", refused("3D000", "postinit.c"), source.ErrNoDatabase, false},
		{"too many connections", refused("53300", "proc.c"), source.ErrTooManyConnections, true},
		{"it starts", refused("57P03", "backend_startup.c"), source.ErrNotReady, true},
		{"it stops", refused("57P01", "postgres.c"), source.ErrNotReady, true},
		{"it crashed", refused("57P02", "postgres.c"), source.ErrNotReady, true},
		{"something else", refused("XX000", "x.c"), nil, false},
		{"nobody listens", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, source.ErrUnreachable, true},
		{"no route", &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, source.ErrUnreachable, true},
		{"it ends the connection", io.ErrUnexpectedEOF, source.ErrUnreachable, true},
		{"it is silent", fmt.Errorf("%w for 1s", ErrSilent), source.ErrUnreachable, true},
		{"connect_timeout", errTimeout, source.ErrUnreachable, true},
		{"the time is over", context.DeadlineExceeded, source.ErrUnreachable, true},
		{"no such name", &net.DNSError{IsNotFound: true}, source.ErrUnknownHost, false},
		{"nobody who knows names", &net.DNSError{IsTemporary: true}, source.ErrUnknownHost, true},
		{"no TLS", errors.New("server refused TLS connection"), source.ErrNoTLS, false},
		{"an alert", &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, source.ErrTLS, false},
		{"a certificate", &verifyError{errors.New("x")}, source.ErrTLS, false},
		{"a certificate by the caller's rules", &tls.CertificateVerificationError{Err: errors.New("x")}, source.ErrTLS, false},
		{"a caller's dialer", &dialError{errors.New("x")}, source.ErrUnreachable, true},
		{"no password", errNoPassword, source.ErrNoPassword, false},
		{"a password that could not be had", &PasswordError{errors.New("x")}, source.ErrNoPassword, false},
		{"another kind of server", &sessionAttrsError{"x"}, source.ErrWrongKind, false},
		{"what no server sends", fmt.Errorf("x: %w", source.ErrUntrusted), nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wrapped := errors.Join(errors.New("before"), fmt.Errorf("while connecting: %w", tt.err))
			assert.Equal(t, tt.want, reasonFor(wrapped))
			assert.Equal(t, tt.temporary, IsTemporary(wrapped))
		})
	}
}

func TestTheFailureThatCounts(t *testing.T) {
	host := func(errs ...error) failure { return failure{err: errors.Join(errs...)} }
	code := func(code string) error { return &pgconn.PgError{Code: code} }
	noTLS := errors.New("server refused TLS connection")
	hungUp := fmt.Errorf("failed to receive message: %w", io.ErrUnexpectedEOF)
	unknown, refused := &net.DNSError{IsNotFound: true}, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, tt := range []struct {
		name      string
		failures  []failure
		want      error
		temporary bool
	}{
		{"a wrong password where TLS is not allowed", []failure{host(code("28000"), code("28P01"))}, source.ErrWrongPassword, false},
		{"too many connections where TLS is not allowed", []failure{host(code("28000"), code("53300"))}, source.ErrTooManyConnections, true},
		{"no TLS, and it hangs up", []failure{host(noTLS, hungUp)}, source.ErrUnreachable, true},
		{"no TLS, and it is not allowed without", []failure{host(code("28000"), noTLS)}, source.ErrNotAllowed, false},
		{"no TLS", []failure{host(noTLS)}, source.ErrNoTLS, false},
		{"one name is unknown, at the other nobody listens", []failure{{err: unknown}, host(refused)}, source.ErrUnreachable, true},
		{"at one nobody listens, the other name is unknown", []failure{host(refused), {err: unknown}}, source.ErrUnknownHost, true},
		{"all names are unknown", []failure{{err: unknown}, {err: unknown}}, source.ErrUnknownHost, false},
		{"at one nobody listens, the other is a standby", []failure{host(refused), host(&sessionAttrsError{"x"})}, source.ErrWrongKind, true},
		{"at one nobody listens, the other refuses", []failure{host(refused), host(code("28P01"))}, source.ErrWrongPassword, false},
		{"it starts where TLS is not allowed", []failure{host(code("28000"), code("57P03"))}, source.ErrNotReady, true},
		{"it starts, and nobody may connect", []failure{host(code("57P03"), code("28000"))}, source.ErrNotAllowed, false},
		{"a caller's check fails twice, once for good", []failure{host(errors.Join(code("57P03"), code("42501")))}, source.ErrNotAllowed, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &Connector{settings: conninfo.Of(nil)}
			err := c.connectError(tt.failures)
			var said *source.ConnectError
			assert.ErrorAs(t, err, &said)
			assert.Equal(t, tt.want, said.Reason)
			assert.Equal(t, tt.temporary, IsTemporary(fmt.Errorf("source: %w", err)))
		})
	}
}

// Joined errors are those of one server, with and without TLS, or those of a caller's
// check.
func TestAfterWhichFailureNoOtherServerIsTried(t *testing.T) {
	code := func(code string) error { return fmt.Errorf("connecting: %w", &pgconn.PgError{Code: code}) }
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, tt := range []struct {
		name  string
		err   error
		final bool
	}{
		{"it starts", code("57P03"), false},
		{"it refuses", code("28P01"), true},
		{"nobody listens", refused, false},
		{"no password", errNoPassword, true},
		{"it starts where TLS is not allowed", errors.Join(code("28000"), code("57P03")), false},
		{"it hung up with TLS, and starts without", errors.Join(io.ErrUnexpectedEOF, code("57P03")), false},
		{"nobody listens any more where TLS is not allowed", errors.Join(code("28000"), refused), false},
		{"neither with TLS nor without", errors.Join(code("28000"), code("28000")), true},
		{"a wrong password where TLS is not allowed", errors.Join(code("28000"), code("28P01")), true},
		{"a caller's check fails for a moment, and for good", errors.Join(errors.Join(code("57P03"), code("42501"))), true},
		{"a caller's check fails for good, and for a moment", errors.Join(errors.Join(code("42501"), code("57P03"))), true},
	} {
		assert.Equal(t, tt.final, isFinal(failure{err: tt.err}.decisive()), tt.name)
	}
}
