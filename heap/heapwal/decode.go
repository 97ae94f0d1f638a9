package heapwal

import (
	"encoding/binary"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// Info codes (access/heapam_xlog.h), the same in every major.
const (
	opMask = 0x70

	heapInsert    = 0x00
	heapDelete    = 0x10
	heapUpdate    = 0x20
	heapHotUpdate = 0x40
	heapConfirm   = 0x50

	heap2MultiInsert = 0x50

	initPage = 0x80 // the page is new, and has only what is in the record
)

// Flags of the records.
const (
	insertSpeculative = 1 << 2

	updateOldTuple = 1 << 2
	updateOldKey   = 1 << 3
	updatePrefix   = 1 << 5
	updateSuffix   = 1 << 6

	deleteOldTuple = 1 << 1
	deleteOldKey   = 1 << 2
	deleteSuper    = 1 << 3 // the deletion retracts a speculative insertion

	xmaxIsMulti = 0x01 // XLHL_XMAX_IS_MULTI
)

const (
	deleteSize      = 8
	updateSize      = 14
	insertSize      = 3
	heapHeaderSize  = 5 // xl_heap_header
	multiHeaderSize = 7 // xl_multi_insert_tuple
	maxPerPage      = 32 << 10
)

// Op is what happened to a row.
type Op uint8

// The operations on rows. Locks are not among them.
const (
	Insert      Op = iota + 1
	Update         // a new version, whether HOT or not
	Delete         //
	Speculative    // an insertion that only counts once it is confirmed: INSERT ... ON CONFLICT
	Confirm        // confirms a speculative insertion
	Retract        // retracts a speculative insertion, because the row already existed
)

// Place is where a row version is.
type Place struct {
	Block  pgdata.BlockNumber
	Offset uint16 // number of its line pointer, from 1
}

// Row is a row version, as far as the record has it.
type Row struct {
	Known bool // whether the record has anything of it
	// Prefix and Suffix are the number of bytes at the beginning and end of the values
	// that must be taken from the old version.
	Prefix, Suffix int
	mask2, mask    uint16
	hoff           uint8
	body           []byte
	tuple          heap.Tuple // from a page image
	whole          bool
}

// Change is what a record says of a row. It is valid as long as the record.
type Change struct {
	Op      Op
	Locator pgdata.RelFileLocator
	New     Place // zero for a deletion
	Old     Place // zero for an insertion
	// OldXMax is the xmax that the old version was given. OldIsMulti says that it is a
	// MultiXact.
	OldXMax    uint32
	OldIsMulti bool
	NewRow     Row
	OldRow     Row  // with wal_level = logical, or from a page image
	OldIsKey   bool // only the key of the old row is known
}

// Complete makes a tuple of the row. The old version is needed if Prefix or Suffix is
// not zero.
func (r *Row) Complete(old *heap.Tuple) (heap.Tuple, error) {
	if r.whole {
		return r.tuple, nil
	}
	if r.Prefix == 0 && r.Suffix == 0 {
		return heap.NewTuple(r.mask2, r.mask, r.hoff, r.body)
	}
	const header = 23
	bitmap := int(r.hoff) - header
	values := len(old.Data) - old.HeaderSize
	if bitmap < 0 || bitmap > len(r.body) || r.Prefix > values || r.Suffix > values {
		return heap.Tuple{}, corrupt("an update that takes %d and %d bytes of %d", r.Prefix, r.Suffix, values)
	}
	body := make([]byte, 0, len(r.body)+r.Prefix+r.Suffix)
	body = append(body, r.body[:bitmap]...)
	body = append(body, old.Data[old.HeaderSize:old.HeaderSize+r.Prefix]...)
	body = append(body, r.body[bitmap:]...)
	body = append(body, old.Data[len(old.Data)-r.Suffix:]...)
	return heap.NewTuple(r.mask2, r.mask, r.hoff, body)
}

// Decoder reads records. It is not safe for concurrent use.
type Decoder struct {
	format   walreader.Format
	contents []walreader.BlockContent
	changes  []Change
	images   images
	at       pgdata.LSN   // of the current record, which the following belong to
	pages    [4]heap.Page // images of its first blocks
	restored [4]bool
}

// NewDecoder returns a decoder for WAL of the given format.
func NewDecoder(f walreader.Format) *Decoder {
	return &Decoder{format: f, images: images{blockSize: int(f.Geometry.BlockSize)}}
}

// Touches reports whether a record changes rows.
func Touches(rec *walreader.Record) bool {
	switch rec.Rmgr {
	case walreader.RmgrHeap:
		switch rec.Info & opMask {
		case heapInsert, heapDelete, heapUpdate, heapHotUpdate, heapConfirm:
			return true
		}
	case walreader.RmgrHeap2:
		return rec.Info&opMask == heap2MultiInsert
	}
	return false
}

// Rows returns what a record does to rows, and to how many: this is enough to count
// them.
func Rows(rec *walreader.Record) (op Op, n int) {
	if !Touches(rec) || len(rec.Blocks) == 0 {
		return 0, 0
	}
	d := rec.MainData
	if rec.Rmgr == walreader.RmgrHeap2 {
		if len(d) < 4 {
			return 0, 0
		}
		return Insert, int(binary.LittleEndian.Uint16(d[2:]))
	}
	switch rec.Info & opMask {
	case heapInsert:
		if len(d) >= insertSize && d[2]&insertSpeculative != 0 {
			return Speculative, 1
		}
		return Insert, 1
	case heapDelete:
		if len(d) >= deleteSize && d[7]&deleteSuper != 0 {
			return Retract, 1
		}
		return Delete, 1
	case heapConfirm:
		return Confirm, 1
	}
	return Update, 1
}

// Decode returns what a record does to rows. The result is valid until the next call.
func (d *Decoder) Decode(rec *walreader.Record) ([]Change, error) {
	d.changes = d.changes[:0]
	if !Touches(rec) {
		return nil, nil
	}
	if len(rec.Blocks) == 0 || rec.Blocks[0].Fork != pgdata.MainFork {
		return nil, corrupt("a record of rows without a block of them")
	}
	d.begin(rec)
	if rec.Rmgr == walreader.RmgrHeap2 {
		return d.multiInsert(rec)
	}
	switch rec.Info & opMask {
	case heapInsert:
		return d.insert(rec)
	case heapDelete:
		return d.delete(rec)
	case heapConfirm:
		if len(rec.MainData) < 2 {
			return nil, corrupt("a confirmation of %d bytes", len(rec.MainData))
		}
		at := Place{rec.Blocks[0].Block, binary.LittleEndian.Uint16(rec.MainData)}
		return append(d.changes, Change{Op: Confirm, Locator: rec.Blocks[0].Locator, New: at}), nil
	}
	return d.update(rec)
}

func (d *Decoder) begin(rec *walreader.Record) {
	if d.at == rec.LSN {
		return
	}
	d.at = rec.LSN
	d.contents = d.format.Contents(rec, d.contents)
	d.pages, d.restored = [4]heap.Page{}, [4]bool{}
}

// Image returns the page image that a record has of one of its blocks, by the index in
// Blocks. It is nil if there is none, or it cannot be read. The image remains valid.
func (d *Decoder) Image(rec *walreader.Record, block int) heap.Page {
	if block < 0 || block >= len(rec.Blocks) || !rec.Blocks[block].HasImage {
		return nil
	}
	d.begin(rec)
	if block < len(d.pages) && d.restored[block] {
		return d.pages[block]
	}
	page, err := d.images.restore(&d.contents[block].Image)
	if err != nil {
		page = nil
	}
	if block < len(d.pages) {
		d.pages[block], d.restored[block] = page, true
	}
	return page
}

// fromImage finds a row version in the image of a block.
func (d *Decoder) fromImage(rec *walreader.Record, block int, offset uint16) Row {
	if page := d.Image(rec, block); page != nil {
		if t, ok, err := page.Tuple(offset); ok && err == nil {
			return Row{Known: true, whole: true, tuple: t}
		}
	}
	return Row{}
}

// logged reads an xl_heap_header and what follows it.
func logged(b []byte) (Row, error) {
	if len(b) < heapHeaderSize {
		return Row{}, corrupt("a row of %d bytes in a record", len(b))
	}
	return Row{
		Known: true, mask2: binary.LittleEndian.Uint16(b), mask: binary.LittleEndian.Uint16(b[2:]), hoff: b[4], body: b[heapHeaderSize:],
	}, nil
}

func (d *Decoder) insert(rec *walreader.Record) (_ []Change, err error) {
	if len(rec.MainData) < insertSize {
		return nil, corrupt("an insertion of %d bytes", len(rec.MainData))
	}
	c := Change{Op: Insert, Locator: rec.Blocks[0].Locator}
	c.New = Place{rec.Blocks[0].Block, binary.LittleEndian.Uint16(rec.MainData)}
	if rec.MainData[2]&insertSpeculative != 0 {
		c.Op = Speculative
	}
	if data := d.contents[0].Data; data != nil {
		c.NewRow, err = logged(data)
	} else {
		c.NewRow = d.fromImage(rec, 0, c.New.Offset)
	}
	return append(d.changes, c), err
}

func (d *Decoder) delete(rec *walreader.Record) (_ []Change, err error) {
	m := rec.MainData
	if len(m) < deleteSize {
		return nil, corrupt("a deletion of %d bytes", len(m))
	}
	flags := m[7]
	c := Change{
		Op: Delete, Locator: rec.Blocks[0].Locator, Old: Place{rec.Blocks[0].Block, binary.LittleEndian.Uint16(m[4:])},
		OldXMax: binary.LittleEndian.Uint32(m), OldIsMulti: m[6]&xmaxIsMulti != 0,
	}
	if flags&deleteSuper != 0 {
		c.Op = Retract
	}
	c.OldRow = d.fromImage(rec, 0, c.Old.Offset)
	if !c.OldRow.Known && flags&(deleteOldTuple|deleteOldKey) != 0 {
		c.OldRow, err = logged(m[deleteSize:])
		c.OldIsKey = flags&deleteOldKey != 0
	}
	return append(d.changes, c), err
}

func (d *Decoder) update(rec *walreader.Record) (_ []Change, err error) {
	m := rec.MainData
	if len(m) < updateSize {
		return nil, corrupt("an update of %d bytes", len(m))
	}
	// The block of the old version is the second block of the table in the record, or the
	// only one. Blocks of the visibility map may follow (19).
	flags, old := m[7], 0
	for i := range rec.Blocks[1:] {
		switch ref := &rec.Blocks[i+1]; {
		case ref.Fork != pgdata.MainFork:
		case old > 0 || ref.Locator != rec.Blocks[0].Locator:
			return nil, corrupt("an update with %d blocks", len(rec.Blocks))
		default:
			old = i + 1
		}
	}
	c := Change{
		Op: Update, Locator: rec.Blocks[0].Locator,
		New:     Place{rec.Blocks[0].Block, binary.LittleEndian.Uint16(m[12:])},
		Old:     Place{rec.Blocks[old].Block, binary.LittleEndian.Uint16(m[4:])},
		OldXMax: binary.LittleEndian.Uint32(m), OldIsMulti: m[6]&xmaxIsMulti != 0,
	}
	c.OldRow = d.fromImage(rec, old, c.Old.Offset)
	if !c.OldRow.Known && flags&(updateOldTuple|updateOldKey) != 0 {
		if c.OldRow, err = logged(m[updateSize:]); err != nil {
			return nil, err
		}
		c.OldIsKey = flags&updateOldKey != 0
	}
	data := d.contents[0].Data
	if data == nil {
		c.NewRow = d.fromImage(rec, 0, c.New.Offset)
		return append(d.changes, c), nil
	}
	var lengths [2]int
	for i, flag := range []byte{updatePrefix, updateSuffix} {
		if flags&flag == 0 {
			continue
		}
		if len(data) < 2 {
			return nil, corrupt("an update without its prefix or suffix")
		}
		lengths[i], data = int(binary.LittleEndian.Uint16(data)), data[2:]
	}
	if c.NewRow, err = logged(data); err != nil {
		return nil, err
	}
	c.NewRow.Prefix, c.NewRow.Suffix = lengths[0], lengths[1]
	return append(d.changes, c), nil
}

// multiInsert decodes a record that has the length and header of each row, aligned to
// two bytes and, if the page is not new, the numbers of their line pointers.
func (d *Decoder) multiInsert(rec *walreader.Record) ([]Change, error) {
	m := rec.MainData
	if len(m) < 4 {
		return nil, corrupt("insertions of %d bytes", len(m))
	}
	n, isNew := int(binary.LittleEndian.Uint16(m[2:])), rec.Info&initPage != 0
	if n > maxPerPage || !isNew && len(m) < 4+2*n {
		return nil, corrupt("%d insertions in %d bytes", n, len(m))
	}
	data := d.contents[0].Data
	at := 0
	for i := range n {
		c := Change{Op: Insert, Locator: rec.Blocks[0].Locator, New: Place{rec.Blocks[0].Block, uint16(i + 1)}}
		if !isNew {
			c.New.Offset = binary.LittleEndian.Uint16(m[4+2*i:])
		}
		if data == nil {
			c.NewRow = d.fromImage(rec, 0, c.New.Offset)
			d.changes = append(d.changes, c)
			continue
		}
		at = (at + 1) &^ 1
		if at+multiHeaderSize > len(data) {
			return nil, corrupt("%d insertions in %d bytes", n, len(data))
		}
		length := int(binary.LittleEndian.Uint16(data[at:]))
		row := Row{
			Known: true, mask2: binary.LittleEndian.Uint16(data[at+2:]), mask: binary.LittleEndian.Uint16(data[at+4:]), hoff: data[at+6],
		}
		if at += multiHeaderSize; at+length > len(data) {
			return nil, corrupt("an insertion of %d bytes where %d are left", length, len(data)-at)
		}
		row.body = data[at : at+length]
		at += length
		c.NewRow = row
		d.changes = append(d.changes, c)
	}
	return d.changes, nil
}
