package pgsource

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/source"
)

// serverName says in messages which server it is.
func serverName(h host) string {
	name := h.String()
	if h.Addr != "" && h.Name != "" && h.Name != h.Addr {
		name = fmt.Sprintf("%s (%s)", h.Name, name)
	}
	return "server on " + name
}

// connectAdvice says what to do about an error of the server's, by SQLSTATE.
var connectAdvice = map[string]string{
	"28P01": "check the user and the password, which can be in PGPASSWORD or in a password file",
	"28000": "check the user and what the server's pg_hba.conf allows, and the client's certificate if it asks for one",
	"3D000": "check the database name: any database of the server will do",
	"42501": "connect to a database that the role may connect to",
	"53300": "close connections or raise max_connections",
	"57P03": "wait until the server accepts connections",
}

// failure is why a host did not do.
type failure struct {
	host host
	err  error
}

// connectError names the servers, each reason once, and what to do.
func (c *connector) connectError(failures []failure) error {
	if c.settings.Suspect() {
		return &source.ConnectError{Reason: source.ErrConnString, Message: `could not connect to the source: its URI has an "@" where none should be, ` +
			`and so is not shown: special characters in a URI, such as those of a password, must be percent-encoded`}
	}
	var errs []error
	var servers, names []string
	for i, f := range failures {
		errs = append(errs, f.err)
		name := serverName(f.host)
		if slices.Contains(names, name) {
			continue
		}
		var reasons []string
		for _, other := range failures[i:] {
			if serverName(other.host) == name {
				reasons = append(reasons, reasonsOf(other.host, other.err)...)
			}
		}
		names = append(names, name)
		servers = append(servers, name+": "+oneLine(strings.Join(reasons, "\n")))
	}
	text := "could not connect to the source " + strings.Join(servers, "; ")
	return &source.ConnectError{Reason: reasonFor(failures[len(failures)-1].err), Message: text + ": " + c.advice(failures), Err: errors.Join(errs...)}
}

// advice is about the last failure.
func (c *connector) advice(failures []failure) string {
	last := failures[len(failures)-1]
	var pg *pgconn.PgError
	var attrs *sessionAttrsError
	var unwanted *unwantedError
	switch {
	case errors.As(last.err, &unwanted):
		return "check the host and the port"
	case errors.Is(last.err, errNoPassword):
		return "give a password, which can be in PGPASSWORD or in a password file"
	case errors.As(last.err, &attrs):
		return "check target_session_attrs and which of the servers is the primary"
	case c.tls.mode != "prefer" && isAny(last.err, refusedTLS):
		return "set ssl = on on the server, or connect with another sslmode"
	case isAny(last.err, ofTLS):
		return "check sslmode, sslrootcert and the certificates of both sides"
	case !errors.As(last.err, &pg) && last.host.IsUnix():
		return "check the directory of the socket and the port and that the server runs"
	case !errors.As(last.err, &pg) || connectAdvice[pg.Code] == "":
		return "check the host and the port and that the server runs"
	case pg.Code == "28P01" && last.host.fromFile:
		return fmt.Sprintf(`password retrieved from file "%s": check the user and the password`, c.settings.Value("passfile"))
	}
	return connectAdvice[pg.Code]
}

// reasonByCode is what an error of the server's means, by SQLSTATE.
var reasonByCode = map[string]error{
	"28P01": source.ErrWrongPassword,
	"28000": source.ErrNotAllowed,
	"42501": source.ErrNotAllowed, // no CONNECT on the database
	"55000": source.ErrNotAllowed, // a database that takes no connections
	"3D000": source.ErrNoDatabase,
	"53300": source.ErrTooManyConnections,
	"57P01": source.ErrNotReady,
	"57P02": source.ErrNotReady,
	"57P03": source.ErrNotReady,
}

// reasonFor says which of the reasons of a source.ConnectError a failure is.
func reasonFor(err error) error {
	var pg *pgconn.PgError
	var attrs *sessionAttrsError
	var unwanted *unwantedError
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &unwanted):
		return nil // it wraps source.ErrUntrusted
	case errors.Is(err, errNoPassword):
		return source.ErrNoPassword
	case errors.As(err, &attrs):
		return source.ErrWrongKind
	case errors.As(err, &pg) && pg.Code == "28000" && pg.File == "miscinit.c":
		return source.ErrNoRole // where the role of a session is looked up; everything else is in auth.c
	case errors.As(err, &pg):
		return reasonByCode[pg.Code]
	case isAny(err, refusedTLS):
		return source.ErrNoTLS
	case isAny(err, ofTLS):
		return source.ErrTLS
	case errors.As(err, &dns):
		return source.ErrUnknownHost
	case errors.As(err, &op), isAny(err, isSilence), isTemporary(err):
		return source.ErrUnreachable
	}
	return nil
}

// ofTLS reports whether either side did not accept what the other one showed: we the
// server's certificate, or the server, which then sends an alert, ours.
func ofTLS(err error) bool {
	switch e := err.(type) { //nolint:errorlint // isAny unwraps
	case *verifyError:
		return true
	case *net.OpError:
		return e.Op == "remote error" // crypto/tls has no type for an alert
	}
	return false
}

// isAny reports whether any of the errors that an error wraps is what is looked for.
func isAny(err error, is func(error) bool) bool {
	switch e := err.(type) { //nolint:errorlint // it unwraps
	case nil:
		return false
	case interface{ Unwrap() []error }:
		return is(err) || slices.ContainsFunc(e.Unwrap(), func(one error) bool { return isAny(one, is) })
	}
	return is(err) || isAny(errors.Unwrap(err), is)
}

// reasonsOf takes pgx's own words about the place off an error: here messages
// name it as the user knows it.
func reasonsOf(h host, err error) []string {
	var connect *pgconn.ConnectError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			if isAny(e, refusedTLS) && len(joined.Unwrap()) > 1 {
				continue // without TLS it was tried as well, and that is what failed
			}
			all = append(all, reasonsOf(h, e)...)
		}
		return all
	}
	if errors.As(err, &connect) {
		return reasonsOf(h, connect.Unwrap())
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return []string{placeOf(h, op) + strings.TrimPrefix(op.Err.Error(), "connect: ")}
	}
	if isAny(err, refusedTLS) {
		return []string{"server does not support SSL, but SSL was required"} // libpq's words
	}
	if inner := errors.Unwrap(err); inner != nil && strings.HasSuffix(err.Error(), "): "+inner.Error()) {
		err = inner // it was "address (host): reason"
	}
	text := err.Error()
	for _, prefix := range []string{"failed to write startup message: ", "write failed: ", "failed to receive message: ", "ValidateConnect failed: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return []string{text}
}

// placeOf is what was dialled, where the server's name does not tell: the file of a
// socket, or the address of a host.
func placeOf(h host, op *net.OpError) string {
	switch {
	case h.IsUnix():
		return fmt.Sprintf("socket %q: ", h.Socket())
	case op.Addr == nil || net.ParseIP(h.Name) != nil:
		return ""
	}
	addr, _, err := net.SplitHostPort(op.Addr.String())
	if err != nil || addr == h.Addr {
		return ""
	}
	return "address " + addr + ": "
}

// refusedTLS reports whether the server has no TLS. pgconn has no type for that.
func refusedTLS(err error) bool { return err.Error() == "server refused TLS connection" }

// oneLine joins the lines of a message and drops those that come again, as for
// an attempt with and one without TLS.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
