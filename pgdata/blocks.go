package pgdata

import (
	"encoding/binary"
	"errors"
	"iter"
	"math/bits"
	"slices"
)

// BlockSet is a set of block numbers within one relation segment: a bitmap that
// grows to the highest block, so its size does not depend on how often blocks
// are added. The zero value is empty.
type BlockSet struct{ words []uint64 }

// Add puts a block into the set.
func (s *BlockSet) Add(b BlockNumber) {
	w := int(b / 64)
	if w >= len(s.words) {
		s.grow(w + 1)
	}
	s.words[w] |= 1 << (b % 64)
}

// grow makes it at least n words long. Those that are new are zero, used before
// or not.
func (s *BlockSet) grow(n int) {
	if have := len(s.words); n > have {
		s.words = slices.Grow(s.words, n-have)[:n]
		clear(s.words[have:])
	}
}

// Has reports whether a block is in the set.
func (s *BlockSet) Has(b BlockNumber) bool {
	w := int(b / 64)
	return w < len(s.words) && s.words[w]&(1<<(b%64)) != 0
}

// Union adds all blocks of o.
func (s *BlockSet) Union(o *BlockSet) {
	s.grow(len(o.words))
	for i, w := range o.words {
		s.words[i] |= w
	}
}

// Clear takes all blocks out and keeps the memory for others.
func (s *BlockSet) Clear() { s.words = s.words[:0] }

// Len counts the blocks.
func (s *BlockSet) Len() int {
	n := 0
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// All yields the blocks in ascending order.
func (s *BlockSet) All() iter.Seq[BlockNumber] {
	return func(yield func(BlockNumber) bool) {
		for i, w := range s.words {
			for ; w != 0; w &= w - 1 {
				if !yield(BlockNumber(64*i + bits.TrailingZeros64(w))) {
					return
				}
			}
		}
	}
}

// MarshalBinary gives the bitmap, lowest block first.
func (s *BlockSet) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, 8*len(s.words))
	for _, w := range s.words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b, nil
}

// UnmarshalBinary is the inverse of MarshalBinary.
func (s *BlockSet) UnmarshalBinary(b []byte) error {
	if len(b)%8 != 0 {
		return errors.New("a block set has whole words")
	}
	s.words = make([]uint64, len(b)/8)
	for i := range s.words {
		s.words[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return nil
}

// ChangedBlocks maps each file to the blocks that WAL records changed, numbered
// from the start of the file.
type ChangedBlocks map[RelSegment]*BlockSet

// Add records a change of block b, numbered over the whole fork.
func (c ChangedBlocks) Add(g Geometry, l RelFileLocator, b BlockNumber) {
	s := RelSegment{l, uint32(b) / g.RelSegBlocks}
	set := c[s]
	if set == nil {
		set = new(BlockSet)
		c[s] = set
	}
	set.Add(b % BlockNumber(g.RelSegBlocks))
}

// Merge adds all of o's blocks. It shares nothing with o.
func (c ChangedBlocks) Merge(o ChangedBlocks) {
	for s, blocks := range o {
		set := c[s]
		if set == nil {
			set = new(BlockSet)
			c[s] = set
		}
		set.Union(blocks)
	}
}

// Changes is what a stretch of WAL changed: blocks of main forks, and from which
// block on everything counts as changed, because the main fork was made, removed
// or cut there in the stretch: what grew there since need not be described by WAL.
// A limit of relation zero is one of all relations of its database in its
// tablespace, as in WAL summaries: that directory was made or removed. Ask
// [Changes.LimitOf]. The zero value is empty.
type Changes struct {
	Blocks ChangedBlocks
	Limits map[RelFileLocator]BlockNumber
}

// LimitOf is from which block on everything of a relation counts as changed; ok is
// false if only those of Blocks do.
func (c *Changes) LimitOf(l RelFileLocator) (limit BlockNumber, ok bool) {
	limit, ok = c.Limits[l]
	l.Relation = 0
	if ofAll, has := c.Limits[l]; has && (!ok || ofAll < limit) {
		return ofAll, true
	}
	return limit, ok
}

// Limit notes that everything from block b on, numbered over the whole fork,
// counts as changed.
func (c *Changes) Limit(l RelFileLocator, b BlockNumber) {
	if c.Limits == nil {
		c.Limits = map[RelFileLocator]BlockNumber{}
	}
	if old, has := c.Limits[l]; !has || b < old {
		c.Limits[l] = b
	}
}

// Merge adds all that o says; of two limits the lower one holds. It shares
// nothing with o.
func (c *Changes) Merge(o Changes) {
	if c.Blocks == nil {
		c.Blocks = ChangedBlocks{}
	}
	c.Blocks.Merge(o.Blocks)
	for l, b := range o.Limits {
		c.Limit(l, b)
	}
}
