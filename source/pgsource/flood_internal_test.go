package pgsource

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/source"
)

// TestAServerThatTalksAndDoesNotListen sends notices for ever and takes nothing: pgx
// reads what comes while it writes, and keeps it.
func TestAServerThatTalksAndDoesNotListen(t *testing.T) {
	notices := bytes.Repeat(encoded(&pgproto3.NoticeResponse{Message: "x"}), 1000)
	var sent atomic.Int64
	opts := Options{Timeout: 20 * time.Second, DialFunc: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe() // a write waits for the other side to read
		go func() {
			for sent.Load() < 100<<20 {
				n, err := server.Write(notices)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		}()
		return client, nil
	}}
	began := time.Now()
	_, err := Open(t.Context(), "host=127.0.0.1 user=u dbname=d sslmode=disable", opts)
	require.ErrorIs(t, err, source.ErrUntrusted)
	assert.ErrorContains(t, err, "without taking what it was sent")
	assert.Less(t, sent.Load(), int64(2*maxUnread))
	assert.Less(t, time.Since(began), opts.Timeout/2)
}
