package libpq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/gorewind/gorewind/source"
)

// Guard is what its owner has to do with all that goes through one connection. For
// each attempt to connect there is one.
type Guard interface {
	// Wrap is given the socket, below TLS if there is some.
	Wrap(conn net.Conn) net.Conn
	// Frontend reads what the server sends, decrypted. Where the server asks for a
	// password and noPassword is not nil, reading ends with that.
	Frontend(r io.Reader, w io.Writer, noPassword error) *pgproto3.Frontend
	// Expect says that some statements are about to be sent, each of which has an
	// answer of a few short rows.
	Expect(statements int)
}

// Connect connects to the first server that will do, and says in words which it
// is. From then on it connects to that one only: what else the connection string
// names may be another server, or the same one of another time.
//
// It takes no longer than the limit. Of what is left of it, each address has an equal
// share: one at which nobody answers must not keep the next one from being tried.
func (c *Connector) Connect(ctx context.Context, limit time.Duration, newGuard func() Guard) (*pgx.Conn, string, error) {
	var failures []failure
	all := share{end: time.Now().Add(limit), among: len(c.passes) * len(c.hosts)}
	for _, attrs := range c.passes {
		failures = nil // those of a pass before only say which server is no standby
		for _, h := range c.hosts {
			ofHost := all.next()
			places, err := c.resolve(ctx, h, ofHost)
			if err != nil {
				failures = append(failures, failure{host: h, err: err})
			}
			own := share{end: time.Now().Add(ofHost), among: len(places)}
			for _, p := range places {
				try := &attempt{Connector: c, place: p, attrs: attrs, newGuard: newGuard}
				conn, err := try.within(ctx, own.next())
				if err == nil {
					_, isTLS := conn.PgConn().Conn().(*tls.Conn)
					c.pin(p, isTLS)
					return conn, serverName(h), nil
				}
				failures = append(failures, failure{h, err, try.passfile})
				if ctx.Err() != nil || isFinal(err) {
					return nil, "", c.connectError(failures)
				}
				if more := all.among + own.among; more > 0 && isAny(err, isSilence) {
					c.log.Warn(fmt.Sprintf("%s: %v, trying the next of %d", serverName(h), err, more), "server", serverName(h), "left", more, "error", err)
				}
			}
		}
	}
	return nil, "", c.connectError(failures)
}

// share is time that several attempts have together.
type share struct {
	end   time.Time
	among int // attempts that are still to be made
}

// next is how much of it the next attempt has.
func (s *share) next() time.Duration {
	s.among--
	return time.Until(s.end) / time.Duration(s.among+1)
}

// ErrSilent says that a server gave no answer for as long as it was waited for.
var ErrSilent = errors.New("nothing came from the server")

// errTimeout is what connect_timeout ends an attempt with.
var errTimeout = errors.New("timeout expired")

func isSilence(err error) bool { return err == ErrSilent || err == errTimeout } //nolint:errorlint // isAny unwraps

// attempt is one to connect to one address.
type attempt struct {
	*Connector
	place
	attrs    string
	newGuard func() Guard
	passfile bool // the password came from the password file
}

// within connects with and without TLS as sslmode says. The limit is that of all of it,
// whatever comes: a server that authenticates for ever, or sends its certificate byte
// by byte, is no better than one that is silent.
func (a *attempt) within(parent context.Context, limit time.Duration) (*pgx.Conn, error) {
	late := fmt.Errorf("%w for %v", ErrSilent, limit.Round(time.Millisecond))
	if a.timeout > 0 && a.timeout < limit {
		limit, late = a.timeout, errTimeout
	}
	ctx, cancel := context.WithTimeout(parent, limit)
	defer cancel()
	var errs []error
	for _, encryption := range a.encryptions {
		if a.pinned != nil && *a.pinned != (encryption != nil) {
			continue
		}
		conn, err := a.authenticate(ctx, encryption)
		if err == nil {
			return conn, nil
		}
		if ctx.Err() != nil && parent.Err() == nil {
			err = late
		}
		errs = append(errs, err)
		if !isAboutEncryption(err) {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// handshakeFailures are how pgx starts what it says of a handshake that failed,
// which it makes with the first message.
var handshakeFailures = []string{"tls error: ", "failed to write startup message: ", "failed to receive message: "}

// isAboutEncryption tells whether another kind of encryption can help: the
// handshake failed, or pg_hba.conf does not allow this kind. After anything else,
// such as a server that does not prove that it knows the password, trying
// without TLS would only be dangerous.
func isAboutEncryption(err error) bool {
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		return pg.Code == "28000"
	case errors.Is(err, source.ErrUntrusted), isAny(err, isPassword):
		return false
	case isAny(err, refusedTLS):
		return true
	}
	reason := reasonsOf(host{}, err)[0]
	return slices.ContainsFunc(handshakeFailures, func(prefix string) bool { return strings.HasPrefix(reason, prefix) })
}

// isFinal tells of an error after which libpq tries no other host: the server
// refuses, and not because it is about to start or to stop.
func isFinal(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code != "57P03" || isAny(err, isPassword)
}

// once connects once, with a password that may be empty.
func (a *attempt) once(ctx context.Context, encryption *tls.Config, password string) (*pgx.Conn, error) {
	var connected atomic.Bool
	conn, err := pgx.ConnectConfig(ctx, a.config(encryption, password, &connected))
	connected.Store(true)
	return conn, err
}

// config is that of one connection.
func (a *attempt) config(encryption *tls.Config, password string, connected *atomic.Bool) *pgx.ConnConfig {
	guard := a.newGuard()
	config := a.base.Copy()
	config.Host, config.Password, config.TLSConfig = a.Name, password, encryption
	if config.Host == "" {
		config.Host = a.Addr
	}
	port, _ := strconv.ParseUint(a.Port, 10, 16) // Hosts checked it
	config.Port = uint16(port)
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{a.addr}, nil }
	dialled := false
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if dialled { // pgx dials again to cancel a query
			if !connected.Load() {
				return nil, errors.New("there is no query to cancel")
			}
			return a.dial(ctx, a.place)
		}
		dialled = true
		conn, err := a.dial(ctx, a.place)
		if err != nil {
			return nil, err
		}
		return guard.Wrap(conn), nil
	}
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		var noPassword error
		if password == "" {
			noPassword = errNoPassword
		}
		return guard.Frontend(r, w, noPassword)
	}
	validate, prepare := config.ValidateConnect, config.AfterConnect
	config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if err := checked(ctx, conn, guard, validate); err != nil {
			return err
		}
		return checkSessionAttrs(ctx, conn, guard, a.attrs)
	}
	config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error { return checked(ctx, conn, guard, prepare) }
	return config
}

// checked lets a caller's own function ask on a new connection.
func checked(ctx context.Context, conn *pgconn.PgConn, guard Guard, ask func(context.Context, *pgconn.PgConn) error) error {
	if ask == nil {
		return nil
	}
	guard.Expect(maxStatements)
	return ask(ctx, conn)
}

// maxStatements is how many a caller's own check of a connection may send.
const maxStatements = 16
