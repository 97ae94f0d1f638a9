package heap

import "encoding/binary"

// Bits of t_infomask and t_infomask2 (access/htup_details.h).
const (
	hasNull       = 0x0001
	hasOID        = 0x0008 // up to 11
	xmaxKeyShared = 0x0010
	xmaxExclusive = 0x0040
	xmaxLockOnly  = 0x0080
	xminCommitted = 0x0100
	xminInvalid   = 0x0200
	xminFrozen    = xminCommitted | xminInvalid
	xmaxCommitted = 0x0400
	xmaxInvalid   = 0x0800
	xmaxIsMulti   = 0x1000
	columnsMask   = 0x07FF

	headerSize = 23 // SizeofHeapTupleHeader, without the bitmap
)

// Tuple is a row version.
type Tuple struct {
	Offset     uint16 // number of its line pointer, from 1; zero if it is not from a page
	XMin, XMax uint32
	NextBlock  uint32 // t_ctid: the next version, or this one itself
	NextOffset uint16
	Mask       uint16 // t_infomask
	Columns    int    // number of values
	HeaderSize int    // t_hoff
	Data       []byte // the whole tuple, header included
}

// ParseTuple reads a tuple's header.
func ParseTuple(raw []byte) (Tuple, error) {
	if len(raw) < headerSize {
		return Tuple{}, corrupt("a tuple of %d bytes", len(raw))
	}
	t := Tuple{
		XMin: binary.LittleEndian.Uint32(raw), XMax: binary.LittleEndian.Uint32(raw[4:]),
		NextBlock:  uint32(binary.LittleEndian.Uint16(raw[12:]))<<16 | uint32(binary.LittleEndian.Uint16(raw[14:])),
		NextOffset: binary.LittleEndian.Uint16(raw[16:]),
		Columns:    int(binary.LittleEndian.Uint16(raw[18:]) & columnsMask),
		Mask:       binary.LittleEndian.Uint16(raw[20:]),
		HeaderSize: int(raw[22]), Data: raw,
	}
	return t, t.check()
}

func (t *Tuple) check() error {
	need := headerSize
	if t.Mask&hasNull != 0 {
		need += (t.Columns + 7) / 8
	}
	if t.Mask&hasOID != 0 {
		need += 4
	}
	if t.HeaderSize < need || t.HeaderSize > len(t.Data) || t.HeaderSize%4 != 0 {
		return corrupt("a tuple of %d bytes and %d columns whose values begin at %d", len(t.Data), t.Columns, t.HeaderSize)
	}
	return nil
}

// NewTuple makes a tuple of what a WAL record has of it: two masks, t_hoff and what
// follows the header (xl_heap_header, access/heapam_xlog.h).
func NewTuple(mask2, mask uint16, hoff uint8, body []byte) (Tuple, error) {
	raw := make([]byte, headerSize+len(body))
	binary.LittleEndian.PutUint16(raw[18:], mask2)
	binary.LittleEndian.PutUint16(raw[20:], mask)
	raw[22] = hoff
	copy(raw[headerSize:], body)
	return ParseTuple(raw)
}

// OID returns the OID of a row of a table WITH OIDS, up to 11, or zero.
func (t *Tuple) OID() uint32 {
	if t.Mask&hasOID == 0 {
		return 0
	}
	return binary.LittleEndian.Uint32(t.Data[t.HeaderSize-4:])
}

// Frozen reports whether all transactions see the tuple.
func (t *Tuple) Frozen() bool { return t.Mask&xminFrozen == xminFrozen || t.XMin == 2 || t.XMin == 1 }

// XMaxIsMulti reports whether XMax is a MultiXact.
func (t *Tuple) XMaxIsMulti() bool { return t.Mask&xmaxIsMulti != 0 }

// Deleted reports whether XMax deleted or updated the tuple, provided that XMax is a
// transaction that committed.
func (t *Tuple) Deleted() bool {
	locked := t.Mask&xmaxLockOnly != 0 || t.Mask&(xmaxIsMulti|xmaxExclusive|xmaxKeyShared) == xmaxExclusive
	return t.XMax != 0 && t.Mask&xmaxInvalid == 0 && !locked
}

