package libpq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/gorewind/gorewind/internal/libpq/conninfo"
)

// newDialer applies the keepalives and tcp_user_timeout of the connection string.
// Values that are unset, or not positive, remain the system's.
func newDialer(s *conninfo.Settings) (*net.Dialer, error) {
	number := func(keyword string) int {
		n, given, _ := s.Int(keyword) // Check validated it
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

// setDialer sets how sockets are connected: by the caller's function, or as the connection
// string says. A caller's function also resolves host names.
func (c *Connector) setDialer(given DialFunc) error {
	dial := given
	if dial == nil {
		d, err := newDialer(c.settings)
		if err != nil {
			return err
		}
		dial = d.DialContext
	} else {
		c.lookup = nil
		dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := given(ctx, network, address)
			if err != nil {
				return nil, &dialError{err}
			}
			return conn, nil
		}
	}
	c.dial = func(ctx context.Context, p place) (net.Conn, error) {
		return dialPlace(ctx, dial, p, c.settings.Value("requirepeer"))
	}
	return nil
}

// dialError is an error of a caller's dialer. Its meaning is unknown, so a later attempt
// may succeed.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

func isDial(err error) bool {
	_, is := err.(*dialError) //nolint:errorlint // isAny unwraps
	return is
}

func dialPlace(ctx context.Context, dial DialFunc, p place, peer string) (net.Conn, error) {
	if !p.IsUnix() {
		return dial(ctx, "tcp", net.JoinHostPort(p.addr, p.Port))
	}
	conn, err := dial(ctx, "unix", p.Socket())
	if errors.Is(err, syscall.EINVAL) {
		return nil, fmt.Errorf(`Unix-domain socket path "%s" is too long`, p.Socket()) //nolint:staticcheck // libpq's words
	}
	if err != nil {
		return nil, err
	}
	if err := checkPeer(conn, peer); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// checkPeer checks that the process at the other end of a Unix socket belongs to
// the required user, if any.
func checkPeer(conn net.Conn, required string) error {
	if required == "" {
		return nil
	}
	local, ok := conn.(*net.UnixConn)
	if !ok {
		return errors.New("requirepeer is only for Unix sockets, which this connection does not use: remove it")
	}
	actual, err := peerUser(local)
	if err != nil {
		return fmt.Errorf("could not get peer credentials: %w", err)
	}
	if actual != required {
		return fmt.Errorf(`requirepeer specifies "%s", but actual peer user name is "%s"`, required, actual)
	}
	return nil
}
