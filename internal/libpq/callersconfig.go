package libpq

import (
	"cmp"
	"crypto/tls"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
	"github.com/gorewind/gorewind/source"
)

// FromConfig returns a connector for a caller's pgx configuration. The configuration is not
// modified, and nothing is taken from the environment or from files.
func FromConfig(config *pgconn.Config, opts Options) (*Connector, error) {
	_, replicates := config.RuntimeParams["replication"]
	switch {
	case config.User == "":
		return nil, unusable("it has no user: create it with pgx.ParseConfig or pgconn.ParseConfig")
	case replicates:
		return nil, unusable("it is for replication, but an ordinary session is needed: remove the replication parameter")
	}
	config = config.Copy()
	hosts, encryptions := hostsOf(config)
	if opts.TLS != nil {
		for i, h := range hosts {
			encryptions[i] = given(opts.TLS, h, config.SSLNegotiation)
		}
	}
	var names, ports []string
	for _, h := range hosts {
		names, ports = append(names, h.Name), append(ports, h.Port)
	}
	c := newConnector(conninfo.Of(map[string]string{
		"host": strings.Join(names, ","), "port": strings.Join(ports, ","),
		"user": config.User, "dbname": cmp.Or(config.Database, config.User), "password": config.Password,
		"application_name": config.RuntimeParams["application_name"], "options": config.RuntimeParams["options"],
		"sslmode": modeOf(encryptions[0]), "channel_binding": config.ChannelBinding, "require_auth": config.RequireAuth,
	}), opts)
	c.dbname, c.timeout, c.passes = config.Database, config.ConnectTimeout, []string{"any"}
	if config.ValidateConnect != nil {
		if attrs := attrsOf(config.ValidateConnect); attrs != "" {
			config.ValidateConnect, c.passes = nil, passesFor(attrs)
		} else {
			c.passes = []string{preferred, "any"}
		}
	}
	dial := opts.Dial
	if dial == nil {
		if config.LookupFunc != nil {
			c.lookup = config.LookupFunc
		}
		if dial = DialFunc(config.DialFunc); dial == nil {
			dial = new(net.Dialer).DialContext
		}
	}
	lookup := c.lookup
	if err := c.setDialer(dial); err != nil {
		return nil, err
	}
	if opts.Dial == nil {
		c.lookup = lookup
	}
	i := -1
	c.addHosts(hosts, func(conninfo.Host) []*tls.Config { i++; return encryptions[i] })
	var err error
	c.base, err = callersBase(config, c.settings)
	return c, err
}

func unusable(why string) error {
	return &source.ConnectError{Reason: source.ErrConnString, Message: "could not use the configuration of pgx: " + why}
}

// hostsOf are the hosts that pgx would try, each with its kinds of encryption.
func hostsOf(config *pgconn.Config) (hosts []conninfo.Host, encryptions [][]*tls.Config) {
	all := append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}}, config.Fallbacks...)
	for _, f := range all {
		h := conninfo.Host{Name: f.Host, Port: strconv.Itoa(int(cmp.Or(f.Port, 5432)))}
		if last := len(hosts) - 1; last >= 0 && hosts[last] == h {
			encryptions[last] = append(encryptions[last], f.TLSConfig)
			continue
		}
		hosts, encryptions = append(hosts, h), append(encryptions, []*tls.Config{f.TLSConfig})
	}
	return hosts, encryptions
}

// modeOf is the closest sslmode. A connection string cannot contain certificates in
// memory: connecting with the string then fails instead of continuing without them.
func modeOf(encryptions []*tls.Config) string {
	plain := slices.Index(encryptions, nil)
	i := slices.IndexFunc(encryptions, func(c *tls.Config) bool { return c != nil })
	switch {
	case i < 0:
		return "disable"
	case plain >= 0 && plain < i:
		return "allow"
	case plain >= 0:
		return "prefer"
	case !encryptions[i].InsecureSkipVerify:
		return "verify-full"
	case encryptions[i].VerifyPeerCertificate != nil || encryptions[i].VerifyConnection != nil:
		return "verify-ca"
	}
	return "require"
}

// callersBase has everything from the caller's configuration. pgx accepts only what its
// ParseConfig created, so the values are copied into such a configuration.
func callersBase(config *pgconn.Config, settings *conninfo.Settings) (*pgx.ConnConfig, error) {
	base, err := baseConfig(settings)
	if err != nil {
		return nil, err
	}
	from, to := reflect.ValueOf(config).Elem(), reflect.ValueOf(&base.Config).Elem()
	for i := range from.NumField() {
		if from.Type().Field(i).IsExported() && !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
	base.Fallbacks, base.ConnectTimeout = nil, 0
	params := runtimeParams(settings)
	for name, value := range config.RuntimeParams {
		if params[name] == "" {
			params[name] = value
		}
	}
	base.RuntimeParams = params
	return base, nil
}