// End records that a transaction deleted the tuple, or updated it to a version
// elsewhere. The bytes remain as they are.
func (t *Tuple) End(xmax uint32, isMulti bool, nextBlock uint32, nextOffset uint16) {
	t.XMax, t.NextBlock, t.NextOffset = xmax, nextBlock, nextOffset
	t.Mask &^= xmaxInvalid | xmaxCommitted | xmaxLockOnly | xmaxIsMulti | xmaxExclusive | xmaxKeyShared
	if isMulti {
		t.Mask |= xmaxIsMulti
	}
}

// Visible reports whether a tuple is visible to someone who sees all committed
// transactions. committed reports which these are.
func (t *Tuple) Visible(committed func(xid uint32) bool) bool {
	if !t.Frozen() && !committed(t.XMin) {
		return false
	}
	if !t.Deleted() {
		return true
	}
	if t.XMaxIsMulti() {
		return t.NextOffset == t.Offset // if there is a next version, this one is old
	}
	return !committed(t.XMax)
}

// Column is what must be known of a column to find its values (catalog/pg_attribute.h).
type Column struct {
	Len   int16 // attlen: bytes, or -1 for a varlena, or -2 for a zero-terminated string
	Align byte  // attalign: c, s, i or d
}

// State says whether a tuple has a value for a column.
type State uint8

// The states of a value.
const (
	Absent  State = iota // the column was added after the tuple was written
	Null                 // it is null
	Present              // the tuple has a value
)

// Value is the value of a column, as stored in a tuple.
type Value struct {
	State State
	Raw   []byte // a varlena includes its header
}

// Values finds the values of a tuple. They share its memory. A tuple may have fewer
// columns than the table, but not more.
func (t *Tuple) Values(columns []Column, into []Value) ([]Value, error) {
	into = into[:0]
	if t.Columns > len(columns) {
		return into, corrupt("a tuple of %d columns in a table of %d", t.Columns, len(columns))
	}
	var bitmap []byte
	if t.Mask&hasNull != 0 {
		bitmap = t.Data[headerSize : headerSize+(t.Columns+7)/8]
	}
	f := Fields{Data: t.Data, At: t.HeaderSize, Origin: t.HeaderSize}
	for i, c := range columns {
		switch {
		case i >= t.Columns:
			into = append(into, Value{})
		case bitmap != nil && bitmap[i/8]&(1<<(i%8)) == 0:
			into = append(into, Value{State: Null})
		default:
			raw, err := f.Next(c)
			if err != nil {
				return into, err
			}
			into = append(into, Value{State: Present, Raw: raw})
		}
	}
	return into, nil
}

// Fields reads consecutive values, as in tuples and ranges.
type Fields struct {
	Data   []byte
	At     int // offset where the next value is looked for
	Origin int // offset from which alignment counts
}

// Next returns the next value, with the header of a varlena (access/tupmacs.h).
func (f *Fields) Next(c Column) ([]byte, error) {
	// A short varlena is not aligned. Padding is zeros, which no short header is.
	if c.Len != -1 || f.At >= len(f.Data) || f.Data[f.At] == 0 {
		f.Skip(c.Align)
	}
	rest := f.Data[min(f.At, len(f.Data)):]
	n := int(c.Len)
	switch {
	case n == -1:
		var err error
		if n, err = VarlenaSize(rest); err != nil {
			return nil, err
		}
	case n == -2:
		for n = 0; n < len(rest) && rest[n] != 0; n++ {
		}
		n++
	case n <= 0:
		return nil, corrupt("a column of %d bytes", n)
	}
	if f.At > len(f.Data) || n > len(rest) {
		return nil, corrupt("a value of %d bytes where %d are left", n, len(rest))
	}
	f.At += n
	return rest[:n:n], nil
}

// Skip advances to the next offset with the given alignment.
func (f *Fields) Skip(align byte) {
	a := alignment(align)
	f.At = f.Origin + (f.At-f.Origin+a-1)&^(a-1)
}

func alignment(a byte) int {
	switch a {
	case 's':
		return 2
	case 'i':
		return 4
	case 'd':
		return 8
	}
	return 1
}
