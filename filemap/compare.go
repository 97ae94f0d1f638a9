package filemap

import (
	"iter"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// Candidates yields the entries, with their numbers, for which it is unknown whether
// the two sides differ: free space and visibility maps, transaction status and
// configuration, which would be copied, and relations if all files are compared. WAL
// is not included.
func (p *Plan) Candidates() iter.Seq2[int, *Entry] {
	return func(yield func(int, *Entry) bool) {
		for i := range p.Entries {
			if e := &p.Entries[i]; (e.Compare || e.Action == Copy && e.Reason == NotARelation && !p.IsSegment(e)) && !yield(i, e) {
				return
			}
		}
	}
}

// CompareBytes is how many bytes the candidates have on each side.
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

// SetDifferent sets the blocks in which a candidate differs, up to the smaller of its
// two sizes; a nil or empty set means none. Equal blocks are no longer copied. The
// entry keeps its place in the plan and its reason, unless nothing remains to be done.
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

// blocksOnBoth removes the blocks that end beyond the smaller of a file's sizes:
// copying the tail adds those, or the truncation removes them.
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
