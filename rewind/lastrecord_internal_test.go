package rewind

import (
	"bytes"
	"context"
	"iter"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// unreadableSource cannot be read any more.
type unreadableSource struct{ source.Source }

func (unreadableSource) Fetch(ctx context.Context, _ iter.Seq[source.Range], _ source.Sink) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return assert.AnError
}

func (s unreadableSource) ReadFile(ctx context.Context, _ string) ([]byte, error) {
	return nil, s.Fetch(ctx, nil, nil)
}

// If the target's disk is full, the context of what is read meanwhile ends. A warning
// about that would stand beside the error that matters.
func TestOnlyAReasonOfItsOwnIsAWarningAboutTheLastRecord(t *testing.T) {
	v := pgdata.VersionByName("18")
	geo := pgdata.Geometry{BlockSize: 8192, RelSegBlocks: 131072, WALBlockSize: 8192, WALSegSize: 1 << 20}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	r := &Rewind{
		log: logger, plan: &Plan{Source: Side{History: timeline.History{{TLI: 1}}}},
		analyzer: &analyzer{log: logger, source: unreadableSource{}, version: v, geo: geo, format: walreader.Format{Version: v, Geometry: geo}},
	}
	e := end{primary: true, minLSN: 5<<20 + 100}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.lastRecord(cancelled, &e), context.Canceled)
	assert.Empty(t, log.String())

	require.NoError(t, r.lastRecord(t.Context(), &e))
	assert.Contains(t, log.String(), assert.AnError.Error())
}
