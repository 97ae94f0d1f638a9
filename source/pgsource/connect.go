package pgsource

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
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
	"github.com/gorewind/gorewind/source/pgsource/internal/conninfo"
)

// connector connects to what a connection string says, as libpq does: it goes
// from host to host, from address to address, and in each place from one kind of
// encryption to the next. Of pgx it wants one attempt at a time.
//
// A password in a connection string on the command line can be seen in the list
// of processes, as with pg_rewind. In PGPASSWORD or a password file it cannot.
type connector struct {
	settings *conninfo.Settings
	dbname   string // what is named, for -R
	base     *pgx.ConnConfig
	dialer   *net.Dialer
	tls      *tlsSettings
	timeout  time.Duration // of each attempt; zero: none
	hosts    []host
	pinned   *bool                                 // once connected, whether with TLS
	around   func(pgconn.DialFunc) pgconn.DialFunc // for tests
	pulse    *pulse                                // of the next connection
	log      *slog.Logger
}

// host is one of the hosts to try.
type host struct {
	conninfo.Host
	password string
	fromFile bool // the password came from the password file
}

// newConnector understands a connection string and all that it leaves open. It
// reads files, but does not connect.
func newConnector(connString string, log *slog.Logger) (*connector, error) {
	c, err := parseConnString(connString, conninfo.System(), log)
	if err != nil {
		return nil, &source.ConnectError{Reason: source.ErrConnString, Message: "could not understand the connection string: " + oneLine(err.Error()), Err: err}
	}
	return c, nil
}

func parseConnString(connString string, env conninfo.Environment, log *slog.Logger) (*connector, error) {
	settings, err := conninfo.Parse(connString)
	if err != nil {
		return nil, err
	}
	return connectorOf(settings, env, log)
}

// connectorOf is a connector by settings that leave something open.
func connectorOf(settings *conninfo.Settings, env conninfo.Environment, log *slog.Logger) (*connector, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &connector{settings: settings, dbname: conninfo.DatabaseName(settings, env), pulse: new(pulse), log: log}
	if err := settings.Complete(env); err != nil {
		return nil, err
	}
	hosts, err := settings.Hosts()
	if err != nil {
		return nil, err
	}
	if err := settings.Check(); err != nil {
		return nil, err
	}
	if settings.Value("user") == "" {
		return nil, errors.New("the user of this process has no name: say who connects with user= or PGUSER")
	}
	if c.dialer, err = newDialer(settings); err != nil {
		return nil, err
	}
	// libpq never waits less than two seconds: there is less to a second than it seems.
	if seconds, _, _ := settings.Int("connect_timeout"); seconds > 0 {
		c.timeout = time.Duration(max(seconds, 2)) * time.Second
	}
	c.addHosts(hosts, log)
	if c.tls, err = newTLS(settings, env, c.hosts, log); err != nil {
		return nil, err
	}
	c.base, err = baseConfig(settings)
	return c, err
}

// addHosts finds the passwords, too: each host can have its own.
func (c *connector) addHosts(hosts []conninfo.Host, log *slog.Logger) {
	for i, h := range hosts {
		password, warning := c.settings.Value("password"), ""
		fromFile := password == ""
		if fromFile {
			password, warning = c.settings.Password(h)
		}
		if warning != "" && i == 0 {
			log.Warn(warning)
		}
		c.hosts = append(c.hosts, host{h, password, fromFile && password != ""})
	}
	if c.settings.Value("load_balance_hosts") == "random" {
		rand.Shuffle(len(c.hosts), func(i, j int) { c.hosts[i], c.hosts[j] = c.hosts[j], c.hosts[i] })
	}
}

// connInfo is what "pg_rewind -R" of a major writes as primary_conninfo.
func (c *connector) connInfo(major int) string {
	return c.settings.Render(major, c.dbname)
}

// place is an address that a host has.
type place struct {
	host
	addr string // of IP; empty for a Unix socket
}

