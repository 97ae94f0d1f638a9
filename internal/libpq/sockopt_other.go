//go:build !linux

package libpq

import (
	"errors"
	"net"
)

// setUserTimeout does nothing: libpq, too, has tcp_user_timeout where the system
// has TCP_USER_TIMEOUT only.
func setUserTimeout(uintptr, int) error { return nil }

const canAskPeer = false

var errNoPeer = errors.New("requirepeer is supported on Linux only: use TLS with sslmode=verify-full to know the server")

func peerUser(*net.UnixConn) (string, error) { return "", errNoPeer }
