package catalog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/pgdata"
)

// ErrGone is wrapped by errors about a value in a TOAST table that is no longer there.
var ErrGone = errors.New("it is no longer in the TOAST table")

// toastTable has the files of a TOAST table and its index.
type toastTable struct{ heap, index pgdata.RelFileLocator }

// chunkColumns are the columns of a TOAST table: chunk_id, chunk_seq, chunk_data
// (catalog/toasting.c).
var chunkColumns = []heap.Column{{Len: 4, Align: 'i'}, {Len: 4, Align: 'i'}, {Len: -1, Align: 'i'}}

// Chunk is a row of a TOAST table.
type Chunk struct {
	ID, Seq uint32
	Data    []byte
}

// ParseChunk reads a row of a TOAST table.
func ParseChunk(t *heap.Tuple) (Chunk, error) {
	values, err := t.Values(chunkColumns, nil)
	if err != nil {
		return Chunk{}, err
	}
	for _, v := range values {
		if v.State != heap.Present {
			return Chunk{}, fmt.Errorf("a row of a TOAST table with a null: %w", heap.ErrCorrupt)
		}
	}
	data, external, err := heap.Inline(values[2].Raw)
	if err == nil && external != nil {
		err = fmt.Errorf("a row of a TOAST table in a TOAST table: %w", heap.ErrCorrupt)
	}
	return Chunk{binary.LittleEndian.Uint32(values[0].Raw), binary.LittleEndian.Uint32(values[1].Raw), data}, err
}

// Fetch returns a value from a TOAST table, as it is stored there, whether its rows are
// dead or alive. The error wraps ErrGone if a piece of it is missing.
func (d *Database) Fetch(e *heap.External) ([]byte, error) {
	files, known := d.toastFiles[e.Table]
	if !known {
		return nil, fmt.Errorf("value %d: there is no TOAST table %d: %w", e.ValueID, e.Table, ErrGone)
	}
	if d.toastLookup == nil {
		d.toastLookup = &toastReader{c: d.cluster}
	}
	return d.toastLookup.fetch(files, e)
}

// toastReader finds chunks by the index of their table.
type toastReader struct {
	c    *Cluster
	page []byte
}

func (r *toastReader) fetch(files toastTable, e *heap.External) ([]byte, error) {
	places, err := r.places(files.index, e.ValueID)
	if err != nil {
		return nil, fmt.Errorf("value %d of TOAST table %d: %w", e.ValueID, e.Table, err)
	}
	chunks := map[uint32][]byte{}
	for _, at := range places {
		page, err := r.c.Page(files.heap, at.block, r.page)
		if err != nil {
			return nil, err
		}
		if page == nil {
			continue
		}
		r.page = page
		tuple, ok, err := page.Tuple(at.offset)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		chunk, err := ParseChunk(&tuple)
		if err != nil {
			return nil, err
		}
		if chunk.ID != e.ValueID {
			continue // the line pointer has been reused
		}
		if other, twice := chunks[chunk.Seq]; twice && !bytes.Equal(other, chunk.Data) {
			return nil, fmt.Errorf("value %d of TOAST table %d is there twice: %w", e.ValueID, e.Table, ErrGone)
		}
		chunks[chunk.Seq] = bytes.Clone(chunk.Data)
	}
	return JoinChunks(chunks, e)
}

// JoinChunks assembles the pieces of a value.
func JoinChunks(chunks map[uint32][]byte, e *heap.External) ([]byte, error) {
	stored := make([]byte, 0, min(int(e.Size), 1<<20))
	for i := range len(chunks) {
		chunk, has := chunks[uint32(i)]
		if !has {
			break
		}
		stored = append(stored, chunk...)
	}
	if len(stored) != int(e.Size) {
		return nil, fmt.Errorf("%d of %d bytes of value %d of TOAST table %d: %w", len(stored), e.Size, e.ValueID, e.Table, ErrGone)
	}
	return stored, nil
}

// The layout of B-tree pages and tuples (access/nbtree.h, access/itup.h).
const (
	btreeMagic    = 0x053162
	btreeSpecial  = 16
	btreeLeaf     = 1 << 0
	btreeDeleted  = 1 << 2
	btreeHalfDead = 1 << 4
	tupleSizeMask = 0x1FFF
	tupleAltTID   = 0x2000 // the TID has another meaning (11)
	tidPosting    = 0x2000 // in that TID: the tuple has a list of TIDs (13)
	tidNumber     = 0x0FFF // in that TID: number of columns, or of TIDs
	maxDepth      = 32
	maxPlaces     = 1 << 20 // maximum number of chunks of one value
)

type place struct {
	block  pgdata.BlockNumber
	offset uint16
}

// node is a page of a B-tree.
type node struct {
	heap.Page
	next  pgdata.BlockNumber // zero for the last page of its level
	level uint32
	flags uint16
}

func (r *toastReader) node(index pgdata.RelFileLocator, b pgdata.BlockNumber) (node, error) {
	page, err := r.c.Page(index, b, nil)
	switch {
	case err != nil:
		return node{}, err
	case page == nil || page.IsNew():
		return node{}, fmt.Errorf("its index has no page %d: %w", b, ErrGone)
	}
	if err := page.Check(); err != nil {
		return node{}, fmt.Errorf("page %d of its index: %w", b, err)
	}
	special := page[len(page)-btreeSpecial:]
	return node{
		Page: page, next: pgdata.BlockNumber(binary.LittleEndian.Uint32(special[4:])),
		level: binary.LittleEndian.Uint32(special[8:]), flags: binary.LittleEndian.Uint16(special[12:]),
	}, nil
}

