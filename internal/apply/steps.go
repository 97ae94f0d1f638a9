package apply

import (
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// steps returns what a plan does to the target's files, without those that the source no
// longer had. In place, everything is already written and must only be made durable.
func (r *transfer) steps(areas *areaMap) []Step {
	var steps []Step
	for i := range r.plan.Entries {
		e := &r.plan.Entries[i]
		s := Step{Path: name(e.Path), ID: i, Link: name(e.Link)}
		f := r.files[e.Path]
		switch {
		case f != nil && f.gone, e.Action == filemap.Remove:
			s.Do = Remove
		case e.Action == filemap.Create && e.Type == pgdata.Directory:
			s.Do = Mkdir
		case e.Action == filemap.Create:
			s.Do = Symlink
		case f != nil && f.whole:
			s.Do, s.Size = Replace, f.end
			if r.plan.IsSegment(e) {
				s.Size = max(f.end, e.SourceSize)
			}
		case e.Action == filemap.Restore:
			s.Do, s.Size, s.Staged = Replace, e.SourceSize, name(areas.restored(e.Path))
		case e.Action == filemap.Truncate:
			s.Do, s.Size = Truncate, e.SourceSize
		case f != nil:
			s.Do = Write
		default:
			continue
		}
		steps = append(steps, s)
	}
	return steps
}
