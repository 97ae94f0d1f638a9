package page_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/page"
)

// heapPage has two tuples of 32 bytes at its end.
func heapPage() []byte {
	p := make([]byte, 8192)
	binary.LittleEndian.PutUint32(p[4:], 0x1000)
	binary.LittleEndian.PutUint16(p[8:], 0xBEEF)
	lower, upper := 24+2*4, 8192-2*32
	binary.LittleEndian.PutUint16(p[12:], uint16(lower))
	binary.LittleEndian.PutUint16(p[14:], uint16(upper))
	binary.LittleEndian.PutUint16(p[16:], 8192)
	binary.LittleEndian.PutUint16(p[18:], 8192|4)
	for i := range 2 {
		offset := upper + i*32
		binary.LittleEndian.PutUint32(p[24+4*i:], uint32(offset)|1<<15|32<<17)
		p[offset+24] = byte('a' + i)
	}
	return p
}

// btreePage is one with a dead item or a live one.
func btreePage(dead bool) []byte {
	p := heapPage()
	binary.LittleEndian.PutUint16(p[16:], 8192-16)
	binary.LittleEndian.PutUint16(p[14:], 8192-2*32)
	if dead {
		id := binary.LittleEndian.Uint32(p[24:])
		binary.LittleEndian.PutUint32(p[24:], id|3<<15)
		p[8192-4] |= 0x40
	}
	return p
}

func TestCompare(t *testing.T) {
	const tuple = 8192 - 2*32
	infomask := func(p []byte, bits uint16) { binary.LittleEndian.PutUint16(p[tuple+20:], bits) }
	for _, c := range []struct {
		name string
		a, b func(p []byte)
		want page.Difference
	}{
		{"the same page", nil, nil, page.Same},
		{"another checksum", nil, func(p []byte) { p[8]++ }, page.ByChecksum},
		{"another LSN", nil, func(p []byte) { p[4]++; p[8]++ }, page.ByLSN},
		{"a hint about xmin", nil, func(p []byte) { infomask(p, 0x0100) }, page.ByHintBits},
		{"another hint about xmax", func(p []byte) { infomask(p, 0x0400) }, func(p []byte) { infomask(p, 0x0800) }, page.ByHintBits},
		{"a frozen tuple", func(p []byte) { infomask(p, 0x0100) }, func(p []byte) { infomask(p, 0x0300) }, page.ByContent},
		{"a flag that is no hint", nil, func(p []byte) { infomask(p, 0x2000) }, page.ByContent},
		{"a page that can be pruned", nil, func(p []byte) { p[20]++; p[10] |= 2 }, page.ByHintBits},
		{"an all-visible page", nil, func(p []byte) { p[10] |= 4 }, page.ByContent},
		{"a dead line pointer of a table", nil, func(p []byte) { p[25] |= 0x80; p[26] |= 1 }, page.ByContent},
		{"bytes that nobody reads", nil, func(p []byte) { p[4000]++; p[4]++ }, page.ByFreeSpace},
		{"those and a hint", nil, func(p []byte) { p[4000]++; infomask(p, 0x0100) }, page.ByFreeSpace},
		{"a row", nil, func(p []byte) { p[tuple+24]++ }, page.ByContent},
		{"another end of the line pointers", nil, func(p []byte) { p[12] += 4 }, page.ByContent},
		{"two pages whose headers are out of order", func(p []byte) { p[13] = 0xff }, func(p []byte) { p[13] = 0xff; p[4000]++ }, page.ByContent},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := heapPage(), heapPage()
			if c.a != nil {
				c.a(a)
			}
			if c.b != nil {
				c.b(b)
			}
			assert.Equal(t, c.want, page.Compare(a, b))
			assert.Equal(t, c.want, page.Compare(b, a))
		})
	}
	assert.Equal(t, page.ByHintBits, page.Compare(btreePage(false), btreePage(true)), "a dead item of an index")
	assert.Equal(t, page.ByContent, page.Compare(heapPage(), heapPage()[:100]), "a short page")
	for d := page.Same; d <= page.ByContent; d++ {
		back, err := page.ParseDifference(d.String())
		require.NoError(t, err)
		assert.Equal(t, d, back)
	}
}

func FuzzCompare(f *testing.F) {
	f.Add(heapPage(), btreePage(true))
	f.Add(heapPage()[:24], heapPage()[:24])
	f.Fuzz(func(t *testing.T, a, b []byte) {
		d := page.Compare(a, b)
		assert.Equal(t, d, page.Compare(b, a))
		assert.Equal(t, page.Same, page.Compare(a, a))
	})
}
