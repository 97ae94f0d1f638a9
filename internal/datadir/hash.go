package datadir

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Range is a part of a file.
type Range struct {
	Path   string // relative to the data directory
	Offset int64
	Length int64
}

// hashShare is how many ranges a goroutine takes at a time; adjacent ones often
// belong to one file. hashBuffer is how many bytes of a range are read at a time.
const (
	hashShare  = 16
	hashBuffer = 256 << 10
	minAhead   = 256 << 10 // less is not worth announcing
)

// Hash computes the hashes of ranges, each of the bytes that the file has in it,
// on all processors. A sum is nil if the file does not exist. It is fastest if the
// ranges of a file are adjacent, since the file then stays open.
func (d *Dir) Hash(ctx context.Context, newHash func() hash.Hash, ranges []Range) ([][]byte, error) {
	sums := make([][]byte, len(ranges))
	var taken atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), (len(ranges)+hashShare-1)/hashShare) {
		g.Go(func() error {
			h := &hasher{dir: d, hash: newHash(), buf: make([]byte, hashBuffer)}
			defer h.close()
			for {
				end := int(taken.Add(hashShare))
				for i := end - hashShare; i < min(end, len(ranges)); i++ {
					h.share = ranges[i:min(end, len(ranges))]
					var err error
					if sums[i], err = h.sum(ctx, ranges[i]); err != nil {
						return err
					}
				}
				if end >= len(ranges) {
					return nil
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return sums, nil
}

// hasher hashes ranges one after the other.
type hasher struct {
	dir  *Dir
	hash hash.Hash
	buf  []byte
	path string
	file *os.File // the open file at path, or nil

	share     []Range // the remaining ranges, from the next one on
	announced int64   // the end of what was announced of the file
}

// ahead announces what is read next from the file.
func (h *hasher) ahead(r Range) {
	if r.Offset < h.announced {
		return
	}
	end := r.Offset
	for _, next := range h.share {
		if next.Path != r.Path || next.Offset != end {
			break
		}
		end += next.Length
	}
	if end-r.Offset >= minAhead {
		announce(h.file, r.Offset, end-r.Offset)
		h.announced = end
	}
}

func (h *hasher) close() {
	if h.file != nil {
		_ = h.file.Close()
		h.file = nil
	}
}

func (h *hasher) sum(ctx context.Context, r Range) ([]byte, error) {
	if h.file == nil || h.path != r.Path {
		h.close()
		f, err := h.dir.Open(r.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		h.path, h.file, h.announced = r.Path, f, 0
	}
	h.ahead(r)
	h.hash.Reset()
	for at, end := r.Offset, r.Offset+r.Length; at < end; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := h.file.ReadAt(h.buf[:min(hashBuffer, end-at)], at)
		h.hash.Write(h.buf[:n])
		h.dir.CountRead(n)
		at += int64(n)
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("could not read file %q at offset %d: %w", h.dir.Join(r.Path), at, Reason(err))
		}
	}
	return h.hash.Sum(nil), nil
}
