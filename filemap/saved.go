package filemap

import (
	"slices"
	"strings"
)

// Saving is the amount of copying that a rule avoids.
type Saving struct {
	Reason Reason // CommonWAL, NotWritten or SameContent
	Files  int    // files that are not copied, or not completely
	Bytes  int64
}

// Saved adds up what each rule avoided, for rules that avoided something. A file
// of which two rules avoid different parts counts for both.
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

// SavedBytes is how many bytes all rules together avoided.
func (p *Plan) SavedBytes() int64 {
	var n int64
	for _, s := range p.Saved() {
		n += s.Bytes
	}
	return n
}
