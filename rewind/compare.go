package rewind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/target"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// pair is a part of a file of the source and the target's file to compare it with.
type pair struct {
	own    string
	theirs source.Range
}

// Files are compared in pieces of comparePiece bytes, comparePairs at a time.
const (
	comparePiece = 64 << 10
	comparePairs = 4096
)

// compareFiles finds out which files that would be copied, because WAL does not
// tell whether they differ, do not differ, or only in parts: free space and
// visibility maps, transaction status, configuration. Both sides compute hashes.
func (a *analyzer) compareFiles(ctx context.Context, p *Plan) error {
	plan := p.Files
	if _, can := a.source.(source.Hasher); !can || p.Again {
		return nil
	}
	blocks := pgdata.BlockNumber(comparePiece / plan.Geometry.BlockSize)
	var (
		pairs     []pair
		entries   []int // of the pairs
		different = map[int]*pgdata.BlockSet{}
	)
	ask := func() error {
		same, err := sameContent(ctx, a.log, a.source, a.target, pairs)
		if err != nil {
			return err
		}
		for i, s := range same {
			if first := pgdata.BlockNumber(pairs[i].theirs.Offset / int64(plan.Geometry.BlockSize)); !s {
				for b := first; b < first+blocks; b++ {
					different[entries[i]].Add(b)
				}
			}
		}
		pairs, entries = pairs[:0], entries[:0]
		return nil
	}
	for i := range plan.Candidates() {
		e := &plan.Entries[i]
		different[i] = new(pgdata.BlockSet)
		end := min(e.SourceSize, e.TargetSize)
		for at := int64(0); at < end; at += comparePiece {
			length := int64(comparePiece)
			if e.SourceSize != e.TargetSize { // else one that grew meanwhile is found out
				length = min(length, end-at)
			}
			pairs = append(pairs, pair{e.Path, source.Range{Path: e.Path, Offset: at, Length: length}})
			entries = append(entries, i)
			if len(pairs) == comparePairs {
				if err := ask(); err != nil {
					return err
				}
			}
		}
	}
	if err := ask(); err != nil {
		return err
	}
	for i, blocks := range different {
		plan.SetDifferent(i, blocks)
	}
	return nil
}

// sameContent tells for every pair whether both sides are known to have the same
// bytes: of a source that gives no hashes, nothing is.
func sameContent(ctx context.Context, log *slog.Logger, src source.Source, own *target.Target, pairs []pair) ([]bool, error) {
	hasher, can := src.(source.Hasher)
	same := make([]bool, len(pairs))
	if !can || len(pairs) == 0 {
		return same, nil
	}
	var sums [][]byte
	theirs := make([][]byte, 0, len(pairs))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return hasher.Hash(ctx, ranges(pairs), func(_ source.Range, sum []byte) error {
			theirs = append(theirs, bytes.Clone(sum))
			return nil
		})
	})
	g.Go(func() (err error) {
		sums, err = own.Hash(ctx, hasher.NewHash, ownRanges(pairs))
		return err
	})
	if err := g.Wait(); errors.Is(err, errors.ErrUnsupported) {
		log.Debug(fmt.Sprintf("files are copied without being compared: %v", err))
		return same, nil
	} else if err != nil {
		return nil, err
	}
	if len(theirs) != len(pairs) {
		return nil, fmt.Errorf("the source gave %d of %d hashes: %w", len(theirs), len(pairs), ErrSourceUntrusted)
	}
	for i := range pairs {
		same[i] = sums[i] != nil && bytes.Equal(sums[i], theirs[i])
	}
	return same, nil
}

func ranges(pairs []pair) iter.Seq[source.Range] {
	return func(yield func(source.Range) bool) {
		for _, p := range pairs {
			if !yield(p.theirs) {
				return
			}
		}
	}
}

func ownRanges(pairs []pair) []datadir.Range {
	ranges := make([]datadir.Range, len(pairs))
	for i, p := range pairs {
		ranges[i] = datadir.Range{Path: p.own, Offset: p.theirs.Offset, Length: p.theirs.Length}
	}
	return ranges
}
