package rewind_test

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
	"github.com/gorewind/gorewind/internal/pgtest/proxy"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// disturbed is a source to which something happens at its n-th answer.
type disturbed struct {
	source.Source
	n       atomic.Int64
	disturb func()
}

func (s *disturbed) Fetch(ctx context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	return s.Source.Fetch(ctx, ranges, &disturbedSink{dst, s})
}

type disturbedSink struct {
	source.Sink
	from *disturbed
}

func (s *disturbedSink) WriteAt(path string, data []byte, offset int64) error {
	if s.from.n.Add(-1) == 0 {
		s.from.disturb()
	}
	return s.Sink.WriteAt(path, data, offset)
}

func TestAWholeRewindOverABadNetwork(t *testing.T) {
	in, err := servers.Major(t.Context(), "18")
	if err != nil {
		t.Skip(err)
	}
	old, promoted := diverged(t, in)
	before, err := dirtree.Read(old.Dir)
	require.NoError(t, err)
	p := proxy.Before(t, promoted)
	p.Delay(10 * time.Millisecond)
	run := func(disturb func()) error {
		live, err := pgsource.Open(t.Context(), p.ConnString("postgres", "postgres"), pgsource.Options{Timeout: 20 * time.Second})
		require.NoError(t, err)
		defer live.Close()
		src := &disturbed{Source: live, disturb: disturb}
		src.n.Store(30)
		r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: old.Dir, Source: src})
		require.NoError(t, err)
		defer r.Close()
		return r.Apply(t.Context())
	}

	// Its address becomes that of another server.
	err = run(func() {
		other := in.InitCluster(t, pgtest.Options{Distinct: true})
		other.Start(t)
		p.Move(other)
		p.Cut()
	})
	require.ErrorIs(t, err, rewind.ErrSourceChanged)
	var failed *rewind.Error
	require.ErrorAs(t, err, &failed)
	assert.True(t, failed.TargetUntouched)
	after, err := dirtree.Read(old.Dir)
	require.NoError(t, err)
	assert.Empty(t, before.Diff(after))

	p.Move(promoted)
	require.NoError(t, run(p.Cut))
	endtoend.MustFollow(t, old, promoted)
}
