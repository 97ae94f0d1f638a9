package rewind_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/trial"
	"github.com/gorewind/gorewind/rewind"
)

// records keeps what is logged.
type records struct {
	mu  sync.Mutex
	all []slog.Record
}

func (*records) Enabled(context.Context, slog.Level) bool { return true }

func (r *records) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, rec)
	return nil
}

func (r *records) WithAttrs([]slog.Attr) slog.Handler { return r }
func (r *records) WithGroup(string) slog.Handler      { return r }

// TestRecordsHaveAttributesAndAreFew rewinds, and resyncs, clusters of hundreds of files.
func TestRecordsHaveAttributesAndAreFew(t *testing.T) {
	for _, resync := range []rewind.Resync{rewind.NoResync, rewind.ResyncChanges, rewind.ResyncCompare} {
		p := restorePair(t, "18", "basic")
		var log records
		r, err := rewind.Prepare(t.Context(), rewind.Options{
			TargetDir: p.target, Source: trial.OpenDir(t, p.source), NoSync: true, Resync: resync, Logger: slog.New(&log),
		})
		require.NoError(t, err)
		require.NoError(t, r.Apply(t.Context()))
		require.NoError(t, r.Close())
		told := 0
		for _, rec := range log.all {
			assert.Positive(t, rec.NumAttrs(), rec.Message)
			if rec.Level >= slog.LevelInfo {
				told++
			}
		}
		assert.LessOrEqual(t, told, 6)
		assert.Greater(t, told, 0)
		assert.Greater(t, len(log.all), 50, "what happens to every file is for debugging")
	}
}
