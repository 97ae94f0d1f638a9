package rewind_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// inventor endlessly lists files that it does not have.
type inventor struct {
	source.Source
	listed int
}

func (s *inventor) Files(ctx context.Context) iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) {
		for f, err := range s.Source.Files(ctx) {
			if !yield(f, err) {
				return
			}
		}
		for ctx.Err() == nil && s.listed < 20_000_000 {
			s.listed++
			if !yield(regularFile(fmt.Sprintf("base/5/%d", 100_000+s.listed), 8192), nil) {
				return
			}
		}
	}
}

func TestASourceThatInventsFiles(t *testing.T) {
	p := restorePair(t, "18", "basic")
	honest, err := source.OpenDir(p.source)
	require.NoError(t, err)
	defer func() { _ = honest.Close() }()
	src := &inventor{Source: honest}
	before := treeOf(t, p.target)
	r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, NoSync: true, Source: src})
	if err == nil {
		err = r.Apply(t.Context())
		require.NoError(t, r.Close())
	}
	require.ErrorIs(t, err, rewind.ErrSourceUntrusted)
	assert.ErrorContains(t, err, "the source lists 25")
	assert.ErrorContains(t, err, "take a base backup")
	assert.Less(t, src.listed, 500_000)
	assert.Empty(t, before.Diff(treeOf(t, p.target)))
}

// historian has a long and valid history of every newer timeline.
type historian struct {
	source.Source
	reads int
}

func (s *historian) ReadFile(ctx context.Context, path string) ([]byte, error) {
	var tli uint32
	if n, _ := fmt.Sscanf(path, "pg_wal/%08X.history", &tli); n == 1 && tli > 2 {
		s.reads++
		return append([]byte(strings.Repeat("#", 1<<20)), fmt.Sprintf("\n%d\tF/0\tx\n", tli-1)...), nil
	}
	return s.Source.ReadFile(ctx, path)
}

func TestASourceThatInventsHistories(t *testing.T) {
	p := restorePair(t, "18", "basic")
	honest, err := source.OpenDir(p.source)
	require.NoError(t, err)
	defer func() { _ = honest.Close() }()
	src := &historian{Source: honest}
	_, err = rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, NoSync: true, Source: src})
	require.ErrorContains(t, err, "which is not plausible")
	assert.ErrorContains(t, err, "the histories of the timelines from 3 on")
	assert.Less(t, src.reads, 20)
}
