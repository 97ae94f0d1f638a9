package heap_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/heap"
)

// page makes a page of tuples.
func page(tuples ...[]byte) heap.Page {
	p := make(heap.Page, 8192)
	upper := len(p)
	for i, t := range tuples {
		upper -= (len(t) + 7) &^ 7
		copy(p[upper:], t)
		binary.LittleEndian.PutUint32(p[24+4*i:], uint32(upper)|1<<15|uint32(len(t))<<17)
	}
	binary.LittleEndian.PutUint16(p[12:], uint16(24+4*len(tuples)))
	binary.LittleEndian.PutUint16(p[14:], uint16(upper))
	binary.LittleEndian.PutUint16(p[16:], uint16(len(p)))
	binary.LittleEndian.PutUint16(p[18:], 8192|4)
	return p
}

// row makes a tuple with an int4, a null text and a short text.
func row(t *testing.T) []byte {
	t.Helper()
	tuple, err := heap.NewTuple(3, 1, 24, append([]byte{0b101, 7, 0, 0, 0}, "\x07ab"...))
	require.NoError(t, err)
	return tuple.Data
}

var columns = []heap.Column{{Len: 4, Align: 'i'}, {Len: -1, Align: 'i'}, {Len: -1, Align: 'i'}, {Len: 8, Align: 'd'}}

func TestValuesOfATuple(t *testing.T) {
	p := page(row(t), row(t))
	require.NoError(t, p.Check())
	n := 0
	for tuple, err := range p.Tuples() {
		require.NoError(t, err)
		n++
		assert.EqualValues(t, n, tuple.Offset)
		values, err := tuple.Values(columns, nil)
		require.NoError(t, err)
		assert.Equal(t, []heap.Value{{State: heap.Present, Raw: []byte{7, 0, 0, 0}}, {State: heap.Null}, {State: heap.Present, Raw: []byte("\x07ab")}, {}}, values)
	}
	assert.Equal(t, 2, n)
}

func TestHostileBytesAreErrors(t *testing.T) {
	short, err := heap.NewTuple(3, 1, 24, []byte{0b111, 1, 2})
	require.NoError(t, err)
	_, err = short.Values(columns, nil)
	require.ErrorIs(t, err, heap.ErrCorrupt, "values after the end")
	_, err = short.Values(columns[:2], nil)
	require.ErrorIs(t, err, heap.ErrCorrupt, "more columns than the table has")
	for _, c := range []struct {
		name string
		raw  []byte
	}{
		{"no header", make([]byte, 22)},
		{"values before the header's end", append(make([]byte, 22), 8, 0)},
		{"values after the end", append(make([]byte, 22), 64, 0)},
	} {
		_, err := heap.ParseTuple(c.raw)
		require.ErrorIs(t, err, heap.ErrCorrupt, c.name)
	}
	for _, c := range []struct {
		name string
		raw  string
	}{
		{"nothing", ""},
		{"a header that is cut off", "\x10\x00"},
		{"shorter than its header", "\x04\x00\x00\x00"},
		{"longer than what there is", "\x40\x00\x00\x00ab"},
		{"a pointer in memory", "\x01\x01aaaaaaaaaaaaaaaa"},
		{"a pointer to less than nothing", "\x01\x12\x00\x00\x00\x00aaaaaaaaaaaa"},
		{"compressed without a size", "\x16\x00\x00\x00a"},
		{"compressed in an unknown way", "\x26\x00\x00\x00\x01\x00\x00\xC0a"},
		{"compressed from nothing", "\x26\x00\x00\x00\xff\xff\xff\x3fa"},
		{"a match before the beginning", "\x32\x00\x00\x00\x09\x00\x00\x00\x01\x00\x05\x00"},
	} {
		_, _, err := heap.Inline([]byte(c.raw))
		require.ErrorIs(t, err, heap.ErrCorrupt, c.name)
	}
	p := page(row(t))
	binary.LittleEndian.PutUint32(p[24:], 8190|1<<15|100<<17)
	_, _, err = p.Tuple(1)
	require.ErrorIs(t, err, heap.ErrCorrupt, "a line pointer after the end")
	binary.LittleEndian.PutUint16(p[14:], 20)
	require.ErrorIs(t, p.Check(), heap.ErrCorrupt)
}

func TestDecompress(t *testing.T) {
	text := bytes.Repeat([]byte("abcdefgh"), 100)
	packed := make([]byte, lz4.CompressBlockBound(len(text)))
	n, err := lz4.CompressBlock(text, packed, nil)
	require.NoError(t, err)
	got, err := heap.Decompress(heap.LZ4, packed[:n], len(text))
	require.NoError(t, err)
	assert.Equal(t, text, got)
	_, err = heap.Decompress(heap.LZ4, packed[:n], len(text)+1)
	require.ErrorIs(t, err, heap.ErrCorrupt)
	// Eight letters, and a match that continues over its own output.
	got, err = heap.Decompress(heap.PGLZ, append([]byte{0}, append([]byte("abcdefgh"), 0x01, 0x0F, 8, 255)...), 8+18+255)
	require.NoError(t, err)
	assert.Equal(t, text[:8+18+255], got)
}

func FuzzPage(f *testing.F) {
	tuple, err := heap.NewTuple(3, 1, 24, append([]byte{0b101, 7, 0, 0, 0}, "\x07ab"...))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(page(tuple.Data)), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, n uint16) {
		p := heap.Page(b)
		if p.Check() != nil {
			return
		}
		for tuple, err := range p.Tuples() {
			if err == nil {
				_, _ = tuple.Values(columns, nil)
				_ = tuple.OID()
			}
		}
		_, _, _ = p.Tuple(n)
	})
}

func FuzzInline(f *testing.F) {
	f.Add([]byte("\x07ab"))
	f.Add([]byte("\x32\x00\x00\x00\x09\x00\x00\x00\x00abcdefgh"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, external, err := heap.Inline(b)
		if err == nil && external == nil && len(got) > 300*len(b)+300 {
			t.Fatalf("%d bytes of %d", len(got), len(b))
		}
		if external != nil {
			_, _ = external.Assemble(b)
		}
	})
}
