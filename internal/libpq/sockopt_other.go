//go:build !linux

package libpq

import (
	"errors"
	"net"
)

// setUserTimeout does nothing: libpq, too, supports tcp_user_timeout only if the system
// has TCP_USER_TIMEOUT.
func setUserTimeout(uintptr, int) error { return nil }

const canAskPeer = false

var errNoPeer = errors.New("requirepeer is supported on Linux only: use TLS with sslmode=verify-full to authenticate the server")

func peerUser(*net.UnixConn) (string, error) { return "", errNoPeer }
