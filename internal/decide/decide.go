package decide

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// Facts is what the decisions depend on besides the files, and what is only known
// after both sides were examined.
type Facts struct {
	// Changed is what the target changed since the starting point of recovery.
	Changed pgdata.Changes
	// WAL is what was decided about WAL segments, by file name. A segment
	// of the source that is missing here is copied completely.
	WAL map[string]Segment
	// Made are files of the source, by path, that recovery creates from WAL and that
	// must not exist before: none of them is copied to the target.
	Made map[string]bool
	// Compare says that it is unknown which blocks of relations differ, so that all of
	// them must be compared.
	Compare bool
}

// Segment is what was decided about the files with one name in the WAL directories
// of the two sides.
type Segment struct {
	// Keep says that the target's own file stays, because recovery reads it.
	Keep bool
	// Superseded says that the target's own file stays if the source has none with
	// that name: recovery reads the segment's file from a newer timeline instead.
	Superseded bool
	// Common says that the target's own file is proven to have the content of the source's.
	Common bool
	// Needless says that recovery starts after it: it is not copied to the target.
	Needless bool
	// Written is how many bytes of the source's file contain WAL: zero if it is
	// recycled and not yet written. The rest is not copied, unless a running source
	// writes it in the meantime.
	Written int64
	// Local is a file of the target whose first LocalBytes bytes equal those of the
	// source's file; empty if there is none.
	Local      string
	LocalBytes int64
	// Restored is the size of a segment that was restored from an archive, because
	// recovery reads it and neither side has it; otherwise zero.
	Restored int64
}

// decider makes a plan from complete listings.
type decider struct {
	*Builder
	facts Facts
	plan  *filemap.Plan
	kept  map[string]bool // directories of the target that contain kept files
	// entries are the plan's entries, in chunks, so that growing copies nothing.
	entries [][]filemap.Entry
}

// Plan makes the decision about every file. The builder is empty afterwards.
func (b *Builder) Plan(facts Facts) (*filemap.Plan, error) {
	d := &decider{
		Builder: b, facts: facts, kept: map[string]bool{},
		plan: &filemap.Plan{Geometry: b.rules.Geometry, WALDir: b.rules.Version.WALDir},
	}
	for source, target := b.source.begin(), b.target.begin(); source.ok() || target.ok(); {
		order := source.compare(target)
		if order <= 0 {
			d.plan.SourceBytes += source.record().size()
		}
		switch {
		case order < 0:
			d.onlyOnSource(source)
			source.next()
		case order > 0:
			d.onlyOnTarget(target)
			target.next()
		default:
			if err := d.onBoth(source, target); err != nil {
				return nil, err
			}
			source.next()
			target.next()
		}
	}
	for name, s := range facts.WAL {
		if s.Restored > 0 {
			d.add(filemap.Entry{Path: b.rules.Version.WALPath(name), Type: pgdata.Regular, Action: filemap.Restore, Reason: filemap.NeededRecovery, SourceSize: s.Restored})
		}
	}
	b.source, b.target = new(Listing), new(Listing)
	d.plan.Entries = slices.Concat(d.entries...)
	finish(d.plan, d.kept)
	return d.plan, nil
}

const chunkEntries = 1 << 10

func (d *decider) add(e filemap.Entry) {
	if s, ok := d.segment(e.Path); ok && s.Restored > 0 && e.Action != filemap.Restore {
		return // a segment restored from an archive replaces a side's file
	}
	last := len(d.entries) - 1
	if last < 0 || len(d.entries[last]) == chunkEntries {
		d.entries = append(d.entries, nil)
		last++
	}
	d.entries[last] = append(d.entries[last], e)
}

// onlyOnSource handles an entry that the target lacks.
func (d *decider) onlyOnSource(source *cursor) {
	f := source.info()
	if d.rules.Keep.Match(f.Path) {
		return // a directory that was listed only for the check of the listing
	}
	e := filemap.Entry{Path: f.Path, Type: f.Type, Action: filemap.Create, Reason: filemap.OnlyOnSource, SourceSize: f.Size, Link: f.Link}
	switch {
	case d.facts.Made[f.Path]:
		e.Action, e.Reason = filemap.None, filemap.MadeByRecovery
	case f.Type == pgdata.Regular:
		e.Action = filemap.Copy
		if segment, ok := d.segment(f.Path); ok && segment.Needless {
			e.Action, e.Reason = filemap.None, filemap.OldWAL
		} else if ok {
			d.lessOf(&e, segment)
		}
	}
	d.add(e)
}

