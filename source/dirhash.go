package source

import (
	"context"
	"crypto/sha256"
	"hash"
	"iter"
	"os"

	"github.com/gorewind/gorewind/internal/datadir"
)

var (
	_ Hasher = (*Dir)(nil)
	_ Local  = (*Dir)(nil)
)

// Open opens a file of the directory.
func (s *Dir) Open(path string) (*os.File, error) { return s.dir.Open(path) }

// hashBatch is how many ranges are hashed before results are reported.
const hashBatch = 1024

// NewHash is SHA-256.
func (s *Dir) NewHash() hash.Hash { return sha256.New() }

// Hash hashes on all processors. Ranges can have any length.
func (s *Dir) Hash(ctx context.Context, ranges iter.Seq[Range], result func(r Range, sum []byte) error) error {
	batch := make([]datadir.Range, 0, hashBatch)
	flush := func() error {
		sums, err := s.dir.Hash(ctx, s.NewHash, batch)
		if err != nil {
			return err
		}
		for i, r := range batch {
			if err := result(Range(r), sums[i]); err != nil {
				return err
			}
		}
		batch = batch[:0]
		return nil
	}
	for r := range ranges {
		batch = append(batch, datadir.Range(r))
		if len(batch) == hashBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
