package proxy

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAProxyCountsWhatItCarriesOverItsWire has two connections share a narrow wire, in
// both directions.
func TestAProxyCountsWhatItCarriesOverItsWire(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = server.Close() }()
	go func() { // what comes goes back
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	p := New(t, "tcp", server.Addr().String())
	p.Bandwidth(10_000_000)
	const size = 300_000
	for range 2 {
		c, err := net.Dial("tcp", p.listener.Addr().String())
		require.NoError(t, err)
		go func() { _, _ = c.Write(make([]byte, size)); _ = c.(*net.TCPConn).CloseWrite() }()
		back, err := io.ReadAll(c)
		require.NoError(t, err)
		assert.Len(t, back, size)
		_ = c.Close()
	}
	assert.Equal(t, int64(4*size), p.Carried())
}
