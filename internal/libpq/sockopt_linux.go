package libpq

import (
	"net"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// setUserTimeout sets for how many milliseconds sent data may remain
// unacknowledged.
func setUserTimeout(fd uintptr, ms int) error {
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, ms)
}

const canAskPeer = true

var errNoPeer error

// peerUser is the name of the user at the other end of the socket.
func peerUser(conn *net.UnixConn) (string, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return "", err
	}
	var cred *unix.Ucred
	if controlErr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); controlErr != nil {
		return "", controlErr
	}
	if err != nil {
		return "", err
	}
	u, err := user.LookupId(strconv.FormatUint(uint64(cred.Uid), 10))
	if err != nil {
		return "", err
	}
	return u.Username, nil
}
