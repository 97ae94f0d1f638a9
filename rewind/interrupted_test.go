package rewind_test

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

var errCut = errors.New("the connection was cut")

// cutSource is a source whose connection breaks after some writes.
type cutSource struct {
	source.Live
	left atomic.Int64
}

func (s *cutSource) Fetch(ctx context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	return s.Live.Fetch(ctx, ranges, &cutSink{dst, s})
}

type cutSink struct {
	source.Sink
	from *cutSource
}

func (s *cutSink) WriteAt(path string, data []byte, offset int64) error {
	if s.from.left.Add(-1) < 0 {
		return errCut
	}
	return s.Sink.WriteAt(path, data, offset)
}

// TestInterruptedRewindDoesNotStartAndIsFinishedByTheNext cuts rewinds at
// different places; in between no server may start on the target.
func TestInterruptedRewindDoesNotStartAndIsFinishedByTheNext(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{})
		target.Start(t)
		target.Exec(t, "CREATE TABLE journal (what text, filler text)")
		write(t, target, "common")
		src := target.Standby(t)
		src.Promote(t)
		write(t, target, "lost")
		target.Exec(t, "CREATE TABLE lost (x int)")
		target.Stop(t, pgtest.Fast)
		write(t, src, "new")
		src.Exec(t, "CREATE TABLE new (x int)")
		src.Checkpoint(t)

		whole := openServer(t, src.ConnString("postgres")).(source.Live)
		for _, writes := range []int64{0, 1, 40, 150} {
			cut := &cutSource{Live: whole}
			cut.left.Store(writes)
			r, err := prepare(t, target, cut)
			require.NoError(t, err, "prepare the cut after %d writes", writes)
			err = r.Apply(t.Context())
			require.ErrorIs(t, err, errCut)
			var failed *rewind.Error
			require.ErrorAs(t, err, &failed)
			assert.False(t, failed.TargetUntouched)
			assert.Equal(t, rewind.Stage, failed.Phase)
			assert.True(t, controlOf(t, target).ShutDownCleanly(), "failover managers see a stopped server")

			_, err = prepare(t, target, openDir(t, src.Dir))
			require.ErrorIs(t, err, rewind.ErrSourceRunning)
			require.ErrorAs(t, err, &failed)
			assert.False(t, failed.TargetUntouched, "a run that fails at once does not make it whole")

			err = target.TryStart()
			require.ErrorContains(t, err, "control file contains invalid")
			target.MakeStandbyOf(t, src)
			err = target.TryStart()
			require.ErrorContains(t, err, "control file contains invalid")
		}
		mustRewind(t, target, whole)
		assert.NoDirExists(t, filepath.Join(target.Dir, "pgsql_tmp_gorewind"))
		mustFollow(t, target, src)
		mustBeSound(t, target)
	})
}
