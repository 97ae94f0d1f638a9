package filemap

import (
	"fmt"
	"path"
	"slices"

	"github.com/gorewind/gorewind/pgdata"
)

// Facts is what the decisions depend on besides the files, and what is known only
// when both sides were looked at.
type Facts struct {
	// Changed is what the target changed since recovery's starting point.
	Changed pgdata.Changes
	// WAL is what was decided about WAL segments, by their file names. A segment
	// of the source that is not in it is copied whole.
	WAL map[string]Segment
	// Made are files of the source, by path, that recovery makes from WAL and that
	// must not be there before: the target gets none of them.
	Made map[string]bool
	// Compare says that nothing tells which blocks of relations differ, so that all of
	// them are to be compared.
	Compare bool
}

// Segment is what was decided about the files of one name that the two sides have
// in their WAL directories.
type Segment struct {
	// Keep says that the target's own file stays, because recovery reads it.
	Keep bool
	// Superseded says that the target's own file stays where the source has none of
	// that name: recovery reads a younger timeline's file of the segment instead.
	Superseded bool
	// Common says that the target's own file is proven to hold what the source's does.
	Common bool
	// Needless says that recovery starts after it: the target gets none.
	Needless bool
	// Written is how many bytes of the source's file hold WAL: zero of one that is
	// recycled and not yet written. The rest is not copied, unless a running source
	// has come to write it.
	Written int64
	// Local is a file of the target whose first LocalBytes bytes are those of the
	// source's file; empty where there is none.
	Local      string
	LocalBytes int64
	// Restored is the size of a segment that an archive brought back, because
	// recovery reads it and neither side has it; else zero.
	Restored int64
}

// decider makes a plan from complete listings.
type decider struct {
	*Builder
	facts Facts
	plan  *Plan
	kept  map[string]bool // directories of the target that hold what is kept
	// entries are those of the plan, collected so that growing copies nothing.
	entries [][]Entry
}

// Plan decides about every file. The builder is empty afterwards.
func (b *Builder) Plan(facts Facts) (*Plan, error) {
	d := &decider{
		Builder: b, facts: facts, kept: map[string]bool{},
		plan: &Plan{Geometry: b.rules.Geometry, WALDir: b.rules.Version.WALDir},
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
			d.add(Entry{Path: b.rules.Version.WALPath(name), Type: pgdata.Regular, Action: Restore, Reason: NeededRecovery, SourceSize: s.Restored})
		}
	}
	b.source, b.target = new(Listing), new(Listing)
	d.plan.Entries = slices.Concat(d.entries...)
	d.plan.finish(d.kept)
	return d.plan, nil
}

const chunkEntries = 1 << 10

func (d *decider) add(e Entry) {
	if s, ok := d.segment(e.Path); ok && s.Restored > 0 && e.Action != Restore {
		return // what an archive brought back comes in the place of what a side has
	}
	last := len(d.entries) - 1
	if last < 0 || len(d.entries[last]) == chunkEntries {
		d.entries = append(d.entries, nil)
		last++
	}
	d.entries[last] = append(d.entries[last], e)
}

// onlyOnSource decides about an entry that the target lacks.
func (d *decider) onlyOnSource(source *cursor) {
	f := source.info()
	if d.rules.Keep.Match(f.Path) {
		return // a directory, which the listing's check needed
	}
	e := Entry{Path: f.Path, Type: f.Type, Action: Create, Reason: OnlyOnSource, SourceSize: f.Size, Link: f.Link}
	switch {
	case d.facts.Made[f.Path]:
		e.Action, e.Reason = None, MadeByRecovery
	case f.Type == pgdata.Regular:
		e.Action = Copy
		if segment, ok := d.segment(f.Path); ok && segment.Needless {
			e.Action, e.Reason = None, OldWAL
		} else if ok {
			d.lessOf(&e, segment)
		}
	}
	d.add(e)
}

