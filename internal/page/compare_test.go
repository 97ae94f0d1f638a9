package page_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"

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

// indexPage has two items of 32 bytes before its special space.
func indexPage(special ...byte) []byte {
	p := heapPage()
	end := 8192 - len(special)
	copy(p[end-64:], p[8192-64:])
	copy(p[end:], special)
	binary.LittleEndian.PutUint16(p[14:], uint16(end-64))
	binary.LittleEndian.PutUint16(p[16:], uint16(end))
	for i := range 2 {
		binary.LittleEndian.PutUint32(p[24+4*i:], uint32(end-64+32*i)|1<<15|32<<17)
	}
	return p
}

// Special spaces, with the flags that tell the kind of page.
func btree(flags uint16) []byte { return special(16, 12, flags, 0x0123) }
func hash(flags uint16) []byte  { return special(16, 12, flags, 0xFF80) }
func gist(flags uint16) []byte  { return special(16, 12, flags, 0xFF81) }
func gin(flags uint16) []byte   { return special(8, 6, flags, flags) }
func spgist(flags uint16) []byte {
	return special(8, 0, flags, 0xFF82)
}
func brin(id uint16) []byte { return special(8, 4, 0, id) }

func special(size, at int, flags, id uint16) []byte {
	s := make([]byte, size)
	binary.LittleEndian.PutUint16(s[at:], flags)
	binary.LittleEndian.PutUint16(s[size-2:], id)
	return s
}

func TestCompare(t *testing.T) {
	const tuple = 8192 - 2*32
	infomask := func(p []byte, bits uint16) { binary.LittleEndian.PutUint16(p[tuple+20:], bits) }
	shorter := func(p []byte) { binary.LittleEndian.PutUint32(p[24:], tuple|1<<15|31<<17) }
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
		{"another command of the transaction", nil, func(p []byte) { p[tuple+8]++; infomask(p, 0x0020) }, page.ByHintBits},
		{"that of a frozen tuple", func(p []byte) { infomask(p, 0x0300) }, func(p []byte) { p[tuple+8]++; infomask(p, 0x0320) }, page.ByHintBits},
		{"another transaction", nil, func(p []byte) { p[tuple]++ }, page.ByContent},
		{"a lock", nil, func(p []byte) { infomask(p, 0x0080) }, page.ByContent},
		{
			"a speculative insertion", func(p []byte) { copy(p[tuple+12:], []byte{0, 0, 1, 0, 1, 0}) },
			func(p []byte) { copy(p[tuple+12:], []byte{0, 0, 7, 0, 0xFE, 0xFF}) }, page.ByHintBits,
		},
		{"another successor", nil, func(p []byte) { p[tuple+16]++ }, page.ByContent},
		{"a flag that is no hint", nil, func(p []byte) { infomask(p, 0x2000) }, page.ByContent},
		{"a page that can be pruned", nil, func(p []byte) { p[20]++; p[10] |= 2 }, page.ByHintBits},
		{"an all-visible page", nil, func(p []byte) { p[10] |= 4 }, page.ByContent},
		{"a dead line pointer of a table", nil, func(p []byte) { p[25] |= 0x80; p[26] |= 1 }, page.ByContent},
		{"bytes that nobody reads", nil, func(p []byte) { p[4000]++; p[4]++ }, page.ByFreeSpace},
		{"those and a hint", nil, func(p []byte) { p[4000]++; infomask(p, 0x0100) }, page.ByFreeSpace},
		{"the padding of a row", shorter, func(p []byte) { shorter(p); p[tuple+31]++ }, page.ByFreeSpace},
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
	assert.Equal(t, page.ByContent, page.Compare(heapPage(), heapPage()[:100]), "a short page")
}