// connect connects to the first server that will do, and says in words which it
// is. From then on it connects to that one only: what else the connection string
// names may be another server, or the same one of another time.
//
// It takes no longer than the limit. Of what is left of it, each address has an equal
// share: one at which nobody answers must not keep the next one from being tried.
func (c *connector) connect(ctx context.Context, limit time.Duration) (*conn, string, error) {
	var failures []failure
	passes := []string{c.settings.Value("target_session_attrs")}
	if c.pinned != nil {
		passes[0] = "any" // what it must be is known better now
	}
	if passes[0] == "prefer-standby" {
		passes = []string{"standby", "any"}
	}
	all := share{end: time.Now().Add(limit), among: len(passes) * len(c.hosts)}
	for _, attrs := range passes {
		failures = nil // those of a pass before only say which server is no standby
		for _, h := range c.hosts {
			ofHost := all.next()
			places, err := c.resolve(ctx, h, ofHost)
			if err != nil {
				failures = append(failures, failure{h, err})
			}
			own := share{end: time.Now().Add(ofHost), among: len(places)}
			for _, p := range places {
				conn, err := c.try(ctx, p, attrs, own.next())
				if err == nil {
					c.pin(p, conn)
					return conn, serverName(h), nil
				}
				failures = append(failures, failure{h, err})
				if ctx.Err() != nil || isFinal(err) {
					return nil, "", c.connectError(failures)
				}
				if more := all.among + own.among; more > 0 && isAny(err, isSilence) {
					c.log.Warn(fmt.Sprintf("%s: %v, trying the next of %d", serverName(h), err, more))
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

func isSilence(err error) bool { return err == errSilent || err == errTimeout } //nolint:errorlint // isAny unwraps

// pin leaves of the places only the one that the connection went to, encrypted
// or not as that is. Another one can be a server that looks the same and is not:
// of two standbys, each has its own pages.
func (c *connector) pin(p place, conn *conn) {
	_, isTLS := rawConn(conn)
	c.pinned = &isTLS
	if p.addr != "" {
		if p.Name == "" {
			p.Name = p.Addr
		}
		p.Addr = p.addr
	}
	c.hosts = []host{p.host}
}

// resolve finds the addresses of a host.
func (c *connector) resolve(ctx context.Context, h host, limit time.Duration) ([]place, error) {
	switch {
	case h.IsUnix():
		return []place{{host: h}}, nil
	case h.Addr != "":
		return []place{{h, h.Addr}}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, h.Name)
	places := make([]place, len(addrs))
	for i, addr := range addrs {
		places[i] = place{h, addr}
	}
	if c.settings.Value("load_balance_hosts") == "random" {
		rand.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
	}
	return places, err
}

// errTimeout is what connect_timeout ends an attempt with.
var errTimeout = errors.New("timeout expired")

// try connects to one address, with and without TLS as sslmode says. The limit is
// that of all of it, whatever comes: a server that authenticates for ever, or sends
// its certificate byte by byte, is no better than one that is silent.
func (c *connector) try(parent context.Context, p place, attrs string, limit time.Duration) (*conn, error) {
	late := fmt.Errorf("%w for %v", errSilent, limit.Round(time.Millisecond))
	if c.timeout > 0 && c.timeout < limit {
		limit, late = c.timeout, errTimeout
	}
	ctx, cancel := context.WithTimeout(parent, limit)
	defer cancel()
	var errs []error
	for _, encryption := range c.tls.attempts(p.Host) {
		if c.pinned != nil && *c.pinned != (encryption != nil) {
			continue
		}
		var through *gate
		connection, err := pgx.ConnectConfig(ctx, c.config(p, encryption, attrs, &through))
		if err == nil {
			return &conn{connection, through}, nil
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
	var unwanted *unwantedError
	switch {
	case errors.As(err, &pg):
		return pg.Code == "28000"
	case errors.As(err, &unwanted), errors.Is(err, errNoPassword):
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
	return errors.As(err, &pg) && pg.Code != "57P03" || errors.Is(err, errNoPassword)
}

// config is that of one attempt, and of one connection, whose gate it sets.
func (c *connector) config(p place, encryption *tls.Config, attrs string, through **gate) *pgx.ConnConfig {
	config := c.base.Copy()
	config.Host, config.Password, config.TLSConfig = p.Name, p.password, encryption
	if config.Host == "" {
		config.Host = p.Addr
	}
	port, _ := strconv.ParseUint(p.Port, 10, 16) // Hosts checked it
	config.Port = uint16(port)
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{p.addr}, nil }
	pulse := c.pulse
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx, p) }
	if c.around != nil {
		dial = c.around(dial)
	}
	var first *watchedConn // pgx dials again to cancel a query
	var noPassword atomic.Bool
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if noPassword.Load() {
			return nil, errNoPassword // there is nothing to cancel
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		watched := &watchedConn{Conn: conn, pulse: pulse}
		if first == nil {
			first = watched
		}
		return watched, nil
	}
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		*through = newGate(heard{r, first}, pulse)
		if config.Password == "" {
			(*through).noPassword = &noPassword
		}
		return pgproto3.NewFrontend(*through, w)
	}
	config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		return checkSessionAttrs(ctx, conn, *through, attrs)
	}
	return config
}
