package rows

import (
	"bytes"
	"container/list"

	"github.com/gorewind/gorewind/catalog"
	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/pgdata"
)

// versions keeps the row versions that WAL put in each place, to report a row that is
// updated or deleted as it was. Every version that is put on a page is logged, so the
// last one seen in a place is the one that is there. Versions dropped for lack of space
// are looked for in the target's files. There, only the xmin or xmax that the record
// gives shows that a version is the same.
type versions struct {
	limit  int
	size   int
	blocks map[blockID]*list.Element // elements are *block
	recent list.List                 // most recently used first
	files  *catalog.Cluster
	page   heap.Page // the last page read from the files
	pageID blockID
}

type blockID struct {
	locator pgdata.RelFileLocator
	number  pgdata.BlockNumber
}

// block is what is known of a block.
type block struct {
	id    blockID
	image heap.Page
	rows  map[uint16][]byte // versions since the image, by offset
	size  int
}

func newVersions(limit int, files *catalog.Cluster) *versions {
	return &versions{limit: limit, blocks: map[blockID]*list.Element{}, files: files}
}

const blockOverhead = 200

func (v *versions) block(id blockID, create bool) *block {
	if e := v.blocks[id]; e != nil {
		v.recent.MoveToFront(e)
		return e.Value.(*block)
	}
	if !create {
		return nil
	}
	b := &block{id: id, rows: map[uint16][]byte{}, size: blockOverhead}
	v.blocks[id] = v.recent.PushFront(b)
	v.size += b.size
	return b
}

func (v *versions) grow(b *block, by int) {
	b.size += by
	v.size += by
	for v.size > v.limit && v.recent.Len() > 1 {
		last := v.recent.Back()
		old := v.recent.Remove(last).(*block)
		delete(v.blocks, old.id)
		v.size -= old.size
	}
}

// image records the content of a whole page; nil for one without rows.
func (v *versions) image(id blockID, page heap.Page) {
	b := v.block(id, true)
	by := len(page) - len(b.image)
	for _, row := range b.rows {
		by -= len(row) + rowOverhead
	}
	b.image = page
	clear(b.rows)
	v.grow(b, by)
}

const rowOverhead = 64

// put records a row version. One that is not known hides what was there before.
func (v *versions) put(l pgdata.RelFileLocator, at heapwal.Place, row []byte) {
	b := v.block(blockID{l, at.Block}, true)
	old, has := b.rows[at.Offset]
	by := len(row) - len(old)
	if !has {
		by += rowOverhead
	}
	b.rows[at.Offset] = row
	v.grow(b, by)
}

// forget records that nothing is known of a block.
func (v *versions) forget(id blockID) {
	if e := v.blocks[id]; e != nil {
		v.size -= v.recent.Remove(e).(*block).size
		delete(v.blocks, id)
	}
}

// cut drops the blocks of a relation from one on.
func (v *versions) cut(l pgdata.RelFileLocator, from pgdata.BlockNumber) {
	for id, e := range v.blocks {
		if id.locator == l && id.number >= from {
			v.size -= v.recent.Remove(e).(*block).size
			delete(v.blocks, id)
		}
	}
}

// logged returns the version that WAL last put in a place, if it is known.
func (v *versions) logged(l pgdata.RelFileLocator, at heapwal.Place) (heap.Tuple, bool) {
	b := v.block(blockID{l, at.Block}, false)
	if b == nil {
		return heap.Tuple{}, false
	}
	if raw, has := b.rows[at.Offset]; has {
		t, err := heap.ParseTuple(raw)
		return t, err == nil
	}
	if b.image == nil {
		return heap.Tuple{}, false
	}
	t, ok, err := b.image.Tuple(at.Offset)
	return t, ok && err == nil
}

// stored returns the tuple in a place of the target's files.
func (v *versions) stored(l pgdata.RelFileLocator, at heapwal.Place) (heap.Tuple, bool, error) {
	if id := (blockID{l, at.Block}); v.page == nil || v.pageID != id {
		page, err := v.files.Page(l, at.Block, v.page)
		if err != nil || page == nil {
			return heap.Tuple{}, false, err
		}
		v.page, v.pageID = page, id
	}
	if v.page.Check() != nil {
		return heap.Tuple{}, false, nil
	}
	t, ok, err := v.page.Tuple(at.Offset)
	return t, ok && err == nil, nil
}

// old finds the version that a change updates or deletes.
func (v *versions) old(c *heapwal.Change) (heap.Tuple, bool, error) {
	if t, ok := v.logged(c.Locator, c.Old); ok {
		return t, true, nil
	}
	if c.OldRow.Known && !c.OldIsKey {
		t, err := c.OldRow.Complete(nil)
		return t, err == nil, err
	}
	t, ok, err := v.stored(c.Locator, c.Old)
	if !ok || err != nil || t.XMax != c.OldXMax || t.XMaxIsMulti() != c.OldIsMulti || !t.Deleted() {
		return heap.Tuple{}, false, err
	}
	t.Data = bytes.Clone(t.Data)
	return t, true, nil
}

// new finds the version that a change makes, for a transaction.
func (v *versions) new(c *heapwal.Change, xid uint32, old *heap.Tuple) (heap.Tuple, bool, error) {
	switch {
	case !c.NewRow.Known:
	case c.NewRow.Prefix == 0 && c.NewRow.Suffix == 0, old != nil:
		t, err := c.NewRow.Complete(old)
		return t, err == nil, err
	}
	t, ok, err := v.stored(c.Locator, c.New)
	if !ok || err != nil || t.XMin != xid {
		return heap.Tuple{}, false, err
	}
	t.Data = bytes.Clone(t.Data)
	return t, true, nil
}
