package rewind_test

import (
	"bytes"
	"context"
	"iter"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// givenUp measures how long a comparison goes on after it is cancelled in the middle.
type givenUp struct {
	cancel context.CancelFunc
	at     atomic.Int64 // time of the cancellation, in nanoseconds since 1970
}

func (g *givenUp) now() {
	if g.at.CompareAndSwap(0, time.Now().UnixNano()) {
		g.cancel()
	}
}

// mustEnd runs Prepare with a source that calls now.
func (g *givenUp) mustEnd(t *testing.T, opts rewind.Options) {
	t.Helper()
	before, err := dirtree.Read(opts.TargetDir)
	require.NoError(t, err)
	var ctx context.Context
	ctx, g.cancel = context.WithCancel(t.Context())
	defer g.cancel()
	_, err = rewind.Prepare(ctx, opts)
	require.ErrorIs(t, err, context.Canceled)
	require.NotZero(t, g.at.Load(), "it did not get that far")
	t.Logf("it ended %s after it was cancelled", time.Since(time.Unix(0, g.at.Load())))
	after, err := dirtree.Read(opts.TargetDir)
	require.NoError(t, err)
	assert.Empty(t, before.Diff(after))
}

// openedSource is a stopped directory.
type openedSource struct {
	*movedSource
	g    *givenUp
	path string // opening this path cancels
}

func (s openedSource) Open(path string) (*os.File, error) {
	if path == s.path {
		s.g.now()
	}
	return s.movedSource.Open(path)
}

func TestAComparisonOfDirectoriesEndsWhenItIsCancelled(t *testing.T) {
	p := newSpecimenFor(t, compared)
	p.restore(t)
	const path = "base/5/70000"
	for _, dir := range []string{p.src, p.target()} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), bytes.Repeat([]byte("both"), 16<<20), 0o600))
	}
	opts := p.options(t)
	var g givenUp
	opts.Source = openedSource{opts.Source.(*movedSource), &g, path}
	g.mustEnd(t, opts)
}

// hashedSource is a running server.
type hashedSource struct {
	*pgsource.Server
	g *givenUp
}

func (s hashedSource) Hash(ctx context.Context, ranges iter.Seq[source.Range], result func(source.Range, []byte) error) error {
	return s.Server.Hash(ctx, func(yield func(source.Range) bool) {
		n := 0
		for r := range ranges {
			if n++; n == 3000 { // by then the server has been asked for the earlier files
				s.g.now()
			}
			if !yield(r) {
				return
			}
		}
	}, result)
}

func TestAComparisonOverSQLEndsWhenItIsCancelled(t *testing.T) {
	in, err := servers.Major(t.Context(), "18")
	if err != nil {
		t.Skip(err)
	}
	old, promoted := diverged(t, in)
	for _, c := range []*pgtest.Cluster{old, promoted} {
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "base/1/70000"), bytes.Repeat([]byte("both"), 64<<20), 0o600))
	}
	live, err := pgsource.Open(t.Context(), promoted.ConnString("postgres"), pgsource.Options{})
	require.NoError(t, err)
	defer live.Close()
	var g givenUp
	g.mustEnd(t, rewind.Options{TargetDir: old.Dir, Source: hashedSource{live, &g}, Resync: rewind.ResyncCompare})

	_, err = live.State(t.Context())
	assert.NoError(t, err, "the source can still be used")
}
