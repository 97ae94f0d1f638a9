package pgsource_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// assertSocket checks the options of a socket. An idle time of zero means that
// there are no keepalives.
func assertSocket(t *testing.T, conn net.Conn, idle, interval, count, userTimeout int) {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	get := func(level, option int) int {
		var n int
		require.NoError(t, raw.Control(func(fd uintptr) { n, err = unix.GetsockoptInt(int(fd), level, option) }))
		require.NoError(t, err)
		return n
	}
	assert.Equal(t, idle > 0, get(unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0)
	assert.Equal(t, userTimeout, get(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT))
	if idle > 0 {
		assert.Equal(t, idle, get(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE))
		assert.Equal(t, interval, get(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL))
		assert.Equal(t, count, get(unix.IPPROTO_TCP, unix.TCP_KEEPCNT))
	}
}
