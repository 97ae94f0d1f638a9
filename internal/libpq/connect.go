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

// Guard controls everything that goes through one connection. There is one for each
// attempt to connect.
type Guard interface {
	// Wrap wraps the socket, below TLS if it is used.
	Wrap(conn net.Conn) net.Conn
	// Frontend reads what the server sends, decrypted. If the server asks for a
	// password and noPassword is not nil, reading fails with that error.
	Frontend(r io.Reader, w io.Writer, noPassword error) *pgproto3.Frontend
	// Expect announces some statements, each of which has an
	// answer of a few short rows.
	Expect(statements int)
}

// Connect connects to the first suitable server, and returns a description of
// it. From then on it connects to that server only: whatever else the connection string
// names may be another server, or the same one at another time.
//
// It takes no longer than the limit. The remaining time is divided equally among the
// remaining addresses: one that does not answer must not prevent the next one from being tried.
func (c *Connector) Connect(ctx context.Context, limit time.Duration, newGuard func() Guard) (*pgx.Conn, string, error) {
	var failures []failure
	all := share{end: time.Now().Add(limit), among: len(c.passes) * len(c.hosts)}
	for pass, attrs := range c.passes {
		if pass > 0 && !slices.ContainsFunc(failures, func(f failure) bool { return isAny(f.err, isOtherKind) }) {
			break
		}
		failures = nil // those of an earlier pass only say which server is not a standby
		for _, h := range c.hosts {
			c.asks = c.asks && c.pinned != nil // another host may want none
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
				if ctx.Err() != nil || isFinal(failures[len(failures)-1].decisive()) {
					return nil, "", c.connectError(failures)
				}
				if more := all.among + own.among; more > 0 && isAny(err, isSilence) && !c.settings.Suspect() {
					c.log.Warn(fmt.Sprintf("%s: %v, trying the next of %d", serverName(h), err, more), "server", serverName(h), "left", more, "error", err)
				}
			}
		}
	}
	return nil, "", c.connectError(failures)
}

// share is time that several attempts share.
type share struct {
	end   time.Time
	among int // remaining attempts
}

// next is the time for the next attempt.
func (s *share) next() time.Duration {
	s.among--
	return time.Until(s.end) / time.Duration(s.among+1)
}

// ErrSilent says that a server did not answer within the time limit.
var ErrSilent = errors.New("nothing came from the server")

// errTimeout is the error when connect_timeout ends an attempt.
var errTimeout = errors.New("timeout expired")

func isSilence(err error) bool { return err == ErrSilent || err == errTimeout } //nolint:errorlint // isAny unwraps

// attempt is one attempt to connect to one address.
type attempt struct {
	*Connector
	place
	attrs    string
	newGuard func() Guard
	passfile bool // the password came from the password file
}

// within connects with and without TLS as sslmode says. The limit applies to all of it,
// even if data keeps arriving: a server that authenticates for ever, or sends its
// certificate byte by byte, is no better than a silent one.
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

// handshakeFailures are the prefixes of pgx's errors for a failed handshake,
// which it performs with the first message.
var handshakeFailures = []string{"tls error: ", "failed to write startup message: ", "failed to receive message: "}

// isAboutEncryption reports whether another kind of encryption can help: the
// handshake failed, or pg_hba.conf does not allow this kind. After any other error,
// for example if the server does not prove that it knows the password, trying
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

// isFinal reports whether libpq tries no other host after this error: the server
// refused, and not because it is starting or stopping. If several kinds of encryption
// were tried, what counts is the decisive error.
func isFinal(err error) bool {
	pg := sentBy(err)
	return pg != nil && pg.Code != "57P03" || isAny(err, isPassword)
}

// once makes one attempt, with a password that may be empty.
func (a *attempt) once(ctx context.Context, encryption *tls.Config, password string) (*pgx.Conn, error) {
	var connected atomic.Bool
	conn, err := pgx.ConnectConfig(ctx, a.config(encryption, password, &connected))
	connected.Store(true)
	return conn, err
}

// config is the configuration of one connection.
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
		err := checked(ctx, conn, guard, validate)
		// pgx would connect again to a server that is only not preferred, before it has seen the others.
		if not := (*pgconn.NotPreferredError)(nil); errors.As(err, &not) {
			if err = nil; a.attrs == preferred {
				err = &sessionAttrsError{not.Error()}
			}
		}
		if err != nil {
			return err
		}
		return checkSessionAttrs(ctx, conn, guard, a.attrs)
	}
	config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error { return checked(ctx, conn, guard, prepare) }
	return config
}

// checked lets a caller's function query a new connection.
func checked(ctx context.Context, conn *pgconn.PgConn, guard Guard, ask func(context.Context, *pgconn.PgConn) error) error {
	if ask == nil {
		return nil
	}
	guard.Expect(maxStatements)
	return ask(ctx, conn)
}

// maxStatements is the most statements that a caller's check of a connection may send.
const maxStatements = 16
