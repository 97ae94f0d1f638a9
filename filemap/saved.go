package filemap

import (
	"slices"
	"strings"
)

// Saving is what a rule spares of copying.
type Saving struct {
	Reason Reason // CommonWAL, NotWritten or SameContent
	Files  int    // that are not copied, or not wholly
	Bytes  int64
}

// Saved adds up what was spared by each rule that spared something. A file that
// two rules spare parts of counts for both.
func (p *Plan) Saved() []Saving {
	var all []Saving
	note := func(r Reason, bytes int64) {
		for i := range all {
			if all[i].Reason == r {
				all[i].Files++
				all[i].Bytes += bytes
				return
			}
		}
		all = append(all, Saving{r, 1, bytes})
	}
	for i := range p.Entries {
		e := &p.Entries[i]
		switch e.Reason {
		case CommonWAL, SameContent:
			note(e.Reason, e.SourceSize)
		case NotARelation:
			if e.Action != Copy {
				note(SameContent, e.SourceSize-e.FetchBytes(p.Geometry))
			}
		}
		if e.LocalBytes > 0 {
			note(CommonWAL, e.LocalBytes)
		}
		if e.Unwritten > 0 {
			note(NotWritten, e.Unwritten)
		}
	}
	slices.SortFunc(all, func(a, b Saving) int { return strings.Compare(string(a.Reason), string(b.Reason)) })
	return all
}

// SavedBytes is how much all rules together spared.
func (p *Plan) SavedBytes() int64 {
	var n int64
	for _, s := range p.Saved() {
		n += s.Bytes
	}
	return n
}
