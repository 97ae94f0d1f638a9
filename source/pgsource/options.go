package pgsource

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/gorewind/gorewind/internal/libpq"
)

// DefaultTimeout is that of Options.
const DefaultTimeout = 2 * time.Minute

// Options say how a server is dealt with. The zero value is a good one.
type Options struct {
	// Timeout is how long nothing may come of an operation before it is given up with
	// source.ErrUnavailable; zero means DefaultTimeout. A connection that was lost, or
	// silent for half of it, is made again until then. It does not limit what is slow
	// and moves: each 4 kB of what was asked for are progress, other bytes are not. It
	// is also how long it may take to connect, to all hosts together.
	Timeout time.Duration
	// Jobs is the most connections; zero means two for each core of this machine,
	// at least four and at most eight, and eight to a server that is far away. There
	// is one at first. Others are made when there is enough to do for them, as long
	// as the server has some to spare; it is no error if it has none.
	Jobs   int
	Logger *slog.Logger // what happens to the connection; nil discards

	// Password is asked for a password where the server wants one and neither the
	// connection string nor the environment or a password file has it: for each new
	// connection, and once more where the one that it gave is refused, so that it can be
	// one that changes. A password that is empty is none. An error of it is
	// source.ErrNoPassword when the server is opened; later it is asked again until Timeout.
	// It can be called from several goroutines at once, and has to end with its context.
	Password func(ctx context.Context) (string, error)
	// TLS is how to connect over TCP, in place of all that ssl* keywords and PGSSL*
	// variables say; a connection string that has such keywords is refused. There is no
	// connection without TLS then. Unix sockets have none. Where it has no ServerName, that
	// is the name of the host. It is not changed.
	TLS *tls.Config
	// DialFunc connects in place of a net.Dialer: through a tunnel, say. It is called
	// as net.Dialer.DialContext is, with "tcp" and a host as the connection string has
	// it, which it may resolve as it likes, or with "unix" and the path of a socket. What
	// keepalives and tcp_user_timeout say is up to it.
	DialFunc func(ctx context.Context, network, address string) (net.Conn, error)
	// Getenv is asked for PG* variables, HOME and the like, in place of os.Getenv. What
	// is empty counts as not set.
	Getenv func(name string) string
}

func (o Options) libpq() libpq.Options {
	return libpq.Options{Logger: o.Logger, Getenv: o.Getenv, Password: o.Password, TLS: o.TLS, Dial: o.DialFunc}
}
