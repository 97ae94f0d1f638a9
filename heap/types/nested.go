package types

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/gorewind/gorewind/heap"
)

const varlenaHeader = 4 // alignment within a varlena counts from before it

func (t *Type) label(dst, b []byte) ([]byte, error) {
	if len(b) != 4 {
		return nil, corrupt("an enum of %d bytes", len(b))
	}
	oid := binary.LittleEndian.Uint32(b)
	label, known := t.Labels[oid]
	if !known {
		return nil, corrupt("enum %s has no label %d", t.Name, oid)
	}
	return append(dst, label...), nil
}

func (t *Type) column() heap.Column { return heap.Column{Len: t.Len, Align: t.Align} }

// fieldsAfter returns the fields after a varlena's header, starting at an offset in b, which
// does not include that header.
func fieldsAfter(b []byte, at int) *heap.Fields {
	return &heap.Fields{Data: b, At: at, Origin: -varlenaHeader}
}

const maxDimensions = 6 // MAXDIM (utils/array.h)

// array formats an array (utils/array.h): the number of dimensions, the offset of the
// elements if some are null, their type, the lengths and lower bounds of the
// dimensions, a bitmap of the elements that are not null, and the elements.
func (p *Printer) array(dst []byte, t *Type, b []byte, depth int) ([]byte, error) {
	if len(b) < 12 {
		return nil, corrupt("an array of %d bytes", len(b))
	}
	dimensions, data, of := int(int32(binary.LittleEndian.Uint32(b))), int(int32(binary.LittleEndian.Uint32(b[4:]))), binary.LittleEndian.Uint32(b[8:])
	if dimensions == 0 {
		return append(dst, "{}"...), nil
	}
	element := p.Types.Type(of)
	switch {
	case dimensions < 0 || dimensions > maxDimensions || len(b) < 12+8*dimensions:
		return nil, corrupt("an array of %d dimensions in %d bytes", dimensions, len(b))
	case element == nil || of != t.Element:
		return nil, corrupt("an array of type %d in one of type %d", of, t.Element)
	}
	lengths, count, odd := make([]int, dimensions), int64(1), false
	for i := range lengths {
		n := int32(binary.LittleEndian.Uint32(b[12+4*i:]))
		if n < 0 || count*int64(n) > int64(8*len(b)) {
			return nil, corrupt("an array with %d elements in a dimension", n)
		}
		lengths[i], count = int(n), count*int64(n)
		odd = odd || binary.LittleEndian.Uint32(b[12+4*(dimensions+i):]) != 1
	}
	if odd {
		for i, n := range lengths {
			lower := int64(int32(binary.LittleEndian.Uint32(b[12+4*(dimensions+i):])))
			dst = append(strconv.AppendInt(append(dst, '['), lower, 10), ':')
			dst = append(strconv.AppendInt(dst, lower+int64(n)-1, 10), ']')
		}
		dst = append(dst, '=')
	}
	header := 12 + 8*dimensions
	var nulls []byte
	f := fieldsAfter(b, header)
	if data != 0 {
		if nulls = b[header:]; int64(len(nulls)) < (count+7)/8 || data < varlenaHeader+header {
			return nil, corrupt("an array of %d elements and %d bytes", count, len(b))
		}
		f.At = data - varlenaHeader
	} else {
		f.Skip('d')
	}
	w := &elements{p: p, t: element, lengths: lengths, nulls: nulls, fields: f, depth: depth + 1}
	return w.write(dst, 0)
}

// elements writes the elements of an array.
type elements struct {
	p       *Printer
	t       *Type
	lengths []int
	nulls   []byte // bitmap, or nil
	fields  *heap.Fields
	depth   int
	index   int
}

