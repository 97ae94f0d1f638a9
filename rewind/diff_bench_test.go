package rewind_test

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// manyFiles is a source with additional files, each of which is size times the same
// byte. It measures the memory in use when it is first read.
type manyFiles struct {
	source.Source
	files int
	size  int64
	once  sync.Once
	inUse uint64
}

func (s *manyFiles) Files(ctx context.Context) iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) {
		for f, err := range s.Source.Files(ctx) {
			if !yield(f, err) {
				return
			}
		}
		for i := range s.files {
			f := pgdata.FileInfo{Path: fmt.Sprintf("base/%d/many%d", i%4, 16384+i), Type: pgdata.Regular, Size: s.size}
			if !yield(f, nil) {
				return
			}
		}
	}
}

func (s *manyFiles) Fetch(_ context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	s.once.Do(func() {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		s.inUse = m.HeapAlloc
	})
	var data [256 << 10]byte
	for r := range ranges {
		for at := int64(0); at < r.Length; at += int64(len(data)) {
			if err := dst.WriteAt(r.Path, data[:min(int64(len(data)), r.Length-at)], r.Offset+at); err != nil {
				return err
			}
		}
	}
	return nil
}

// BenchmarkDiff compares clusters of many small files, and of a few large ones.
func BenchmarkDiff(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "cluster")
	require.NoError(b, savedcluster.Restore(filepath.Join("..", "testdata", "clusters", "15-basic", "source"), dir))
	stopped, err := source.OpenDir(dir)
	require.NoError(b, err)
	defer func() { require.NoError(b, stopped.Close()) }()
	for _, c := range []struct {
		name  string
		files int
		size  int64
	}{{"empty", 1_000_000, 0}, {"small", 1_000_000, 100}, {"large", 4, 1 << 30}} {
		b.Run(c.name, func(b *testing.B) {
			var ours *manyFiles
			var result *rewind.DiffResult
			b.ReportAllocs()
			for b.Loop() {
				ours = &manyFiles{Source: stopped, files: c.files, size: c.size}
				theirs := &manyFiles{Source: stopped, files: c.files, size: c.size}
				result, err = rewind.Diff(b.Context(), rewind.DiffOptions{A: ours, B: theirs})
				require.NoError(b, err)
				require.Empty(b, result.Files)
				require.Greater(b, result.FilesCompared, c.files)
			}
			b.SetBytes(result.BytesCompared)
			b.ReportMetric(float64(ours.inUse)/(1<<20), "MB-in-use")
		})
	}
}