// onlyOnTarget decides about an entry that the source lacks.
func (d *decider) onlyOnTarget(target *cursor) {
	f := target.info()
	if d.rules.Keep.Match(f.Path) {
		d.keep(f)
		return
	}
	e := Entry{Path: f.Path, Type: f.Type, TargetSize: f.Size}
	e.Action, e.Reason = Remove, OnlyOnTarget
	switch segment, ok := d.segment(f.Path); {
	case ok && segment.Keep:
		e.Action, e.Reason = None, NeededRecovery
	case ok && segment.Superseded:
		e.Action, e.Reason = None, Superseded
	}
	d.add(e)
}

// onBoth decides about an entry that both sides have.
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
	e := Entry{Path: f.Path, Type: f.Type, SourceSize: src.size(), TargetSize: f.Size}
	if d.decide(&e); e.Reason != "" {
		d.add(e)
	}
	return nil
}

// keep leaves a file of the target as it is, and the directories that it lies in.
func (d *decider) keep(f pgdata.FileInfo) {
	for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
		d.kept[dir] = true
	}
	d.add(Entry{Path: f.Path, Type: f.Type, Action: None, Reason: Kept, TargetSize: f.Size})
}

// decide chooses the action for a regular file that both sides have.
func (d *decider) decide(e *Entry) {
	e.Action = None
	seg, isRelation := pgdata.ParseRelPath(d.rules.Version, e.Path)
	if !isRelation {
		e.Action, e.Reason = Copy, NotARelation
		segment, isSegment := d.segment(e.Path)
		switch {
		case d.facts.Made[e.Path]:
			e.Action, e.Reason = Remove, MadeByRecovery
		case isSegment:
			d.decideSegment(e, segment)
		}
		return
	}
	switch {
	case e.TargetSize < e.SourceSize:
		e.Action, e.Reason = CopyTail, Grown
	case e.TargetSize > e.SourceSize:
		e.Action, e.Reason = Truncate, Shrunk
	}
	switch {
	case d.facts.Compare && d.isUnlogged(seg):
		e.Action, e.Reason = None, Unlogged
		return
	case d.facts.Compare:
		e.Compare = true
		if e.Reason == "" {
			e.Reason = SameContent
		}
		return
	}
	if e.Blocks = d.plan.blocksOnBoth(d.changed(seg, e), e); e.Blocks != nil && e.Reason == "" {
		e.Reason = ChangedBlocks
	}
}

// isUnlogged reports whether a server makes a relation's file anew when it starts: of
// an unlogged relation only the initial fork counts.
func (d *decider) isUnlogged(seg pgdata.RelSegment) bool {
	seg.Segment = 0
	_, has := d.Source(seg.Path(d.rules.Version) + "_init")
	return has
}

// changed is the set of a file's blocks to overwrite, or nil. From the limit of the
// relation on these are all: the target grew there again, perhaps by pages that no
// WAL describes. Where the target cuts a relation, the first block is among them: a
// metapage can name pages that go, as that of an SP-GiST index does, whose list of
// pages with free space is in no WAL either.
func (d *decider) changed(seg pgdata.RelSegment, e *Entry) *pgdata.BlockSet {
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

// isCut reports whether the target has more of a relation than the source, given the
// relation's first file.
func (d *decider) isCut(first pgdata.RelSegment, e *Entry) bool {
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

// segment gives what was decided about a WAL segment, and whether p is one.
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

// decideSegment leaves a WAL segment alone that the target has, or that it needs.
func (d *decider) decideSegment(e *Entry, s Segment) {
	switch {
	case s.Needless:
		e.Action, e.Reason = Remove, OldWAL
	case s.Common:
		e.Action, e.Reason = None, CommonWAL
	case s.Keep:
		e.Action, e.Reason = None, NeededRecovery
	default:
		d.lessOf(e, s)
	}
}

// lessOf finds out what of a WAL segment need not come from the source.
func (d *decider) lessOf(e *Entry, s Segment) {
	if e.SourceSize > 0 {
		if e.Unwritten = max(0, e.SourceSize-s.Written); e.Unwritten == e.SourceSize {
			e.Reason = NotWritten
			return
		}
	}
	if f, has := d.Target(s.Local); has && s.LocalBytes > 0 && s.LocalBytes <= f.Size {
		e.Local, e.LocalBytes = s.Local, min(s.LocalBytes, e.SourceSize-e.Unwritten)
	}
}
