package filemap

import (
	"fmt"
	"path"
	"slices"

	"github.com/gorewind/gorewind/pgdata"
)

// Facts is what the decisions depend on besides the files, and what is known only
// when both sides were looked at. WAL segments are named without their directory.
type Facts struct {
	// Divergence is where the two histories part. WAL of whole segments before
	// it is the same on both sides.
	Divergence pgdata.LSN
	// Changed holds the blocks that the target changed since the last common
	// checkpoint.
	Changed pgdata.ChangedBlocks
	// NeededWAL, if not nil, tells the target's own WAL segments that its
	// recovery reads; they are not removed.
	NeededWAL func(name string) bool
	// Restored holds WAL segments that an archive brought back because recovery
	// reads them and neither side has them, by their paths, with their sizes.
	Restored map[string]int64
	// CommonWAL, if not nil, tells the target's segments from before the
	// divergence that were proven to be what both sides share; such ones are then
	// mentioned in the plan. Else a name and a size that both sides have prove it.
	CommonWAL func(name string) bool
	// Written, if not nil, tells how many bytes of a segment of the source hold
	// WAL: zero of one that is recycled and not yet written. Nothing of that is
	// copied, unless a running source has come to write it.
	Written func(name string, size int64) int64
	// Local, if not nil, gives a file of the target, and how many bytes at its
	// beginning are those of a segment of the source; "" where there is none.
	Local func(name string) (path string, bytes int64)
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
	for p, size := range facts.Restored {
		d.add(Entry{Path: p, Type: pgdata.Regular, Action: Restore, Reason: NeededRecovery, SourceSize: size})
	}
	b.source, b.target = new(Listing), new(Listing)
	d.plan.Entries = slices.Concat(d.entries...)
	d.plan.finish(d.kept)
	return d.plan, nil
}

const chunkEntries = 1 << 10

func (d *decider) add(e Entry) {
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
	if d.rules.Keep.Match(f.Path) != "" {
		return // a directory, which the listing's check needed
	}
	e := Entry{Path: f.Path, Type: f.Type, Action: Create, Reason: OnlyOnSource, SourceSize: f.Size, Link: f.Link}
	if f.Type == pgdata.Regular {
		e.Action = Copy
		if name, _, ok := d.segment(f.Path); ok {
			d.lessOf(&e, name)
		}
	}
	d.add(e)
}

// onlyOnTarget decides about an entry that the source lacks.
func (d *decider) onlyOnTarget(target *cursor) {
	f := target.info()
	if d.rules.Keep.Match(f.Path) != "" {
		d.keep(f)
		return
	}
	e := Entry{Path: f.Path, Type: f.Type, TargetSize: f.Size}
	if d.needed(&e) {
		d.keepNeeded(&e)
		return
	}
	e.Action, e.Reason = Remove, OnlyOnTarget
	d.add(e)
}

// onBoth decides about an entry that both sides have.
func (d *decider) onBoth(source, target *cursor) error {
	src, f := source.record(), target.info()
	if d.rules.Keep.Match(f.Path) != "" {
		d.keep(f)
		return nil
	}
	if src.fileType() != f.Type {
		return fmt.Errorf("file %q is a %s on the source and a %s on the target: make them the same", f.Path, src.fileType(), f.Type)
	}
	if f.Type != pgdata.Regular || path.Base(f.Path) == pgdata.VersionPath && !d.rules.suspects(f.Path) {
		return nil
	}
	e := Entry{Path: f.Path, Type: f.Type, SourceSize: src.size(), TargetSize: f.Size}
	switch d.decide(&e); {
	case e.Reason == NotWritten && d.needed(&e):
		e.Unwritten = 0
		d.keepNeeded(&e)
	case e.Reason != "":
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

// needed tells the target's WAL segments that its recovery reads.
func (d *decider) needed(e *Entry) bool {
	name, ok := d.rules.Version.InWALDir(e.Path)
	return ok && d.facts.NeededWAL != nil && d.facts.NeededWAL(name) && !d.rules.suspects(e.Path)
}

func (d *decider) keepNeeded(e *Entry) {
	e.Action, e.Reason = None, NeededRecovery
	d.add(*e)
}

// decide chooses the action for a regular file that both sides have.
func (d *decider) decide(e *Entry) {
	e.Action = None
	seg, isRelation := pgdata.ParseRelPath(d.rules.Version, e.Path)
	if !isRelation {
		e.Action, e.Reason = Copy, NotARelation
		if name, segno, ok := d.segment(e.Path); ok {
			d.decideSegment(e, name, segno)
		}
		return
	}
	switch {
	case e.TargetSize < e.SourceSize:
		e.Action, e.Reason = CopyTail, Grown
	case e.TargetSize > e.SourceSize:
		e.Action, e.Reason = Truncate, Shrunk
	}
	if blocks := d.facts.Changed[seg]; blocks != nil {
		e.Blocks = d.plan.blocksOnBoth(blocks, e)
		if e.Blocks != nil && e.Reason == "" {
			e.Reason = ChangedBlocks
		}
	}
}

// segment tells WAL segments, by their names.
func (d *decider) segment(p string) (string, pgdata.SegNo, bool) {
	name, ok := d.rules.Version.InWALDir(p)
	if !ok {
		return "", 0, false
	}
	_, segno, ok := d.rules.Geometry.ParseWALFileName(name)
	return name, segno, ok
}

// decideSegment leaves a WAL segment alone that ends before the divergence: both
// sides have its content from the same server.
func (d *decider) decideSegment(e *Entry, name string, segno pgdata.SegNo) {
	isCommon := segno < d.rules.Geometry.SegNo(d.facts.Divergence) && e.SourceSize == e.TargetSize && !d.rules.suspects(e.Path)
	switch {
	case isCommon && d.facts.CommonWAL == nil:
		e.Action, e.Reason = None, ""
	case isCommon && d.facts.CommonWAL(name):
		e.Action, e.Reason = None, CommonWAL
	default:
		d.lessOf(e, name)
	}
}

// lessOf finds out what of a WAL segment need not come from the source.
func (d *decider) lessOf(e *Entry, name string) {
	if d.facts.Written != nil && e.SourceSize > 0 {
		written := d.facts.Written(name, e.SourceSize)
		if e.Unwritten = max(0, e.SourceSize-written); e.Unwritten == e.SourceSize {
			e.Reason = NotWritten
			return
		}
	}
	if d.facts.Local == nil {
		return
	}
	p, bytes := d.facts.Local(name)
	if f, has := d.Target(p); has && bytes > 0 && bytes <= f.Size {
		e.Local, e.LocalBytes = p, min(bytes, e.SourceSize-e.Unwritten)
	}
}
