package libpq

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
	"github.com/gorewind/gorewind/internal/plain"
	"github.com/gorewind/gorewind/source"
)

// DialFunc connects a socket, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Options are what a caller has that no connection string can say.
type Options struct {
	// Logger is for what happens while connecting; nil discards.
	Logger *slog.Logger
	// Getenv looks environment variables up, where one that is empty counts as not
	// set; nil is the environment of this process.
	Getenv func(name string) string
	// Password is asked where a server wants one and none is given otherwise.
	Password func(ctx context.Context) (string, error)
	// TLS is for every connection over TCP, in place of what the ssl* keywords say.
	TLS *tls.Config
	// Dial connects in place of a net.Dialer. It is given names as they are.
	Dial DialFunc
}

// Connector connects to what a connection string says.
//
// A password in a connection string on the command line can be seen in the list
// of processes, as with pg_rewind. In PGPASSWORD or a password file it cannot.
type Connector struct {
	settings *conninfo.Settings
	dbname   string // what is named, for -R
	base     *pgx.ConnConfig
	sslmode  string        // what may be without TLS
	timeout  time.Duration // of each attempt; zero: none
	hosts    []host
	passes   []string // target_session_attrs, one after the other
	shuffle  bool     // load_balance_hosts
	lookup   func(ctx context.Context, name string) ([]string, error)
	dial     func(ctx context.Context, p place) (net.Conn, error)
	pinned   *bool // once connected, whether with TLS
	askFor   func(ctx context.Context) (string, error)
	asks     bool // the server wants a password, which is asked for before it is
	log      *slog.Logger
}

// New understands a connection string and all that it leaves open. It reads files,
// but does not connect.
func New(connString string, opts Options) (*Connector, error) {
	settings, err := conninfo.Parse(connString)
	if err == nil {
		var c *Connector
		if c, err = FromSettings(settings, conninfo.System(opts.Getenv), opts); err == nil {
			return c, nil
		}
	}
	return nil, &source.ConnectError{Reason: source.ErrConnString, Message: "could not understand the connection string: " + plain.OneLine(err.Error()), Err: err}
}

// FromSettings is a connector by settings that leave something open.
func FromSettings(settings *conninfo.Settings, env conninfo.Environment, opts Options) (*Connector, error) {
	c := newConnector(settings, opts)
	c.dbname = conninfo.DatabaseName(settings, env)
	if opts.TLS != nil {
		if err := settings.OnlyWithoutTLS(); err != nil {
			return nil, err
		}
	}
	if err := settings.Complete(env); err != nil {
		return nil, err
	}
	if opts.TLS != nil {
		settings.SetTLS(!opts.TLS.InsecureSkipVerify)
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
	if err := c.setDialer(opts.Dial); err != nil {
		return nil, err
	}
	// libpq never waits less than two seconds: there is less to a second than it seems.
	if seconds, _, _ := settings.Int("connect_timeout"); seconds > 0 {
		c.timeout = time.Duration(max(seconds, 2)) * time.Second
	}
	if opts.TLS != nil {
		c.addHosts(hosts, func(h conninfo.Host) []*tls.Config { return given(opts.TLS, h, settings.Value("sslnegotiation")) })
	} else {
		t, err := newTLS(settings, env, hosts, c.log)
		if err != nil {
			return nil, err
		}
		c.addHosts(hosts, t.attempts)
	}
	c.passes = []string{settings.Value("target_session_attrs")}
	if c.passes[0] == "prefer-standby" {
		c.passes = []string{"standby", "any"}
	}
	c.base, err = baseConfig(settings)
	return c, err
}

func newConnector(settings *conninfo.Settings, opts Options) *Connector {
	c := &Connector{settings: settings, askFor: opts.Password, log: opts.Logger, lookup: net.DefaultResolver.LookupHost}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c
}

// addHosts has the hosts in the order in which they are tried.
func (c *Connector) addHosts(hosts []conninfo.Host, encryptions func(conninfo.Host) []*tls.Config) {
	for i, h := range hosts {
		if _, warning := c.settings.Password(h); warning != "" && i == 0 && c.settings.Value("password") == "" {
			c.log.Warn(warning, "passfile", c.settings.Value("passfile"))
		}
		c.hosts = append(c.hosts, host{h, encryptions(h)})
	}
	c.sslmode = c.settings.Value("sslmode")
	if c.shuffle = c.settings.Value("load_balance_hosts") == "random"; c.shuffle {
		rand.Shuffle(len(c.hosts), func(i, j int) { c.hosts[i], c.hosts[j] = c.hosts[j], c.hosts[i] })
	}
}

// Copy is a connector of its own, which can be changed.
func (c *Connector) Copy() *Connector {
	own := *c
	own.base = c.base.Copy()
	return &own
}

// SetDatabase says to which database to connect.
func (c *Connector) SetDatabase(name string) { c.base.Database = name }

// SetParameter says what is sent to the server as it starts a session.
func (c *Connector) SetParameter(name, value string) { c.base.RuntimeParams[name] = value }

// Value is that of a keyword of the connection string, or its default.
func (c *Connector) Value(keyword string) string { return c.settings.Value(keyword) }

// ConnInfo is what "pg_rewind -R" of a major writes as primary_conninfo.
func (c *Connector) ConnInfo(major int) string {
	return c.settings.Render(major, c.dbname)
}