// onlyOnTarget handles an entry that the source lacks.
func (d *decider) onlyOnTarget(target *cursor) {
	f := target.info()
	if d.rules.Keep.Match(f.Path) {
		d.keep(f)
		return
	}
	e := filemap.Entry{Path: f.Path, Type: f.Type, TargetSize: f.Size}
	e.Action, e.Reason = filemap.Remove, filemap.OnlyOnTarget
	switch segment, ok := d.segment(f.Path); {
	case ok && segment.Keep:
		e.Action, e.Reason = filemap.None, filemap.NeededRecovery
	case ok && segment.Superseded:
		e.Action, e.Reason = filemap.None, filemap.Superseded
	}
	d.add(e)
}

// onBoth handles an entry that both sides have.
func (d *decider) onBoth(source, target *cursor) error {
	src, f := source.record(), target.info()
	if d.rules.Keep.Match(f.Path) {
		d.keep(f)
		return nil
	}
	if src.fileType() != f.Type {
		advice := "make them the same"
		if Keepable(f.Path) {
			advice += ", or keep the target's with Options.Keep"
		}
		return fmt.Errorf("file %q is a %s on the source and a %s on the target: %s", f.Path, src.fileType(), f.Type, advice)
	}
	if f.Type != pgdata.Regular || path.Base(f.Path) == pgdata.VersionPath && !d.rules.Suspect[f.Path] && !d.facts.Compare {
		return nil
	}
	e := filemap.Entry{Path: f.Path, Type: f.Type, SourceSize: src.size(), TargetSize: f.Size}
	if d.decide(&e); e.Reason != "" {
		d.add(e)
	}
	return nil
}

// keep leaves a file of the target unchanged, and keeps the directories that contain it.
func (d *decider) keep(f pgdata.FileInfo) {
	for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
		d.kept[dir] = true
	}
	d.add(filemap.Entry{Path: f.Path, Type: f.Type, Action: filemap.None, Reason: filemap.Kept, TargetSize: f.Size})
}

// decide chooses the action for a regular file that both sides have.
func (d *decider) decide(e *filemap.Entry) {
	e.Action = filemap.None
	seg, isRelation := pgdata.ParseRelPath(d.rules.Version, e.Path)
	if !isRelation {
		e.Action, e.Reason = filemap.Copy, filemap.NotARelation
		segment, isSegment := d.segment(e.Path)
		switch {
		case d.facts.Made[e.Path]:
			e.Action, e.Reason = filemap.Remove, filemap.MadeByRecovery
		case isSegment:
			d.decideSegment(e, segment)
		}
		return
	}
	switch {
	case e.TargetSize < e.SourceSize:
		e.Action, e.Reason = filemap.CopyTail, filemap.Grown
	case e.TargetSize > e.SourceSize:
		e.Action, e.Reason = filemap.Truncate, filemap.Shrunk
	}
	switch {
	case d.facts.Compare && d.isUnlogged(seg):
		e.Action, e.Reason = filemap.None, filemap.Unlogged
		return
	case d.facts.Compare:
		e.Compare = true
		if e.Reason == "" {
			e.Reason = filemap.SameContent
		}
		return
	}
	if e.Blocks = blocksOnBoth(d.plan.Geometry, d.changed(seg, e), e); e.Blocks != nil && e.Reason == "" {
		e.Reason = filemap.ChangedBlocks
	}
}

// isUnlogged reports whether a server recreates a relation's file when it starts: for
// an unlogged relation only the init fork is needed.
func (d *decider) isUnlogged(seg pgdata.RelSegment) bool {
	seg.Segment = 0
	_, has := d.Source(seg.Path(d.rules.Version) + "_init")
	return has
}

