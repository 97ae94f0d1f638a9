package pgsource

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/gorewind/gorewind/source/pgsource/internal/conninfo"
)

// newDialer has the keepalives and tcp_user_timeout of the connection string.
// What is not given, or not positive, is left as the system has it.
func newDialer(s *conninfo.Settings) (*net.Dialer, error) {
	number := func(keyword string) int {
		n, given, _ := s.Int(keyword) // Check looked at it
		if !given || n <= 0 {
			return -1
		}
		return n
	}
	seconds := func(keyword string) time.Duration {
		if n := number(keyword); n > 0 {
			return time.Duration(n) * time.Second
		}
		return -1
	}
	d := &net.Dialer{KeepAlive: -1}
	if on, given, _ := s.Int("keepalives"); on != 0 || !given {
		d.KeepAliveConfig = net.KeepAliveConfig{
			Enable:   true,
			Idle:     seconds("keepalives_idle"),
			Interval: seconds("keepalives_interval"),
			Count:    number("keepalives_count"),
		}
	}
	if ms := number("tcp_user_timeout"); ms > 0 {
		d.Control = func(network, _ string, c syscall.RawConn) error {
			if network == "unix" {
				return nil
			}
			var err error
			if controlErr := c.Control(func(fd uintptr) { err = setUserTimeout(fd, ms) }); controlErr != nil {
				return controlErr
			}
			return err
		}
	}
	if s.Value("requirepeer") != "" && !canAskPeer {
		return nil, errNoPeer
	}
	return d, nil
}

// dial connects the socket.
func (c *connector) dial(ctx context.Context, p place) (net.Conn, error) {
	if !p.IsUnix() {
		return c.dialer.DialContext(ctx, "tcp", net.JoinHostPort(p.addr, p.Port))
	}
	conn, err := c.dialer.DialContext(ctx, "unix", p.Socket())
	if errors.Is(err, syscall.EINVAL) {
		return nil, fmt.Errorf(`Unix-domain socket path "%s" is too long`, p.Socket()) //nolint:staticcheck // libpq's words
	}
	if err != nil {
		return nil, err
	}
	if err := checkPeer(conn, c.settings.Value("requirepeer")); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// checkPeer checks that the process at the other end of a Unix socket is of a
// certain user, if one is required.
func checkPeer(conn net.Conn, required string) error {
	if required == "" {
		return nil
	}
	actual, err := peerUser(conn.(*net.UnixConn))
	if err != nil {
		return fmt.Errorf("could not get peer credentials: %w", err)
	}
	if actual != required {
		return fmt.Errorf(`requirepeer specifies "%s", but actual peer user name is "%s"`, required, actual)
	}
	return nil
}
