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

// Options are what a connection string cannot express.
type Options struct {
	// Logger logs what happens while connecting; nil discards.
	Logger *slog.Logger
	// Getenv looks up environment variables; an empty value counts as
	// unset. nil means the environment of this process.
	Getenv func(name string) string
	// Password is called if a server wants a password and none is configured.
	Password func(ctx context.Context) (string, error)
	// TLS is used for every connection over TCP, instead of the ssl* keywords.
	TLS *tls.Config
	// Dial connects in place of a net.Dialer. It gets host names unresolved.
	Dial DialFunc
}

// Connector connects to the servers of a connection string.
//
// A password in a connection string on the command line can be seen in the list
// of processes, as with pg_rewind. In PGPASSWORD or a password file it cannot.
type Connector struct {
	settings *conninfo.Settings
	dbname   string // the database that is named, for -R
	base     *pgx.ConnConfig
	sslmode  string        // whether TLS may be omitted
	timeout  time.Duration // for each attempt; zero: none
	hosts    []host
	passes   []string // the values of target_session_attrs to try in order
	shuffle  bool     // load_balance_hosts
	lookup   func(ctx context.Context, name string) ([]string, error)
	dial     func(ctx context.Context, p place) (net.Conn, error)
	pinned   *bool // once connected: whether with TLS
	askFor   func(ctx context.Context) (string, error)
	asks     bool // the server wants a password, so the caller is asked in advance
	log      *slog.Logger
}

// New parses a connection string and completes its missing settings. It reads files,
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

// FromSettings returns a connector for settings that may be incomplete.
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
		return nil, errors.New("the user of this process has no name: specify the role with user= or PGUSER")
	}
	if err := c.setDialer(opts.Dial); err != nil {
		return nil, err
	}
	// libpq never waits less than two seconds, because a second may be almost over.
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
	c.passes = passesFor(settings.Value("target_session_attrs"))
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

// addHosts sets the hosts in the order in which they are tried.
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

// Copy returns an independent connector.
func (c *Connector) Copy() *Connector {
	own := *c
	own.base = c.base.Copy()
	return &own
}

// SetDatabase sets the database to connect to.
func (c *Connector) SetDatabase(name string) { c.base.Database = name }

// SetParameter sets a parameter that is sent to the server at the start of a session.
func (c *Connector) SetParameter(name, value string) { c.base.RuntimeParams[name] = value }

// Value is the value of a keyword of the connection string, or its default.
func (c *Connector) Value(keyword string) string { return c.settings.Value(keyword) }

// ConnInfo is what "pg_rewind -R" of a major writes as primary_conninfo.
func (c *Connector) ConnInfo(major int) string {
	return c.settings.Render(major, c.dbname)
}
