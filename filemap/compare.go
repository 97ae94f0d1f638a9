package filemap

import (
	"iter"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// Candidates yields the entries, with their numbers, of which nothing tells whether
// the two sides differ: free space and visibility maps, transaction status,
// configuration, which would be copied, and relations where all is to be compared. WAL
// itself is not among them.
func (p *Plan) Candidates() iter.Seq2[int, *Entry] {
	return func(yield func(int, *Entry) bool) {
		for i := range p.Entries {
			if e := &p.Entries[i]; (e.Compare || e.Action == Copy && e.Reason == NotARelation && !p.IsSegment(e)) && !yield(i, e) {
				return
			}
		}
	}
}

// CompareBytes is how much of each side the candidates have.
func (p *Plan) CompareBytes() (n int64) {
	for _, e := range p.Candidates() {
		n += min(e.SourceSize, e.TargetSize)
	}
	return n
}

// IsSegment reports whether the entry is a WAL segment.
func (p *Plan) IsSegment(e *Entry) bool {
	name, inWALDir := strings.CutPrefix(e.Path, p.WALDir+"/")
	_, _, ok := p.Geometry.ParseWALFileName(name)
	return inWALDir && ok
}

// SetDifferent tells in which blocks a candidate differs, up to the smaller of its
// two sizes; nil or none stands for none. What is the same is no longer copied: the
// entry keeps its place in the plan and its reason, unless nothing is left of it.
func (p *Plan) SetDifferent(i int, blocks *pgdata.BlockSet) {
	e := &p.Entries[i]
	same := blocks == nil || blocks.Len() == 0
	size := int64(p.Geometry.BlockSize)
	if e.Compare {
		if e.Blocks = p.blocksOnBoth(blocks, e); e.Blocks != nil && e.Reason == SameContent {
			e.Reason = Different
		}
		return
	}
	switch {
	case same && e.SourceSize == e.TargetSize:
		e.Action, e.Reason = None, SameContent
		return
	case e.SourceSize%size != 0 || e.TargetSize%size != 0:
		return
	}
	part := *e
	if !same {
		part.Blocks = p.blocksOnBoth(blocks, e)
	}
	switch {
	case e.SourceSize > e.TargetSize:
		part.Action = CopyTail
	case e.SourceSize < e.TargetSize:
		part.Action = Truncate
	default:
		part.Action = None
	}
	if (same || part.Blocks != nil) && part.FetchBytes(p.Geometry) < e.FetchBytes(p.Geometry) {
		*e = part
	}
}

// blocksOnBoth drops the blocks that end beyond the smaller of a file's sizes:
// those the tail brings, or the truncation takes away.
func (p *Plan) blocksOnBoth(blocks *pgdata.BlockSet, e *Entry) *pgdata.BlockSet {
	if blocks == nil {
		return nil
	}
	whole := min(e.SourceSize, e.TargetSize) / int64(p.Geometry.BlockSize)
	var kept *pgdata.BlockSet
	for block := range blocks.All() {
		if int64(block) >= whole {
			break
		}
		if kept == nil {
			kept = new(pgdata.BlockSet)
		}
		kept.Add(block)
	}
	return kept
}
