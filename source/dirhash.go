package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/internal/datadir"
)

var _ Hasher = (*Dir)(nil)

// Ranges are hashed hashBatch at a time; each goroutine takes hashShare of them,
// which often belong to one file.
const (
	hashBatch = 1024
	hashShare = 16
)

// NewHash is SHA-256.
func (s *Dir) NewHash() hash.Hash { return sha256.New() }

// Hash reads on all processors. Ranges can have any length.
func (s *Dir) Hash(ctx context.Context, ranges iter.Seq[Range], result func(r Range, sum []byte) error) error {
	batch := make([]Range, 0, hashBatch)
	flush := func() error {
		sums, err := s.hashAll(ctx, batch)
		if err != nil {
			return err
		}
		for i, r := range batch {
			if err := result(r, sums[i]); err != nil {
				return err
			}
		}
		batch = batch[:0]
		return nil
	}
	for r := range ranges {
		batch = append(batch, r)
		if len(batch) == hashBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func (s *Dir) hashAll(ctx context.Context, ranges []Range) ([][]byte, error) {
	sums := make([][]byte, len(ranges))
	var taken atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), (len(ranges)+hashShare-1)/hashShare) {
		g.Go(func() error {
			buf := make([]byte, copyBuffer)
			for {
				end := int(taken.Add(hashShare))
				if end-hashShare >= len(ranges) {
					return nil
				}
				mine := ranges[end-hashShare : min(end, len(ranges))]
				if err := s.hashShare(ctx, mine, sums[end-hashShare:], buf); err != nil {
					return err
				}
			}
		})
	}
	return sums, g.Wait()
}

func (s *Dir) hashShare(ctx context.Context, ranges []Range, sums [][]byte, buf []byte) error {
	var f *os.File // the file of the last range, nil if it is gone
	defer func() { f.Close() }()
	h := s.NewHash()
	for i, r := range ranges {
		if i == 0 || r.Path != ranges[i-1].Path {
			f.Close()
			var err error
			if f, err = s.dir.Open(r.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if f == nil {
			continue
		}
		h.Reset()
		for at, end := r.Offset, r.Offset+r.Length; at < end; {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := f.ReadAt(buf[:min(int64(len(buf)), end-at)], at)
			h.Write(buf[:n])
			at += int64(n)
			if err == io.EOF {
				break
			} else if err != nil {
				return fmt.Errorf("could not read file %q at offset %d: %w", s.dir.Join(r.Path), at, datadir.Reason(err))
			}
		}
		sums[i] = h.Sum(nil)
	}
	return nil
}
