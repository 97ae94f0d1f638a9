package rewind

import (
	"bytes"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/source"
)

// Limits of a batch, for each side.
const (
	batchBytes = 16 << 20
	batchFiles = 1024
	// batchPiece is the unit, in whole blocks, in which a file that continues in the next
	// batch is split.
	batchPiece = 64 << 10
)

// batch holds pieces of different files that are read from both sides together.
type batch struct {
	files   []FileDiff // with path and size set
	ranges  []source.Range
	size    int64
	a, b    parts
	reading *errgroup.Group // nil: no reading in progress
}

// read starts reading.
func (b *batch) read(ctx context.Context, opts *DiffOptions) {
	if len(b.ranges) == 0 {
		return
	}
	b.a.reset(b.ranges)
	b.b.reset(b.ranges)
	b.reading, ctx = errgroup.WithContext(ctx)
	b.reading.Go(func() error { return opts.A.Fetch(ctx, slices.Values(b.ranges), &b.a) })
	b.reading.Go(func() error { return opts.B.Fetch(ctx, slices.Values(b.ranges), &b.b) })
}

// wait waits until everything has been read.
func (b *batch) wait() error {
	if b.reading == nil {
		return nil
	}
	return b.reading.Wait()
}

func (b *batch) clear() {
	*b = batch{files: b.files[:0], ranges: b.ranges[:0], a: b.a, b: b.b}
}

// contents compares the contents of files. While one batch is read, the one before is
// compared and the next one is filled.
type contents struct {
	*differ
	filling, reading *batch
	last             int // index in the result of the latest file that differs
}

func newContents(d *differ) *contents {
	return &contents{differ: d, filling: new(batch), reading: new(batch), last: -1}
}

// add schedules the comparison of a file that is not empty on either side.
func (c *contents) add(ctx context.Context, f FileDiff) error {
	end := min(f.SizeA, f.SizeB)
	for at := int64(0); at < end; {
		b := c.filling
		length := min(end-at, batchBytes-b.size)
		if length < end-at {
			length -= length % batchPiece
		}
		if length == 0 || len(b.files) == batchFiles {
			if err := c.turn(ctx); err != nil {
				return err
			}
			continue
		}
		b.files = append(b.files, f)
		b.ranges = append(b.ranges, source.Range{Path: f.Path, Offset: at, Length: length})
		b.size += length
		at += length
	}
	return nil
}

// end compares what is left.
func (c *contents) end(ctx context.Context) error {
	if err := c.turn(ctx); err != nil { // no further batch is being filled
		return err
	}
	return c.turn(ctx)
}

// turn waits for the previous batch, starts reading the batch that was filled, and
// compares the previous one.
func (c *contents) turn(ctx context.Context) error {
	if err := c.reading.wait(); err != nil {
		return err
	}
	c.filling, c.reading = c.reading, c.filling
	c.reading.read(ctx, &c.opts)
	c.compare(c.filling)
	c.filling.clear()
	return nil
}

// compare finds the files, and the blocks of relations, that differ.
func (c *contents) compare(b *batch) {
	for i := range b.files {
		f, r := &b.files[i], b.ranges[i]
		ours, theirs := b.a.of(r), b.b.of(r)
		same := bytes.Equal(ours, theirs)
		if same && f.SizeA == f.SizeB {
			continue
		}
		f = c.different(f)
		switch {
		case same:
		case !c.hasPages(f.Path) || len(ours) != len(theirs):
			f.Difference = DifferentContent
		default:
			c.comparePages(f, r.Offset, ours, theirs)
		}
	}
}

// different returns the file's entry in the result. All pieces of a file come in
// succession.
func (c *contents) different(f *FileDiff) *FileDiff {
	if c.last < 0 || c.result.Files[c.last].Path != f.Path {
		c.last = len(c.result.Files)
		c.result.Files = append(c.result.Files, *f)
	}
	return &c.result.Files[c.last]
}
