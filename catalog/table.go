package catalog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/pgdata"
)

// Pages calls visit for every page of a relation's main fork, in order. The page is
// valid during the call.
func (c *Cluster) Pages(ctx context.Context, l pgdata.RelFileLocator, visit func(pgdata.BlockNumber, heap.Page) error) error {
	for segment := uint32(0); ; segment++ {
		more, err := c.segmentPages(ctx, pgdata.RelSegment{Locator: l, Segment: segment}, visit)
		if err != nil || !more {
			return err
		}
	}
}

func (c *Cluster) segmentPages(ctx context.Context, s pgdata.RelSegment, visit func(pgdata.BlockNumber, heap.Page) error) (more bool, err error) {
	f, err := c.files.Open(s.Path(c.version))
	if errors.Is(err, fs.ErrNotExist) && s.Segment > 0 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	size := int(c.geometry.BlockSize)
	buf := make([]byte, 32*size)
	for block := pgdata.BlockNumber(0); ; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, err := f.ReadAt(buf, int64(block)*int64(size))
		for at := 0; at+size <= n; at += size {
			number := pgdata.BlockNumber(s.Segment*c.geometry.RelSegBlocks) + block
			if err := visit(number, heap.Page(buf[at:at+size])); err != nil {
				return false, fmt.Errorf("block %d of %s: %w", number, s.Path(c.version), err)
			}
			block++
		}
		switch {
		case errors.Is(err, io.EOF):
			return uint32(block) >= c.geometry.RelSegBlocks, nil
		case err != nil:
			return false, err
		}
	}
}

// Page reads one page of a relation. It returns nil if the relation does not have that
// block.
func (c *Cluster) Page(l pgdata.RelFileLocator, b pgdata.BlockNumber, into []byte) (heap.Page, error) {
	f, err := c.open(pgdata.RelSegment{Locator: l, Segment: uint32(b) / c.geometry.RelSegBlocks})
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	size := int(c.geometry.BlockSize)
	if cap(into) < size {
		into = make([]byte, size)
	}
	n, err := f.ReadAt(into[:size], int64(uint32(b)%c.geometry.RelSegBlocks)*int64(size))
	if n == size {
		return heap.Page(into[:size]), nil
	}
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	return nil, err
}

// row is a row of a catalog. Its methods return zero for columns that do not exist in
// this major or in this row.
type row struct {
	t      *table
	tuple  heap.Tuple
	values []heap.Value
	err    error // the first error
}

func (r *row) raw(name string) []byte {
	i, has := r.t.index[name]
	if !has || r.values[i].State != heap.Present {
		return nil
	}
	return r.values[i].Raw
}

func (r *row) uint32(name string) uint32 {
	if b := r.raw(name); len(b) == 4 {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *row) int16(name string) int16 {
	if b := r.raw(name); len(b) == 2 {
		return int16(binary.LittleEndian.Uint16(b))
	}
	return 0
}

func (r *row) byte(name string) byte {
	if b := r.raw(name); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *row) bool(name string) bool { return r.byte(name) != 0 }

func (r *row) name(name string) string {
	b := r.raw(name)
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// varlena returns the content of a varlena that is not in a TOAST table.
func (r *row) varlena(name string) []byte {
	raw := r.raw(name)
	if raw == nil {
		return nil
	}
	b, external, err := heap.Inline(raw)
	if err == nil && external != nil {
		err = fmt.Errorf("%s in a TOAST table: %w", name, heap.ErrCorrupt)
	}
	if err != nil && r.err == nil {
		r.err = err
	}
	return b
}

// oid returns the row's OID, which up to 11 is not a column.
func (r *row) oid() uint32 {
	if oid := r.tuple.OID(); oid != 0 {
		return oid
	}
	return r.uint32("oid")
}

// table is a catalog that can be read.
type table struct {
	locator pgdata.RelFileLocator
	columns []heap.Column
	index   map[string]int
}

func newTable(l pgdata.RelFileLocator, columns []column) *table {
	t := &table{locator: l, index: map[string]int{}}
	for i, c := range columns {
		t.columns = append(t.columns, c.Column)
		t.index[c.name] = i
	}
	return t
}

// scan calls visit for every visible row.
func (c *Cluster) scan(ctx context.Context, t *table, visible func(*heap.Tuple) bool, visit func(*row) error) error {
	r := row{t: t}
	next := pgdata.BlockNumber(0)
	page := func(b pgdata.BlockNumber, p heap.Page) error {
		next = b + 1
		tuples, err := c.tuples(t.locator, b, p)
		if err != nil {
			return err
		}
		for _, tuple := range tuples {
			if !visible(&tuple) {
				continue
			}
			r.tuple, r.err = tuple, nil
			// When pg_attribute is read for the first time, only its first columns are known.
			r.tuple.Columns = min(r.tuple.Columns, len(t.columns))
			if r.values, err = r.tuple.Values(t.columns, r.values); err != nil {
				return err
			}
			if err := visit(&r); err != nil {
				return err
			}
			if r.err != nil {
				return r.err
			}
		}
		return nil
	}
	if err := c.Pages(ctx, t.locator, page); err != nil || c.newer == nil {
		return err
	}
	for _, b := range c.newer.Blocks(t.locator) { // blocks that the file does not have yet
		if b >= next {
			if err := page(b, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// tuples returns the tuples of a page, as of the end of the WAL.
func (c *Cluster) tuples(l pgdata.RelFileLocator, b pgdata.BlockNumber, p heap.Page) ([]heap.Tuple, error) {
	if c.newer != nil {
		return c.newer.Tuples(l, b, p)
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	var tuples []heap.Tuple
	for t, err := range p.Tuples() {
		if err != nil {
			return nil, err
		}
		tuples = append(tuples, t)
	}
	return tuples, nil
}
