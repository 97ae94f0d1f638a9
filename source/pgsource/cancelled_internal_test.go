package pgsource

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
)

// TestWhatAnOperationLeavesBehindIsNoLoss: a listing can be cancelled when all has come and
// only nobody takes it any more. Then the filter is shut, and pgx does not know it.
func TestWhatAnOperationLeavesBehindIsNoLoss(t *testing.T) {
	in, err := servers.Major(t.Context(), "18")
	if err != nil {
		t.Skip(err)
	}
	c := in.InitCluster(t, pgtest.Options{})
	c.Start(t)
	var log bytes.Buffer
	s, err := Open(t.Context(), c.ConnString("postgres"), Options{Jobs: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.do(t.Context(), func(ctx context.Context, conn *conn) error {
		err := conn.exec(ctx, "SELECT 1")
		conn.filter.stopWith(context.Canceled)
		return err
	}))
	_, err = s.State(t.Context())
	require.NoError(t, err)
	assert.Empty(t, log.String())
}
