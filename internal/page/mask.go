package page

import "encoding/binary"

// Flags of pages, line pointers (storage/bufpage.h, storage/itemid.h).
const (
	itemIDSize = 4

	hasFreeLines = 0x0001 // PD_HAS_FREE_LINES
	pageFull     = 0x0002 // PD_PAGE_FULL

	itemNormal = 1
	itemDead   = 3
)

// A heap tuple begins with a header of 23 bytes (access/htup_details.h); it is
// aligned to eight.
const (
	offCommandID    = 8  // t_cid
	offTupleID      = 12 // t_ctid, an ItemPointerData
	offInfomask     = 20 // t_infomask
	tupleHeaderSize = 23
	tupleAlign      = 8

	comboCID  = 0x0020
	xminHints = 0x0300 // both together: frozen, which is logged
	xmaxHints = 0x0C00

	tokenOffset = 0xFFFE // SpecTokenOffsetNumber in t_ctid: a speculative insertion
)

func andNot(p []byte, at int, bits uint16) {
	binary.LittleEndian.PutUint16(p[at:], binary.LittleEndian.Uint16(p[at:])&^bits)
}

// maskHints takes away what servers note without logging it.
func (k *kind) maskHints(p []byte) {
	andNot(p, offFlags, hasFreeLines|pageFull)
	clear(p[offPruneXID:headerSize])
	andNot(p, place(p, k.flags), k.hints)
	if s := k.unlogged; s.from < 0 {
		clear(p[len(p)+s.from : len(p)+s.to])
	} else {
		clear(p[min(s.from, u16(p, offSpecial)):min(s.to, u16(p, offSpecial))])
	}
	for at := range items(p) {
		it := itemAt(p, at)
		if k.killed && it.flags == itemDead {
			binary.LittleEndian.PutUint32(p[at:], binary.LittleEndian.Uint32(p[at:])&^(3<<15)|itemNormal<<15)
		}
		if tuple := it.tuple(p); k.tuples && tuple != nil {
			hints := uint16(comboCID | xmaxHints)
			if u16(tuple, offInfomask)&xminHints != xminHints {
				hints |= xminHints
			}
			andNot(tuple, offInfomask, hints)
			clear(tuple[offCommandID:offTupleID]) // of the inserting or deleting transaction, which is over
		}
	}
}

// maskUnused takes away what nobody reads.
func (k *kind) maskUnused(p []byte) {
	if lower := u16(p, offLower); k.hole == unused || k.hole == unclear && lower > headerSize {
		clear(p[lower:u16(p, offUpper)])
	}
	if !k.tuples {
		return
	}
	for at := range items(p) {
		if it := itemAt(p, at); it.stored(p) {
			clear(p[it.to:min((it.to+tupleAlign-1)&^(tupleAlign-1), len(p))])
		}
	}
}

// maskTokens takes away the tokens of speculative insertions that were neither
// confirmed nor withdrawn, so that nobody sees their tuples. On a standby these
// point to themselves.
func maskTokens(a, b []byte) {
	for at := range items(a) {
		ours, theirs := itemAt(a, at).tuple(a), itemAt(b, at).tuple(b)
		if ours != nil && theirs != nil && (u16(ours, offTupleID+4) == tokenOffset || u16(theirs, offTupleID+4) == tokenOffset) {
			clear(ours[offTupleID : offTupleID+6])
			clear(theirs[offTupleID : offTupleID+6])
		}
	}
}

// items yields where a page's line pointers are.
func items(p []byte) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for at := headerSize; at+itemIDSize <= u16(p, offLower); at += itemIDSize {
			if !yield(at) {
				return
			}
		}
	}
}

// item is what a line pointer says.
type item struct{ flags, from, to int }

func itemAt(p []byte, at int) item {
	id := int(binary.LittleEndian.Uint32(p[at:]))
	return item{flags: id >> 15 & 3, from: id & 0x7fff, to: id&0x7fff + id>>17}
}

// stored reports whether the item has a place of its own on the page.
func (it item) stored(p []byte) bool {
	return it.from < it.to && it.from >= u16(p, offUpper) && it.to <= u16(p, offSpecial)
}

// tuple is the item as a table's tuple, or nil.
func (it item) tuple(p []byte) []byte {
	if it.flags != itemNormal || !it.stored(p) || it.to-it.from < tupleHeaderSize {
		return nil
	}
	return p[it.from:it.to]
}
