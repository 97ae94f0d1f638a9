package pgsource

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/gorewind/gorewind/internal/libpq"
)

// DefaultTimeout is the default of Options.Timeout.
const DefaultTimeout = 2 * time.Minute

// Options configure the connections to a server. The zero value is a good choice.
type Options struct {
	// Timeout is how long an operation may make no progress before it fails with
	// source.ErrUnavailable; zero means DefaultTimeout. Until then, a connection that was
	// lost, or was silent for half of the timeout, is reopened. The timeout does not limit
	// slow operations that make progress: every 4 kB of requested data are progress, other
	// bytes are not. It also limits how long connecting may take, to all hosts together.
	Timeout time.Duration
	// Jobs is the most connections. Zero means two for each core of this machine,
	// at least four and at most eight, and eight to a distant server. At first there
	// is one. Others are opened when there is enough work for them, as long as the
	// server has some to spare; if it has none, that is not an error.
	Jobs   int
	Logger *slog.Logger // what happens to the connection; nil discards

	// Password is called if the server wants a password and neither the connection
	// string nor the environment or a password file has it. It is called for each new
	// connection, and once more if the password that it returned is refused, so the password
	// may change. An empty password means none. If it fails while the server is opened, the
	// error is source.ErrNoPassword; later it is called again until Timeout. It may be
	// called from several goroutines at once, and must return when its context ends.
	Password func(ctx context.Context) (string, error)
	// TLS is how to connect over TCP, instead of all ssl* keywords and PGSSL* variables;
	// a connection string that has such keywords is refused. If TLS is set, a TCP
	// connection is never made without TLS. Unix sockets never use it. If ServerName is
	// empty, it is the name of the host. The configuration is not modified.
	TLS *tls.Config
	// DialFunc connects in place of a net.Dialer, for example through a tunnel. It is called
	// like net.Dialer.DialContext, with "tcp" and a host as written in the connection
	// string, which it may resolve as it likes, or with "unix" and the path of a socket.
	// Whether to honor keepalives and tcp_user_timeout is up to it.
	DialFunc func(ctx context.Context, network, address string) (net.Conn, error)
	// Getenv looks up PG* variables, HOME and the like, in place of os.Getenv. An empty
	// value counts as unset.
	Getenv func(name string) string
}

func (o Options) libpq() libpq.Options {
	return libpq.Options{Logger: o.Logger, Getenv: o.Getenv, Password: o.Password, TLS: o.TLS, Dial: o.DialFunc}
}
