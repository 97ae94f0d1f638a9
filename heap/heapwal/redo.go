package heapwal

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/internal/xidset"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// Redo holds the changes in WAL to rows of some relations whose files may not have them
// yet: what crash recovery would write there. Unlike recovery it does not remove rows
// that are no longer visible to anyone.
type Redo struct {
	decoder   *Decoder
	format    walreader.Format
	want      func(pgdata.RelFileLocator) bool
	blocks    map[pgdata.RelFileLocator]map[pgdata.BlockNumber]*redoBlock
	committed xidset.Set
	aborted   xidset.Set
	maps      map[uint32][]byte
	frozen    bool
	missed    map[pgdata.RelFileLocator]bool
}

// redoBlock is the state of a block.
type redoBlock struct {
	base   heap.Page // page image; nil: the page in the file
	isNew  bool      // the block starts without rows
	rows   map[uint16]heap.Tuple
	ending map[uint16]ending
}

// ending is what an update or a deletion does to a row in the file.
type ending struct {
	xmax    uint32
	isMulti bool
	next    Place
}

// NewRedo returns a Redo for the wanted relations.
func NewRedo(f walreader.Format, want func(pgdata.RelFileLocator) bool) *Redo {
	return &Redo{
		decoder: NewDecoder(f), format: f, want: want, blocks: map[pgdata.RelFileLocator]map[pgdata.BlockNumber]*redoBlock{},
		committed: xidset.Set{}, aborted: xidset.Set{}, maps: map[uint32][]byte{}, missed: map[pgdata.RelFileLocator]bool{},
	}
}

// Freeze sets the state to return: everything is as of here. From later records only
// page images are used, for pages that no earlier record has changed: such an image
// also has the row versions that were on the page before.
func (r *Redo) Freeze() { r.frozen = true }

const relationMapHeader = 12 // xl_relmap_update: database, tablespace, length (utils/relmapper.h)

// Add adds a record. Records must be added in order.
func (r *Redo) Add(rec *walreader.Record) error {
	switch rec.Rmgr {
	case walreader.RmgrTransaction:
		r.end(rec)
		return nil
	}
	if r.frozen {
		r.images(rec, func(l pgdata.RelFileLocator, b pgdata.BlockNumber) bool { return r.blocks[l][b] == nil })
		return nil
	}
	switch rec.Rmgr {
	case walreader.RmgrStorage:
		if l, from, main, ok := r.format.StorageTruncate(rec); ok && main {
			maps.DeleteFunc(r.blocks[l], func(b pgdata.BlockNumber, _ *redoBlock) bool { return b >= from })
		}
		return nil
	case walreader.RmgrRelMap:
		if m := rec.MainData; len(m) > relationMapHeader {
			r.maps[binary.LittleEndian.Uint32(m)] = slices.Clone(m[relationMapHeader:])
		}
		return nil
	}
	r.images(rec, func(pgdata.RelFileLocator, pgdata.BlockNumber) bool { return true })
	if !Touches(rec) || len(rec.Blocks) == 0 || !r.want(rec.Blocks[0].Locator) {
		return nil
	}
	changes, err := r.decoder.Decode(rec)
	if err != nil {
		return err
	}
	for i := range changes {
		r.change(rec.XID, &changes[i])
	}
	return nil
}

// images takes a record's images of the wanted blocks.
func (r *Redo) images(rec *walreader.Record, want func(pgdata.RelFileLocator, pgdata.BlockNumber) bool) {
	for i := range rec.Blocks {
		ref := &rec.Blocks[i]
		if ref.Fork != pgdata.MainFork || !ref.HasImage && !ref.WillInit || !r.want(ref.Locator) || !want(ref.Locator, ref.Block) {
			continue
		}
		b := r.block(ref.Locator, ref.Block)
		*b = redoBlock{rows: map[uint16]heap.Tuple{}, ending: map[uint16]ending{}, isNew: true}
		if ref.HasImage {
			b.base = r.decoder.Image(rec, i)
		}
	}
}

func (r *Redo) end(rec *walreader.Record) {
	set := r.committed
	switch rec.TransactionEvent() {
	case walreader.Aborts:
		set = r.aborted
	case walreader.Commits:
	default:
		return
	}
	e, _ := r.format.Ended(rec)
	xid := rec.XID
	if e.Prepared != 0 {
		xid = e.Prepared
	}
	set.Add(xid)
	for sub := range e.Subtransactions() {
		set.Add(sub)
	}
}

