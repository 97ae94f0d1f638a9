package libpq

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/internal/plain"
	"github.com/gorewind/gorewind/source"
)

// connectAdvice is what to do about an error of the server, by SQLSTATE.
var connectAdvice = map[string]string{
	"28P01": "check the user and the password, which can be in PGPASSWORD or in a password file",
	"28000": "check the user and what the server's pg_hba.conf allows, and the client's certificate if it asks for one",
	"3D000": "check the database name: any database of the server will do",
	"42501": "connect to a database that the role may connect to",
	"53300": "close connections or raise max_connections",
	"57P03": "wait until the server accepts connections",
}

// failure is why the connection to a host failed.
type failure struct {
	host     host
	err      error
	passfile bool // the password came from the password file
}

// connectError names the servers, each reason once, and what to do.
func (c *Connector) connectError(failures []failure) error {
	if c.settings.Suspect() {
		return &source.ConnectError{Reason: source.ErrConnString, Message: `could not connect to the source: its URI has an "@" where none should be, ` +
			`so it is not shown: special characters in a URI, such as those of a password, must be percent-encoded`}
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
		servers = append(servers, name+": "+plain.OneLine(strings.Join(reasons, "\n")))
	}
	text := "could not connect to the source " + strings.Join(servers, "; ")
	last := failures[len(failures)-1]
	return &source.ConnectError{Reason: reasonFor(last.decisive()), Message: text + ": " + c.advice(last), Err: &notConnected{errors.Join(errs...), areTemporary(failures)}}
}

// decisive is the error that counts if several kinds of encryption were tried: one that is
// not about encryption, after which no other kind is tried. That the server has no TLS
// counts only if there is nothing else.
func (f failure) decisive() error {
	joined, ok := f.err.(interface{ Unwrap() []error })
	if !ok {
		return f.err
	}
	errs := joined.Unwrap()
	if last := errs[len(errs)-1]; !isAboutEncryption(last) {
		return last
	}
	errs = slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return isAny(err, refusedTLS) })
	return cmp.Or(errors.Join(errs...), f.err)
}

// notConnected is the errors of all servers.
type notConnected struct {
	error
	temporary bool
}

func (e *notConnected) Unwrap() error { return e.error }

// areTemporary reports whether another attempt may help: with the server that refused,
// after which no other is tried, or else with any of them.
func areTemporary(failures []failure) bool {
	if last := failures[len(failures)-1].decisive(); isFinal(last) {
		return IsTemporary(last)
	}
	return slices.ContainsFunc(failures, func(f failure) bool { return IsTemporary(f.decisive()) })
}

// advice is what to do about the last failure.
func (c *Connector) advice(last failure) string {
	err := last.decisive()
	pg := sentBy(err)
	switch {
	case errors.Is(err, source.ErrUntrusted):
		return "check the host and the port"
	case isAny(err, isPassword):
		return "specify a password, for example in PGPASSWORD or in a password file"
	case isAny(err, isOtherKind):
		return "check target_session_attrs and which of the servers is the primary"
	case c.sslmode != "prefer" && isAny(err, refusedTLS):
		return "set ssl = on on the server, or connect with another sslmode"
	case isAny(err, ofTLS):
		return "check sslmode, sslrootcert and the certificates of both sides"
	case pg == nil && last.host.IsUnix():
		return "check the directory of the socket and the port and that the server runs"
	case pg == nil || connectAdvice[pg.Code] == "":
		return "check the host and the port and that the server runs"
	case pg.Code == wrongPassword && last.passfile:
		return fmt.Sprintf(`password retrieved from file "%s": check the user and the password`, c.settings.Value("passfile"))
	}
	return connectAdvice[pg.Code]
}

// reasonsOf removes pgx's description of the server from an error, since the
// messages here name the server as the user knows it.
func reasonsOf(h host, err error) []string {
	var connect *pgconn.ConnectError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			if isAny(e, refusedTLS) && len(joined.Unwrap()) > 1 {
				continue // the attempt without TLS failed as well, and its error counts
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
		err = inner // it had the form "address (host): reason"
	}
	text := err.Error()
	for _, prefix := range []string{"failed to write startup message: ", "write failed: ", "failed to receive message: ", "ValidateConnect failed: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return []string{text}
}

// placeOf is the address that was dialled, if the server's name does not contain it: the path
// of a socket, or the address of a host.
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

// refusedTLS reports whether the server does not support TLS. pgconn has no type for that.
func refusedTLS(err error) bool { return err.Error() == "server refused TLS connection" }
