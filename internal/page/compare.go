package page

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Difference is how two versions of a page differ, by what would have to be
// ignored for them to be equal. Each includes those before it.
type Difference uint8

// The differences, the lightest first.
const (
	Same        Difference = iota
	ByChecksum             // pd_checksum
	ByLSN                  // pd_lsn: something was logged, and left no other trace
	ByHintBits             // what servers note without logging it: hint bits, dead items, pd_prune_xid
	ByFreeSpace            // bytes between pd_lower and pd_upper, which nobody reads
	ByContent              // anything else
)

var differenceNames = [...]string{"none", "checksum", "lsn", "hint_bits", "free_space", "content"}

// String is a word for programs.
func (d Difference) String() string {
	if int(d) < len(differenceNames) {
		return differenceNames[d]
	}
	return fmt.Sprintf("Difference(%d)", uint8(d))
}

// ParseDifference is the opposite of String.
func ParseDifference(s string) (Difference, error) {
	for d, name := range differenceNames {
		if s == name {
			return Difference(d), nil
		}
	}
	return 0, fmt.Errorf("unrecognized difference: %s", s)
}

// MarshalText gives the word.
func (d Difference) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is the opposite of MarshalText.
func (d *Difference) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDifference(string(b))
	return err
}

// Flags of pages, line pointers (storage/bufpage.h, storage/itemid.h).
const (
	itemIDSize = 4

	hasFreeLines = 0x0001 // PD_HAS_FREE_LINES
	pageFull     = 0x0002 // PD_PAGE_FULL

	itemNormal = 1
	itemDead   = 3
)

// Hint bits of a heap tuple (access/htup_details.h): of t_infomask, which stands
// at offset 20 of the tuple's header of 23 bytes.
const (
	offInfomask     = 20
	tupleHeaderSize = 23
	xminHints       = 0x0300 // both together: frozen, which is logged
	xmaxHints       = 0x0C00
)

// A B-tree page ends with BTPageOpaqueData of 16 bytes, the flags at offset 12
// (access/nbtree.h).
const (
	btreeSpecial  = 16
	offBtreeFlags = 12
	hasGarbage    = 0x0040 // BTP_HAS_GARBAGE
)

// Compare finds out how two versions of a page of a relation's main fork differ.
func Compare(a, b []byte) Difference {
	if bytes.Equal(a, b) {
		return Same
	}
	if len(a) != len(b) || len(a) < headerSize {
		return ByContent
	}
	a, b = bytes.Clone(a), bytes.Clone(b)
	same := func(mask func(p []byte)) bool {
		mask(a)
		mask(b)
		return bytes.Equal(a, b)
	}
	if same(func(p []byte) { clear(p[offChecksum:offFlags]) }) {
		return ByChecksum
	}
	if same(func(p []byte) { clear(p[offLSN:offChecksum]) }) {
		return ByLSN
	}
	if !sane(a) || !sane(b) || !bytes.Equal(a[offLower:offPruneXID], b[offLower:offPruneXID]) {
		return ByContent // another layout: nothing to mask
	}
	if same(maskHints) {
		return ByHintBits
	}
	if same(func(p []byte) { clear(p[u16(p, offLower):u16(p, offUpper)]) }) {
		return ByFreeSpace
	}
	return ByContent
}

func u16(p []byte, at int) int { return int(binary.LittleEndian.Uint16(p[at:])) }

// sane reports whether the header's places are in order.
func sane(p []byte) bool {
	lower, upper, special := u16(p, offLower), u16(p, offUpper), u16(p, offSpecial)
	return headerSize <= lower && lower <= upper && upper <= special && special <= len(p)
}

func andNot(p []byte, at int, bits uint16) {
	binary.LittleEndian.PutUint16(p[at:], binary.LittleEndian.Uint16(p[at:])&^bits)
}

// maskHints takes away what servers note without logging it.
func maskHints(p []byte) {
	andNot(p, offFlags, hasFreeLines|pageFull)
	clear(p[offPruneXID:headerSize])
	isHeap := u16(p, offSpecial) == len(p)
	for at := range items(p) {
		id := binary.LittleEndian.Uint32(p[at:])
		if flags := id >> 15 & 3; !isHeap && flags == itemDead {
			binary.LittleEndian.PutUint32(p[at:], id&^(3<<15)|itemNormal<<15)
		}
		if tuple, ok := heapTuple(p, id); isHeap && ok {
			mask := uint16(xmaxHints)
			if binary.LittleEndian.Uint16(tuple[offInfomask:])&xminHints != xminHints {
				mask |= xminHints
			}
			andNot(tuple, offInfomask, mask)
		}
	}
	if special := u16(p, offSpecial); len(p)-special == btreeSpecial {
		andNot(p, special+offBtreeFlags, hasGarbage)
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

// heapTuple is the tuple that a line pointer leads to, if there is one.
func heapTuple(p []byte, id uint32) ([]byte, bool) {
	offset, flags, length := int(id&0x7fff), id>>15&3, int(id>>17)
	if flags != itemNormal || length < tupleHeaderSize || offset < u16(p, offUpper) || offset+length > u16(p, offSpecial) {
		return nil, false
	}
	return p[offset : offset+length], true
}
