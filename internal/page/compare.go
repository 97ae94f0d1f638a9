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
	ByHintBits             // what servers note without logging it: hint bits, command IDs, dead items, sequences' logged values
	ByFreeSpace            // bytes that nobody reads: between pd_lower and pd_upper, of deleted pages, padding
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

// Compare finds out how two versions of a page of a relation's main fork differ.
// It passes over what the server passes over when it checks that replay gives the
// same pages (wal_consistency_checking, access/common/bufmask.c, since 10), but not
// over what replay restores all the same: locks of tuples, and all-visible. And it
// knows what that check never sees, as it is in no record.
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
	if !sane(a) || !sane(b) || !bytes.Equal(a[offSpecial:offPruneXID], b[offSpecial:offPruneXID]) {
		return ByContent
	}
	k := kindOf(a)
	if k != kindOf(b) {
		return ByContent
	}
	if k.deleted {
		return ByFreeSpace
	}
	if !bytes.Equal(a[offLower:offSpecial], b[offLower:offSpecial]) {
		return ByContent // another layout: nothing to mask
	}
	if k.tuples {
		maskTokens(a, b)
	}
	if k.sequence {
		maskFetched(a, b)
	}
	if same(k.maskHints) {
		return ByHintBits
	}
	if same(k.maskUnused) {
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
