package rewind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/source"
)

// sameContent reports for every range whether both sides are known to have the same
// bytes there. If the source provides neither its files nor hashes, nothing is known.
func sameContent(ctx context.Context, log *slog.Logger, src source.Source, own *apply.Target, ranges []source.Range) ([]bool, error) {
	if len(ranges) == 0 {
		return nil, ctx.Err()
	}
	if local, is := src.(source.Local); is {
		return sameBytes(ctx, local, own, ranges)
	}
	same := make([]bool, len(ranges))
	hasher, can := src.(source.Hasher)
	if !can {
		return same, nil
	}
	mine := make([]datadir.Range, len(ranges))
	for i, r := range ranges {
		mine[i] = datadir.Range(r)
	}
	var sums [][]byte
	theirs := make([][]byte, 0, len(ranges))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return hasher.Hash(ctx, slices.Values(ranges), func(_ source.Range, sum []byte) error {
			theirs = append(theirs, bytes.Clone(sum))
			return nil
		})
	})
	g.Go(func() (err error) {
		sums, err = own.Hash(ctx, hasher.NewHash, mine)
		return err
	})
	if err := g.Wait(); errors.Is(err, errors.ErrUnsupported) {
		log.Debug(fmt.Sprintf("files are copied without being compared: %v", err), "error", err)
		return same, nil
	} else if err != nil {
		return nil, err
	}
	if len(theirs) != len(ranges) {
		return nil, fmt.Errorf("the source gave %d of %d hashes: %w", len(theirs), len(ranges), ErrSourceUntrusted)
	}
	for i := range ranges {
		same[i] = sums[i] != nil && bytes.Equal(sums[i], theirs[i])
	}
	return same, nil
}

// sameShare is how many ranges a goroutine takes at a time: adjacent ranges often
// belong to one file, which then stays open.
const sameShare = 64

// sameBytes is sameContent for two sides that are both on this machine.
func sameBytes(ctx context.Context, src source.Local, own *apply.Target, ranges []source.Range) ([]bool, error) {
	same := make([]bool, len(ranges))
	var taken atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), (len(ranges)+sameShare-1)/sameShare) {
		g.Go(func() error {
			mine, theirs := fileReader{open: own.Open, counts: own.CountRead}, fileReader{open: src.Open}
			defer mine.close()
			defer theirs.close()
			for {
				end := int(taken.Add(sameShare))
				for i := end - sameShare; i < min(end, len(ranges)); i++ {
					x, err := mine.read(ctx, ranges[i])
					if err != nil {
						return err
					}
					y, err := theirs.read(ctx, ranges[i])
					if err != nil {
						return err
					}
					same[i] = x != nil && y != nil && bytes.Equal(x, y)
				}
				if end >= len(ranges) {
					return nil
				}
			}
		})
	}
	return same, g.Wait()
}

// fileReader reads one range after another.
type fileReader struct {
	open   func(string) (*os.File, error)
	counts func(bytes int) // called with the number of bytes read; may be nil
	path   string
	file   *os.File // the open file at path, or nil
	buf    []byte
}

func (r *fileReader) close() {
	if r.file != nil {
		_ = r.file.Close()
		r.file = nil
	}
}

// read returns the bytes that a file has in a range, or nil if there is no such file.
func (r *fileReader) read(ctx context.Context, of source.Range) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.file == nil || r.path != of.Path {
		r.close()
		f, err := r.open(of.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		r.path, r.file = of.Path, f
	}
	if int64(cap(r.buf)) < of.Length {
		r.buf = make([]byte, of.Length)
	}
	n, err := r.file.ReadAt(r.buf[:of.Length], of.Offset)
	if r.counts != nil {
		r.counts(n)
	}
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("could not read file %q at offset %d: %w", r.file.Name(), of.Offset, datadir.Reason(err))
	}
	return r.buf[:n], nil
}