// places finds the chunks of a value: it goes from the root of the index down to the
// first leaf that may have them, and from there to the right.
func (r *toastReader) places(index pgdata.RelFileLocator, id uint32) ([]place, error) {
	meta, err := r.node(index, 0)
	if err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(meta.Page[24:]) != btreeMagic {
		return nil, fmt.Errorf("its index begins with no metapage: %w", heap.ErrCorrupt)
	}
	at := pgdata.BlockNumber(binary.LittleEndian.Uint32(meta.Page[32:]))
	if at == 0 {
		return nil, nil
	}
	for range maxDepth {
		n, err := r.node(index, at)
		switch {
		case err != nil:
			return nil, err
		case n.flags&btreeLeaf != 0:
			return r.leaves(index, n, id)
		}
		down, right, err := n.child(id)
		if err != nil {
			return nil, err
		}
		if at = down; right {
			at = n.next
		}
	}
	return nil, fmt.Errorf("its index is more than %d levels deep: %w", maxDepth, heap.ErrCorrupt)
}

// key returns the first of a tuple's key columns. A column that an inner tuple lacks
// counts as smaller than any value.
func key(item []byte, leaf bool) (id uint32, has bool) {
	info := binary.LittleEndian.Uint16(item[6:])
	if !leaf && info&tupleAltTID != 0 && binary.LittleEndian.Uint16(item[4:])&tidNumber == 0 {
		return 0, false
	}
	if len(item) < 12 || info&tupleSizeMask < 12 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(item[8:]), true
}

// child returns the page to descend to: that of the last tuple whose key is smaller
// than the first chunk's.
func (n *node) child(id uint32) (down pgdata.BlockNumber, right bool, err error) {
	first := 1
	if n.next != 0 {
		first = 2 // after the high key
		high, err := n.Item(1)
		if err != nil {
			return 0, false, err
		}
		if k, has := keyOf(high); has && k < id {
			return 0, true, nil
		}
	}
	for i := first; i <= n.Items(); i++ {
		item, err := n.Item(uint16(i))
		if err != nil {
			return 0, false, err
		}
		if len(item) < 8 {
			return 0, false, fmt.Errorf("its index has a tuple of %d bytes: %w", len(item), heap.ErrCorrupt)
		}
		if k, has := keyOf(item); i > first && has && k >= id {
			break
		}
		down = pgdata.BlockNumber(binary.LittleEndian.Uint16(item))<<16 | pgdata.BlockNumber(binary.LittleEndian.Uint16(item[2:]))
	}
	if down == 0 {
		return 0, false, fmt.Errorf("its index has an inner page without a way down: %w", heap.ErrCorrupt)
	}
	return down, false, nil
}

func keyOf(item []byte) (uint32, bool) {
	if len(item) < 8 {
		return 0, false
	}
	return key(item, false)
}

// leaves collects the places on a leaf and on those to its right.
func (r *toastReader) leaves(index pgdata.RelFileLocator, n node, id uint32) (places []place, err error) {
	for seen := 0; ; seen++ {
		first := 1
		if n.next != 0 {
			first = 2
		}
		for i := first; i <= n.Items() && n.flags&(btreeDeleted|btreeHalfDead) == 0; i++ {
			item, err := itemOf(n.Page, uint16(i))
			if err != nil {
				return nil, err
			}
			k, has := uint32(0), false
			if len(item) >= 8 {
				k, has = key(item, true)
			}
			switch {
			case !has:
				return nil, fmt.Errorf("its index has a tuple of %d bytes: %w", len(item), heap.ErrCorrupt)
			case k > id:
				return places, nil
			case k == id:
				if places, err = appendPlaces(places, item); err != nil {
					return nil, err
				}
			}
		}
		if n.next == 0 || len(places) > maxPlaces || seen > maxPlaces {
			return places, nil
		}
		if n, err = r.node(index, n.next); err != nil {
			return nil, err
		}
	}
}

// itemOf returns an index tuple, even if it is marked as dead: the row that it points
// to may still be there.
func itemOf(p heap.Page, n uint16) ([]byte, error) {
	item := binary.LittleEndian.Uint32(p[24+4*(int(n)-1):])
	offset, length := int(item&0x7FFF), int(item>>17)
	if offset+length > len(p) {
		return nil, fmt.Errorf("its index has %d bytes at %d of a page: %w", length, offset, heap.ErrCorrupt)
	}
	return p[offset : offset+length], nil
}

// appendPlaces adds the places that a leaf tuple points to.
func appendPlaces(places []place, item []byte) ([]place, error) {
	at := func(b []byte) place {
		return place{
			pgdata.BlockNumber(binary.LittleEndian.Uint16(b))<<16 | pgdata.BlockNumber(binary.LittleEndian.Uint16(b[2:])),
			binary.LittleEndian.Uint16(b[4:]),
		}
	}
	number := binary.LittleEndian.Uint16(item[4:])
	if binary.LittleEndian.Uint16(item[6:])&tupleAltTID == 0 || number&tidPosting == 0 {
		return append(places, at(item)), nil
	}
	list := int(at(item).block)
	n := int(number & tidNumber)
	if list+6*n > len(item) {
		return nil, fmt.Errorf("its index has a list of %d places in %d bytes: %w", n, len(item), heap.ErrCorrupt)
	}
	for i := range n {
		places = append(places, at(item[list+6*i:]))
	}
	return places, nil
}
