package rewindtest

import (
	"encoding/binary"

	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/pgdata"
)

// A heap page (PageHeaderData, storage/bufpage.h; HeapTupleHeaderData,
// access/htup_details.h) is the same in all majors.
const (
	blockSize  = 8192
	pageHeader = 24
	layout     = 4 // PG_PAGE_LAYOUT_VERSION

	tupleHeader    = 24
	hasVarWidth    = 0x0002 // HEAP_HASVARWIDTH
	xmaxInvalid    = 0x0800 // HEAP_XMAX_INVALID
	attributes     = 2      // an integer and a text
	linePointer    = 4
	normalPointer  = 1 << 15 // LP_NORMAL
	longestInShort = 126     // length of the longest text with a one-byte header
)

// heapPage is a page of a table with an integer and a text.
type heapPage []byte

func newHeapPage() heapPage {
	p := make(heapPage, blockSize)
	le := binary.LittleEndian
	le.PutUint16(p[12:], pageHeader)
	le.PutUint16(p[14:], blockSize)
	le.PutUint16(p[16:], blockSize)
	le.PutUint16(p[18:], blockSize|layout)
	return p
}

func (p heapPage) lower() uint16 { return binary.LittleEndian.Uint16(p[12:]) }
func (p heapPage) upper() uint16 { return binary.LittleEndian.Uint16(p[14:]) }

// insert adds a row and returns its offset number.
func (p heapPage) insert(xid, block uint32, number int32, text string) uint16 {
	le := binary.LittleEndian
	text = text[:min(len(text), longestInShort-1)]
	length := tupleHeader + 4 + 1 + len(text)
	upper := p.upper() - uint16((length+7)&^7)
	offset := (p.lower()-pageHeader)/linePointer + 1
	t := p[upper:]
	le.PutUint32(t, xid)
	le.PutUint16(t[12:], uint16(block>>16))
	le.PutUint16(t[14:], uint16(block))
	le.PutUint16(t[16:], offset)
	le.PutUint16(t[18:], attributes)
	le.PutUint16(t[20:], hasVarWidth|xmaxInvalid)
	t[22] = tupleHeader
	le.PutUint32(t[tupleHeader:], uint32(number))
	t[tupleHeader+4] = byte((len(text)+1)<<1 | 1)
	copy(t[tupleHeader+5:], text)
	le.PutUint32(p[p.lower():], uint32(upper)|normalPointer|uint32(length)<<17)
	le.PutUint16(p[12:], p.lower()+linePointer)
	le.PutUint16(p[14:], upper)
	return offset
}

// setLSN records which record changed the page last.
func (p heapPage) setLSN(l pgdata.LSN) {
	binary.LittleEndian.PutUint32(p, uint32(l>>32))
	binary.LittleEndian.PutUint32(p[4:], uint32(l))
}

// stored returns the page as it is on disk.
func (p heapPage) stored(block uint32) []byte {
	binary.LittleEndian.PutUint16(p[8:], page.Checksum(p, block))
	return p
}