func (r *Redo) block(l pgdata.RelFileLocator, n pgdata.BlockNumber) *redoBlock {
	of := r.blocks[l]
	if of == nil {
		of = map[pgdata.BlockNumber]*redoBlock{}
		r.blocks[l] = of
	}
	b := of[n]
	if b == nil {
		b = &redoBlock{rows: map[uint16]heap.Tuple{}, ending: map[uint16]ending{}}
		of[n] = b
	}
	return b
}

func (r *Redo) change(xid uint32, c *Change) {
	var old *heap.Tuple
	if c.Op == Update || c.Op == Delete {
		b := r.block(c.Locator, c.Old.Block)
		if t, ok := b.tuple(c.Old.Offset); ok {
			old = &t
		}
		next := c.Old
		if c.Op == Update {
			next = c.New
		}
		b.ending[c.Old.Offset] = ending{c.OldXMax, c.OldIsMulti, next}
	}
	switch c.Op {
	case Insert, Update, Speculative:
	case Retract:
		delete(r.block(c.Locator, c.Old.Block).rows, c.Old.Offset)
		return
	default:
		return
	}
	b := r.block(c.Locator, c.New.Block)
	delete(b.ending, c.New.Offset)
	delete(b.rows, c.New.Offset) // the old row is gone, whether or not the new one is known
	if !c.NewRow.Known || old == nil && (c.NewRow.Prefix > 0 || c.NewRow.Suffix > 0) {
		return // the row is in the image; without an image it is lost
	}
	t, err := c.NewRow.Complete(old)
	if err != nil {
		return
	}
	t.XMin, t.XMax, t.NextBlock, t.NextOffset, t.Offset = xid, 0, uint32(c.New.Block), c.New.Offset, c.New.Offset
	b.rows[c.New.Offset] = t
}

func (b *redoBlock) tuple(offset uint16) (heap.Tuple, bool) {
	if t, has := b.rows[offset]; has {
		return t, true
	}
	t, ok, err := b.base.Tuple(offset)
	return t, ok && err == nil
}

// Status reports whether a transaction committed, if it ended.
func (r *Redo) Status(xid uint32) (committed, known bool) {
	committed = r.committed.Has(xid)
	return committed, committed || r.aborted.Has(xid)
}

// RelationMap returns the map of a database, or of the shared catalogs, if it was
// written.
func (r *Redo) RelationMap(database uint32) []byte { return r.maps[database] }

// ask records that a relation was asked for that is not wanted.
func (r *Redo) ask(l pgdata.RelFileLocator) {
	if !r.want(l) {
		r.missed[l] = true
	}
}

// Missed returns the relations that were asked for but not wanted. Redo knows nothing
// of these: another one must be made that wants them, too.
func (r *Redo) Missed() map[pgdata.RelFileLocator]bool { return r.missed }

// Blocks returns the blocks of a relation that the WAL changes, in order.
func (r *Redo) Blocks(l pgdata.RelFileLocator) []pgdata.BlockNumber {
	r.ask(l)
	return slices.Sorted(maps.Keys(r.blocks[l]))
}

// Tuples returns the tuples of a page as of the end of the WAL.
func (r *Redo) Tuples(l pgdata.RelFileLocator, n pgdata.BlockNumber, page heap.Page) ([]heap.Tuple, error) {
	r.ask(l)
	b := r.blocks[l][n]
	if b != nil && (b.base != nil || b.isNew) {
		page = b.base
	}
	// A page that was torn by the crash has an image in the WAL.
	if err := page.Check(); err != nil {
		return nil, err
	}
	var tuples []heap.Tuple
	for t, err := range page.Tuples() {
		if err != nil {
			return nil, err
		}
		if b != nil {
			if _, newer := b.rows[t.Offset]; newer {
				continue
			}
		}
		tuples = append(tuples, t)
	}
	if b == nil {
		return tuples, nil
	}
	for _, offset := range slices.Sorted(maps.Keys(b.rows)) {
		tuples = append(tuples, b.rows[offset])
	}
	for i := range tuples {
		if e, has := b.ending[tuples[i].Offset]; has {
			tuples[i].End(e.xmax, e.isMulti, uint32(e.next.Block), e.next.Offset)
		}
	}
	return tuples, nil
}