func (w *elements) write(dst []byte, dimension int) (_ []byte, err error) {
	delimiter := w.t.Delimiter
	if delimiter == 0 {
		delimiter = ','
	}
	dst = append(dst, '{')
	for i := range w.lengths[dimension] {
		if i > 0 {
			dst = append(dst, delimiter)
		}
		if dimension+1 < len(w.lengths) {
			dst, err = w.write(dst, dimension+1)
		} else {
			dst, err = w.element(dst, delimiter)
		}
		if err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func (w *elements) element(dst []byte, delimiter byte) ([]byte, error) {
	i := w.index
	w.index++
	if len(dst) > maxText {
		return nil, corrupt("an array that takes more than %d bytes", maxText)
	}
	if w.nulls != nil && w.nulls[i/8]&(1<<(i%8)) == 0 {
		return append(dst, "NULL"...), nil
	}
	raw, err := w.fields.Next(w.t.column())
	if err != nil {
		return nil, err
	}
	text, err := w.p.append(nil, w.t.OID, raw, w.depth)
	if err != nil {
		return nil, err
	}
	plain := len(text) > 0 && !strings.EqualFold(string(text), "NULL")
	for _, c := range text {
		plain = plain && c != '"' && c != '\\' && c != '{' && c != '}' && c != delimiter && !isSpace(c)
	}
	if plain {
		return append(dst, text...), nil
	}
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"'), nil
}

// composite formats a tuple in which xmin, xmax and cid are replaced by the length, the
// type modifier and the type (struct DatumTupleFields, access/htup_details.h).
func (p *Printer) composite(dst []byte, t *Type, b []byte, depth int) ([]byte, error) {
	raw := make([]byte, varlenaHeader+len(b))
	copy(raw[varlenaHeader:], b)
	tuple, err := heap.ParseTuple(raw)
	if err != nil {
		return nil, err
	}
	columns := make([]heap.Column, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = c.Column
	}
	values, err := tuple.Values(columns, nil)
	if err != nil {
		return nil, err
	}
	dst = append(dst, '(')
	first := true
	for i, c := range t.Columns {
		if c.Dropped {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if values[i].State != heap.Present {
			continue
		}
		text, err := p.append(nil, c.Type, values[i].Raw, depth+1)
		if err != nil {
			return nil, err
		}
		dst = appendDoubled(dst, text, `"\(),`)
	}
	return append(dst, ')'), nil
}

// appendDoubled writes text, in quotes if it is empty or has a space or one of the
// special characters, and doubles quotes and backslashes in it.
func appendDoubled(dst, text []byte, special string) []byte {
	plain := len(text) > 0
	for _, c := range text {
		plain = plain && !isSpace(c) && strings.IndexByte(special, c) < 0
	}
	if plain {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// Flags of a range (utils/rangetypes.h).
const (
	rangeEmpty         = 0x01
	rangeLowerIncluded = 0x02
	rangeUpperIncluded = 0x04
	rangeLowerInfinite = 0x08
	rangeUpperInfinite = 0x10
)

// rangeValue formats a range: the OID of its type, the bounds that it has, and flags at the
// end.
func (p *Printer) rangeValue(dst []byte, t *Type, b []byte, depth int) ([]byte, error) {
	if len(b) < 5 {
		return nil, corrupt("a range of %d bytes", len(b))
	}
	of := p.Types.Type(t.Subtype)
	if of == nil {
		return nil, corrupt("range %s of a type that is not in the catalog", t.Name)
	}
	return p.bounds(dst, of, fieldsAfter(b[:len(b)-1], 4), b[len(b)-1], depth)
}

func (p *Printer) bounds(dst []byte, of *Type, f *heap.Fields, flags byte, depth int) ([]byte, error) {
	if flags&rangeEmpty != 0 {
		return append(dst, "empty"...), nil
	}
	begin, end := byte('('), byte(')')
	if flags&rangeLowerIncluded != 0 {
		begin = '['
	}
	if flags&rangeUpperIncluded != 0 {
		end = ']'
	}
	dst = append(dst, begin)
	for i, infinite := range []byte{rangeLowerInfinite, rangeUpperInfinite} {
		if i > 0 {
			dst = append(dst, ',')
		}
		if flags&infinite != 0 {
			continue
		}
		raw, err := f.Next(of.column())
		if err != nil {
			return nil, err
		}
		text, err := p.append(nil, of.OID, raw, depth+1)
		if err != nil {
			return nil, err
		}
		dst = appendDoubled(dst, text, `"\()[],`)
	}
	return append(dst, end), nil
}

// multirange formats a multirange (utils/multirangetypes.h): the OID of its type, the
// number of ranges, the offset of each range except the first, the flags of each, and
// the bounds.
func (p *Printer) multirange(dst []byte, t *Type, b []byte, depth int) ([]byte, error) {
	if len(b) < 8 {
		return nil, corrupt("a multirange of %d bytes", len(b))
	}
	count := int64(binary.LittleEndian.Uint32(b[4:]))
	if count == 0 {
		return append(dst, "{}"...), nil
	}
	r := p.Types.Type(t.Subtype)
	if r == nil || p.Types.Type(r.Subtype) == nil {
		return nil, corrupt("multirange %s of a type that is not in the catalog", t.Name)
	}
	of, flags := p.Types.Type(r.Subtype), 8+4*(count-1)
	if flags+count > int64(len(b)) {
		return nil, corrupt("a multirange of %d ranges in %d bytes", count, len(b))
	}
	f := fieldsAfter(b, int(flags+count))
	dst = append(dst, '{')
	for i := range count {
		if i > 0 {
			dst = append(dst, ',')
		}
		f.Skip(of.Align)
		var err error
		if dst, err = p.bounds(dst, of, f, b[flags+i], depth); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}
