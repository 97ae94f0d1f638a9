// Package xidset has sets of transactions.
package xidset

import (
	"iter"
	"math/bits"
)

// Set is a set of transactions: bits, in pieces, since those of a stretch of WAL lie
// close together.
type Set map[uint32]*[64]uint64

const xidsInPiece = 64 * 64

// Add puts a transaction into it.
func (s Set) Add(xid uint32) {
	piece := s[xid/xidsInPiece]
	if piece == nil {
		piece = new([64]uint64)
		s[xid/xidsInPiece] = piece
	}
	piece[xid%xidsInPiece/64] |= 1 << (xid % 64)
}

// Has reports whether a transaction is in it.
func (s Set) Has(xid uint32) bool {
	piece := s[xid/xidsInPiece]
	return piece != nil && piece[xid%xidsInPiece/64]&(1<<(xid%64)) != 0
}

// Union adds all of another one, which must not be used afterwards.
func (s Set) Union(o Set) {
	for at, piece := range o {
		mine := s[at]
		if mine == nil {
			s[at] = piece
			continue
		}
		for i, bits := range piece {
			mine[i] |= bits
		}
	}
}

// All yields each, in no order.
func (s Set) All() iter.Seq[uint32] {
	return func(yield func(xid uint32) bool) {
		for at, piece := range s {
			for i, left := range piece {
				for ; left != 0; left &= left - 1 {
					if !yield(at*xidsInPiece + uint32(i*64+bits.TrailingZeros64(left))) {
						return
					}
				}
			}
		}
	}
}

// Before reports whether a transaction is older than another: they count in a
// circle.
func Before(a, b uint32) bool { return int32(a-b) < 0 }