// changed is the set of a file's blocks to overwrite, or nil. From the limit of the
// relation on it contains all blocks: the target grew there again, perhaps with pages that no
// WAL describes. If the target truncates a relation, the first block is included: a
// metapage can refer to pages that are removed. The metapage of an SP-GiST index does: its list of
// pages with free space is not in any WAL either.
func (d *decider) changed(seg pgdata.RelSegment, e *filemap.Entry) *pgdata.BlockSet {
	blocks := d.facts.Changed.Blocks[seg]
	limit, limited := d.facts.Changed.LimitOf(seg.Locator)
	cut := seg.Segment == 0 && d.isCut(seg, e)
	if !limited && !cut {
		return blocks
	}
	all := new(pgdata.BlockSet)
	if blocks != nil {
		all.Union(blocks)
	}
	if cut {
		all.Add(0)
	}
	if limited {
		perFile := int64(d.rules.Geometry.RelSegBlocks)
		end := min(e.SourceSize, e.TargetSize) / int64(d.rules.Geometry.BlockSize)
		for b := max(0, int64(limit)-int64(seg.Segment)*perFile); b < end; b++ {
			all.Add(pgdata.BlockNumber(b))
		}
	}
	return all
}

// isCut reports whether the target has more blocks of a relation than the source, given the
// relation's first file.
func (d *decider) isCut(first pgdata.RelSegment, e *filemap.Entry) bool {
	if e.TargetSize != e.SourceSize {
		return e.TargetSize > e.SourceSize
	}
	whole := int64(d.rules.Geometry.RelSegBlocks) * int64(d.rules.Geometry.BlockSize)
	for next := first; e.TargetSize == whole; {
		next.Segment++
		theirs, _ := d.Source(next.Path(d.rules.Version))
		own, has := d.Target(next.Path(d.rules.Version))
		if !has || own.Size != theirs.Size {
			return has && own.Size > theirs.Size
		}
		if own.Size < whole {
			break
		}
	}
	return false
}

// segment returns what was decided about a WAL segment, and whether p is one.
func (d *decider) segment(p string) (s Segment, ok bool) {
	name, ok := d.rules.Version.InWALDir(p)
	if ok {
		_, _, ok = d.rules.Geometry.ParseWALFileName(name)
	}
	if !ok {
		return Segment{}, false
	}
	if s, known := d.facts.WAL[name]; known {
		return s, true
	}
	f, _ := d.Source(p)
	return Segment{Written: f.Size}, true
}

// decideSegment leaves a WAL segment unchanged that the target has, or that it needs.
func (d *decider) decideSegment(e *filemap.Entry, s Segment) {
	switch {
	case s.Needless:
		e.Action, e.Reason = filemap.Remove, filemap.OldWAL
	case s.Common:
		e.Action, e.Reason = filemap.None, filemap.CommonWAL
	case s.Keep:
		e.Action, e.Reason = filemap.None, filemap.NeededRecovery
	default:
		d.lessOf(e, s)
	}
}

// lessOf determines which parts of a WAL segment need not come from the source.
func (d *decider) lessOf(e *filemap.Entry, s Segment) {
	if e.SourceSize > 0 {
		if e.Unwritten = max(0, e.SourceSize-s.Written); e.Unwritten == e.SourceSize {
			e.Reason = filemap.NotWritten
			return
		}
	}
	if f, has := d.Target(s.Local); has && s.LocalBytes > 0 && s.LocalBytes <= f.Size {
		e.Local, e.LocalBytes = s.Local, min(s.LocalBytes, e.SourceSize-e.Unwritten)
	}
}

// finish sorts entries into the order in which they are carried out: directories
// are created before and removed after their contents. Directories that contain kept
// files stay.
func finish(p *filemap.Plan, kept map[string]bool) {
	p.Entries = slices.DeleteFunc(p.Entries, func(e filemap.Entry) bool { return e.Action == filemap.Remove && kept[e.Path] })
	slices.SortFunc(p.Entries, func(a, b filemap.Entry) int {
		if a.Action != b.Action {
			return cmp.Compare(a.Action, b.Action)
		}
		if a.Action == filemap.Remove {
			a, b = b, a
		}
		return strings.Compare(a.Path, b.Path)
	})
}
