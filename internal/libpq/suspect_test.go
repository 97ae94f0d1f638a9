package libpq_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/libpq"
	"github.com/gorewind/gorewind/source"
)

// In "ha@lf,other@db" of a URI, "lf" and "other@db" are hosts for libpq, and most likely pieces
// of a password for the user.
func TestALogHasNoPieceOfAPasswordThatIsNotEncoded(t *testing.T) {
	var log bytes.Buffer
	silent := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c, err := libpq.New("postgresql://u:ha@lf,other@db/x", libpq.Options{
		Logger: slog.New(slog.NewTextHandler(&log, nil)), Getenv: func(string) string { return "" }, Dial: silent,
	})
	require.NoError(t, err)
	_, _, err = c.Connect(t.Context(), 100*time.Millisecond, func() libpq.Guard { return nil })
	require.ErrorIs(t, err, source.ErrConnString)
	for _, piece := range []string{"lf", "other"} {
		assert.NotContains(t, err.Error(), piece)
		assert.NotContains(t, log.String(), piece)
	}
}