func TestComparePagesOfIndexes(t *testing.T) {
	flag := func(at int, bits byte) func(p []byte) { return func(p []byte) { p[len(p)+at] ^= bits } }
	kill := func(p []byte) { p[25] |= 0x80; p[26] |= 1 }
	hole := func(p []byte) { p[4000]++ }
	item := func(p []byte) { p[len(p)-40]++ }
	noLower := func(p []byte) { p[12] = 24 }
	for _, c := range []struct {
		name    string
		special []byte
		both    func(p []byte)
		change  func(p []byte)
		want    page.Difference
	}{
		{"a dead item of a leaf of a B-tree", btree(1), nil, kill, page.ByHintBits},
		{"a dead item of an inner page of a B-tree", btree(0), nil, kill, page.ByContent},
		{"an item of a B-tree", btree(1), nil, item, page.ByContent},
		{"HAS_GARBAGE of a B-tree", btree(1), nil, flag(-4, 0x40), page.ByHintBits},
		{"SPLIT_END of a B-tree", btree(1), nil, flag(-4, 0x20), page.ByHintBits},
		{"INCOMPLETE_SPLIT of a B-tree", btree(1), nil, flag(-4, 0x80), page.ByContent},
		{"the vacuum cycle of a B-tree", btree(0), nil, flag(-2, 1), page.ByHintBits},
		{"a sibling in a B-tree", btree(1), nil, flag(-16, 1), page.ByContent},
		{"a deleted page of a B-tree", btree(4), nil, item, page.ByFreeSpace},
		{"a deleted page of a B-tree, with another layout", btree(4), nil, noLower, page.ByFreeSpace},
		{"a page of a B-tree that only one side deleted", btree(1), nil, flag(-4, 4), page.ByContent},
		{"a deleted page of a B-tree of 14", btree(0x104), nil, item, page.ByContent},
		{"a dead item of a bucket", hash(2), nil, kill, page.ByHintBits},
		{"a dead item of an overflow page", hash(1), nil, kill, page.ByHintBits},
		{"NEEDS_SPLIT_CLEANUP of a bucket", hash(2), nil, flag(-4, 0x40), page.ByContent},
		{"HAS_DEAD_TUPLES of a bucket", hash(2), nil, flag(-4, 0x80), page.ByHintBits},
		{"an unused page of a hash index", hash(0), nil, item, page.ByFreeSpace},
		{"a bitmap of a hash index", hash(4), nil, item, page.ByContent},
		{"a dead item of a GiST leaf", gist(1), nil, kill, page.ByHintBits},
		{"a dead item of an inner page of GiST", gist(0), nil, kill, page.ByContent},
		{"HAS_GARBAGE of GiST", gist(1), nil, flag(-4, 0x10), page.ByHintBits},
		{"FOLLOW_RIGHT of GiST", gist(0), nil, flag(-4, 0x08), page.ByHintBits},
		{"the NSN of GiST", gist(0), nil, flag(-9, 1), page.ByHintBits},
		{"a right link of GiST", gist(0), nil, flag(-8, 1), page.ByContent},
		{"a deleted page of GIN", gin(4), nil, item, page.ByFreeSpace},
		{"the hole of GIN", gin(2), nil, hole, page.ByFreeSpace},
		{"the hole of GIN where there may be none", gin(8), noLower, hole, page.ByContent},
		{"the cache of SP-GiST", spgist(1), nil, func(p []byte) { p[91]++ }, page.ByHintBits},
		{"the metapage of SP-GiST beside it", spgist(1), noLower, func(p []byte) { p[92]++ }, page.ByContent},
		{"a dead item of SP-GiST", spgist(4), nil, kill, page.ByContent},
		{"the hole of an empty page of SP-GiST", spgist(4), noLower, hole, page.ByFreeSpace},
		{"the range map of BRIN", brin(0xF092), noLower, hole, page.ByContent},
		{"the hole of BRIN", brin(0xF093), nil, hole, page.ByFreeSpace},
		{"EVACUATE_PAGE of BRIN", brin(0xF093), nil, flag(-4, 1), page.ByHintBits},
		{"an extension's item", special(24, 0, 0, 0), nil, kill, page.ByContent},
		{"an extension's hole", special(24, 0, 0, 0), nil, hole, page.ByFreeSpace},
		{"what may be none", special(24, 0, 0, 0), noLower, hole, page.ByContent},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := indexPage(c.special...), indexPage(c.special...)
			if c.both != nil {
				c.both(a)
				c.both(b)
			}
			c.change(b)
			assert.Equal(t, c.want, page.Compare(a, b), "%s", page.Compare(a, b))
			assert.Equal(t, c.want, page.Compare(b, a))
		})
	}
}

// sequencePage is one of a sequence: numbers of eight bytes at places of its tuple.
func sequencePage(length int, called byte, numbers map[int]int64) []byte {
	p := indexPage(0x17, 0x17, 0, 0, 0, 0, 0, 0)
	from := 8184 - 152
	binary.LittleEndian.PutUint16(p[12:], 28)
	binary.LittleEndian.PutUint16(p[14:], uint16(from))
	clear(p[24:8184])
	binary.LittleEndian.PutUint32(p[24:], uint32(from)|1<<15|uint32(length)<<17)
	for at, n := range numbers {
		binary.LittleEndian.PutUint64(p[from+at:], uint64(n))
	}
	p[from+length-1] = called
	return p
}

func TestCompareSequences(t *testing.T) {
	type values struct {
		last, ahead int64
		called      byte
	}
	for _, c := range []struct {
		name string
		a, b values
		want page.Difference
	}{
		{"values that only WAL has", values{1, 32, 1}, values{33, 0, 1}, page.ByHintBits},
		{"values that go down in steps", values{50, 34, 1}, values{50 - 7*34, 0, 1}, page.ByHintBits},
		{"other values", values{1, 32, 1}, values{34, 0, 1}, page.ByContent},
		{"the same one and others ahead", values{1, 32, 1}, values{1, 0, 1}, page.ByContent},
		{"values ahead on both sides", values{1, 32, 1}, values{2, 31, 1}, page.ByContent},
		{"values ahead on none", values{1, 0, 1}, values{33, 0, 1}, page.ByContent},
		{"a sequence that gave no value", values{1, 0, 0}, values{33, 32, 1}, page.ByContent},
	} {
		t.Run(c.name, func(t *testing.T) {
			of10 := func(v values) []byte { return sequencePage(41, v.called, map[int]int64{24: v.last, 32: v.ahead}) }
			of96 := func(v values) []byte { return sequencePage(146, v.called, map[int]int64{88: v.last, 136: v.ahead}) }
			assert.Equal(t, c.want, page.Compare(of10(c.a), of10(c.b)))
			assert.Equal(t, c.want, page.Compare(of10(c.b), of10(c.a)))
			assert.Equal(t, c.want, page.Compare(of96(c.a), of96(c.b)))
			assert.Equal(t, page.ByContent, page.Compare(of96(c.a), of10(c.b)))
		})
	}
}

func FuzzCompare(f *testing.F) {
	f.Add(heapPage(), heapPage())
	f.Add(indexPage(btree(1)...), indexPage(btree(0x61)...))
	f.Add(sequencePage(41, 1, map[int]int64{24: 1, 32: 32}), sequencePage(41, 1, map[int]int64{24: 33}))
	f.Add(indexPage(spgist(1)...), indexPage(gist(1)...))
	f.Add(heapPage()[:24], heapPage()[:24])
	f.Fuzz(func(t *testing.T, a, b []byte) {
		d := page.Compare(a, b)
		assert.Equal(t, d, page.Compare(b, a))
		assert.Equal(t, page.Same, page.Compare(a, a))
	})
}
