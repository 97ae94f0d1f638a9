package rewind

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/source"
)

// Files are compared in pieces of comparePiece bytes. Each request asks for
// comparePairs of them, and compareAsks requests run at a time.
const (
	comparePiece = 64 << 10
	comparePairs = 4096
	compareAsks  = 2
)

// compareFiles compares the files that would be copied only because nothing shows
// whether they differ: free space and visibility maps, transaction status,
// configuration, and all relations if there is no other evidence. It finds those that
// are equal, or differ only in parts. Both sides compute hashes.
func (a *analyzer) compareFiles(ctx context.Context, p *Plan) error {
	// Without hashes, everything that WAL does not describe is copied. But if nothing else
	// shows what differs, the comparison must be made all the same.
	if _, can := a.source.(source.Hasher); p.Evidence != report.ByComparison && (!can || p.Again) {
		return nil
	}
	c := &comparison{
		a: a, plan: p.Files, refine: p.Evidence == report.ByComparison, different: map[int]*pgdata.BlockSet{},
		checksums: p.Target.Control.DataChecksumVersion != 0, damaged: map[string]*pgdata.BlockSet{},
	}
	if c.refine {
		p.Compared = decide.CompareBytes(p.Files)
		a.step("comparing files")
		defer a.watch(func() Progress {
			return Progress{Activity: ComparingFiles, DoneBytes: c.done.Load(), Differing: c.differing.Load(), TotalBytes: p.Compared}
		})()
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(compareAsks)
	batch := make([]piece, 0, comparePairs)
	for pc := range c.pieces() {
		if batch = append(batch, pc); len(batch) < comparePairs {
			continue
		}
		full := batch
		batch = make([]piece, 0, comparePairs)
		g.Go(func() error { return c.ask(gctx, full) })
		if gctx.Err() != nil {
			break
		}
	}
	g.Go(func() error { return c.ask(gctx, batch) })
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range decide.Candidates(p.Files) {
		decide.SetDifferent(p.Files, i, c.different[i])
	}
	if p.Damaged = c.damaged; len(p.Damaged) > 0 {
		blocks := 0
		for _, set := range p.Damaged {
			blocks += set.Len()
		}
		a.warn(p, "%d blocks of the target were damaged, in %d files: they are replaced by the source's", blocks, len(p.Damaged))
	}
	return nil
}

// comparison is a comparison in progress. Differences are recorded as blocks.
type comparison struct {
	a         *analyzer
	plan      *filemap.Plan
	refine    bool // find the blocks of a piece that differ
	checksums bool // the target's pages have checksums

	done      atomic.Int64 // bytes
	differing atomic.Int64 // of these, bytes in blocks that differ
	mu        sync.Mutex
	different map[int]*pgdata.BlockSet    // by entry
	damaged   map[string]*pgdata.BlockSet // by path: the target's blocks with wrong checksums
}

// piece is a part of an entry's file.
type piece struct {
	entry int
	source.Range
}

// pieces divides all candidates into pieces, up to the size that both sides have.
func (c *comparison) pieces() iter.Seq[piece] {
	return func(yield func(piece) bool) {
		for i, e := range decide.Candidates(c.plan) {
			end := min(e.SourceSize, e.TargetSize)
			for at := int64(0); at < end; at += comparePiece {
				length := int64(comparePiece)
				if e.SourceSize != e.TargetSize { // if they are equal, a file that has grown since must be noticed
					length = min(length, end-at)
				}
				if !yield(piece{i, source.Range{Path: e.Path, Offset: at, Length: length}}) {
					return
				}
			}
		}
	}
}

// blocks divides pieces into blocks.
func (c *comparison) blocks(pieces []piece) []piece {
	size := int64(c.plan.Geometry.BlockSize)
	var list []piece
	for _, p := range pieces {
		for at := p.Offset; at < p.Offset+p.Length; at += size {
			list = append(list, piece{p.entry, source.Range{Path: p.Path, Offset: at, Length: min(size, p.Offset+p.Length-at)}})
		}
	}
	return list
}

// ask compares pieces and records which blocks differ.
func (c *comparison) ask(ctx context.Context, pieces []piece) error {
	different, err := c.filter(ctx, pieces)
	if err != nil {
		return err
	}
	different = c.blocks(different)
	if c.refine {
		if different, err = c.filter(ctx, different); err != nil {
			return err
		}
		if err := c.verify(ctx, different); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range different {
		set := c.different[p.entry]
		if set == nil {
			set = new(pgdata.BlockSet)
			c.different[p.entry] = set
		}
		set.Add(c.block(p))
		c.differing.Add(c.length(p))
	}
	for _, p := range pieces {
		c.done.Add(c.length(p))
	}
	return nil
}

// length returns how much of a piece both sides had when they were listed.
func (c *comparison) length(p piece) int64 {
	e := &c.plan.Entries[p.entry]
	return max(0, min(p.Length, e.SourceSize-p.Offset, e.TargetSize-p.Offset))
}

func (c *comparison) block(p piece) pgdata.BlockNumber {
	return pgdata.BlockNumber(p.Offset / int64(c.plan.Geometry.BlockSize))
}

// filter returns the pieces that are not known to be the same on both sides.
func (c *comparison) filter(ctx context.Context, pieces []piece) ([]piece, error) {
	ranges := make([]source.Range, len(pieces))
	for i, p := range pieces {
		ranges[i] = p.Range
	}
	same, err := sameContent(ctx, c.a.log, c.a.source, c.a.target, ranges)
	if err != nil {
		return nil, err
	}
	var different []piece
	for i, p := range pieces {
		if !same[i] {
			different = append(different, p)
		}
	}
	return different, nil
}

// verify finds which of the target's differing blocks are damaged.
func (c *comparison) verify(ctx context.Context, blocks []piece) error {
	if !c.checksums {
		return nil
	}
	reader := fileReader{open: c.a.target.Open, counts: c.a.target.CountRead}
	defer reader.close()
	for _, p := range blocks {
		e := &c.plan.Entries[p.entry]
		segment, isRelation := pgdata.ParseRelPath(c.a.version, p.Path)
		if !isRelation || !e.Compare {
			continue
		}
		b, err := reader.read(ctx, p.Range)
		if err != nil {
			return err
		}
		number := segment.Segment*c.plan.Geometry.RelSegBlocks + uint32(c.block(p))
		if len(b) == int(c.plan.Geometry.BlockSize) && page.Verify(b, number) != nil {
			c.mu.Lock()
			if c.damaged[p.Path] == nil {
				c.damaged[p.Path] = new(pgdata.BlockSet)
			}
			c.damaged[p.Path].Add(c.block(p))
			c.mu.Unlock()
		}
	}
	return nil
}
