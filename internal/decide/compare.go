package decide

import (
	"iter"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// Candidates yields the entries, with their numbers, for which it is unknown whether
// the two sides differ: free space and visibility maps, transaction status and
// configuration, which would be copied, and relations if all files are compared. WAL
// is not included.
func Candidates(p *filemap.Plan) iter.Seq2[int, *filemap.Entry] {
	return func(yield func(int, *filemap.Entry) bool) {
		for i := range p.Entries {
			if e := &p.Entries[i]; (e.Compare || e.Action == filemap.Copy && e.Reason == filemap.NotARelation && !p.IsSegment(e)) && !yield(i, e) {
				return
			}
		}
	}
}

// CompareBytes is how many bytes the candidates have on each side.
func CompareBytes(p *filemap.Plan) (n int64) {
	for _, e := range Candidates(p) {
		n += min(e.SourceSize, e.TargetSize)
	}
	return n
}

// SetDifferent sets the blocks in which a candidate differs, up to the smaller of its
// two sizes; a nil or empty set means none. Equal blocks are no longer copied. The
// entry keeps its place in the plan and its reason, unless nothing remains to be done.
func SetDifferent(p *filemap.Plan, i int, blocks *pgdata.BlockSet) {
	e := &p.Entries[i]
	same := blocks == nil || blocks.Len() == 0
	size := int64(p.Geometry.BlockSize)
	if e.Compare {
		if e.Blocks = blocksOnBoth(p.Geometry, blocks, e); e.Blocks != nil && e.Reason == filemap.SameContent {
			e.Reason = filemap.Different
		}
		return
	}
	switch {
	case same && e.SourceSize == e.TargetSize:
		e.Action, e.Reason = filemap.None, filemap.SameContent
		return
	case e.SourceSize%size != 0 || e.TargetSize%size != 0:
		return
	}
	part := *e
	if !same {
		part.Blocks = blocksOnBoth(p.Geometry, blocks, e)
	}
	switch {
	case e.SourceSize > e.TargetSize:
		part.Action = filemap.CopyTail
	case e.SourceSize < e.TargetSize:
		part.Action = filemap.Truncate
	default:
		part.Action = filemap.None
	}
	if (same || part.Blocks != nil) && part.FetchBytes(p.Geometry) < e.FetchBytes(p.Geometry) {
		*e = part
	}
}

// blocksOnBoth removes the blocks that end beyond the smaller of a file's sizes:
// copying the tail adds those, or the truncation removes them.
func blocksOnBoth(g pgdata.Geometry, blocks *pgdata.BlockSet, e *filemap.Entry) *pgdata.BlockSet {
	if blocks == nil {
		return nil
	}
	whole := min(e.SourceSize, e.TargetSize) / int64(g.BlockSize)
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
