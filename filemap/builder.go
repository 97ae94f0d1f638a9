package filemap

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// Rules is what the decisions depend on besides the files.
type Rules struct {
	Version  *pgdata.Version
	Geometry pgdata.Geometry
	// Divergence is where the two histories part. WAL of whole segments before
	// it is the same on both sides.
	Divergence pgdata.LSN
	// NeededWAL, if not nil, tells by their names the target's own WAL segments
	// that its recovery reads; they are not removed.
	NeededWAL func(name string) bool
	// Suspect, if not nil, tells the target's files that an interrupted rewind
	// may have left half written: they are copied whatever they look like.
	Suspect func(path string) bool
	// Keep tells the target's own files that stay as they are.
	Keep Patterns
}

func (r *Rules) suspects(p string) bool { return r.Suspect != nil && r.Suspect(p) }

// Builder collects the two listings. It is not safe for concurrent use.
type Builder struct {
	rules  Rules
	source map[string]pgdata.FileInfo
	kept   map[string]bool // directories of the target that hold what is kept
	plan   *Plan
}

// NewBuilder begins a plan.
func NewBuilder(rules Rules) *Builder {
	return &Builder{
		rules:  rules,
		source: map[string]pgdata.FileInfo{},
		kept:   map[string]bool{},
		plan:   &Plan{Geometry: rules.Geometry, WALDir: rules.Version.WALDir},
	}
}

// AddSource takes one entry of the source's listing. All of them come before
// the target's.
func (b *Builder) AddSource(f pgdata.FileInfo) error {
	if !isSafe(f.Path) {
		return fmt.Errorf("target file path is unsafe for open: %q: do not trust this source", f.Path)
	}
	if f.Path == pgdata.ControlFilePath || invisible(b.rules.Version, f.Path) || Excluded(f.Path) {
		return nil
	}
	if err := b.checkSource(f); err != nil {
		return err
	}
	if kept, err := b.keeps(f.Path); err != nil || kept && f.Type != pgdata.Directory {
		return err
	}
	if _, twice := b.source[f.Path]; twice {
		return nil // a directory may be read twice while it changes
	}
	b.source[f.Path] = f
	b.plan.SourceBytes += f.Size
	return nil
}

// isSafe reports whether a path stays within the data directory.
func isSafe(p string) bool {
	return p == path.Clean(p) && p != "." && filepath.IsLocal(filepath.FromSlash(p)) && !strings.ContainsRune(p, 0)
}

// maxBytes is more than any cluster has.
const maxBytes = 1 << 60

// checkSource refuses what no source can have.
func (b *Builder) checkSource(f pgdata.FileInfo) error {
	_, isRelation := pgdata.ParseRelPath(b.rules.Version, f.Path)
	g := b.rules.Geometry
	segment := int64(g.RelSegBlocks) * int64(g.BlockSize)
	switch {
	case isRelation && f.Type != pgdata.Regular:
		return fmt.Errorf("data file %q of the source is not a regular file but a %s", f.Path, f.Type)
	case f.Type < pgdata.Regular || f.Type > pgdata.Symlink || f.Size < 0 || f.Size > maxBytes-b.plan.SourceBytes || isRelation && f.Size > segment:
		return fmt.Errorf("file %q of the source is a %s of %d bytes, which cannot be: do not trust this source", f.Path, f.Type, f.Size)
	}
	if dir := path.Dir(f.Path); dir != "." {
		parent := b.source[dir]
		if parent.Type != pgdata.Directory && (parent.Type != pgdata.Symlink || path.Dir(dir) != pgdata.TablespaceRoot) {
			return fmt.Errorf("the source's listing has %q, but %q is not a directory there: do not trust this source", f.Path, dir)
		}
	}
	return nil
}

// AddTarget takes one entry of the target's listing and decides what becomes of
// it. changed holds the blocks that the target changed since the last common
// checkpoint.
func (b *Builder) AddTarget(f pgdata.FileInfo, changed pgdata.ChangedBlocks) error {
	if invisible(b.rules.Version, f.Path) {
		return nil
	}
	if kept, err := b.keeps(f.Path); err != nil || kept {
		b.keep(f)
		return err
	}
	if f.Path == pgdata.ControlFilePath {
		return nil
	}
	src, both := b.source[f.Path]
	if !both {
		e := Entry{Path: f.Path, Type: f.Type, Action: Remove, Reason: OnlyOnTarget, TargetSize: f.Size}
		if name, ok := b.rules.Version.InWALDir(f.Path); ok && b.rules.NeededWAL != nil && b.rules.NeededWAL(name) && !b.rules.suspects(f.Path) {
			e.Action, e.Reason = None, NeededRecovery
		}
		b.plan.Entries = append(b.plan.Entries, e)
		return nil
	}
	delete(b.source, f.Path)
	if src.Type != f.Type {
		return fmt.Errorf("file %q is a %s on the source and a %s on the target: make them the same", f.Path, src.Type, f.Type)
	}
	e := Entry{Path: f.Path, Type: f.Type, Action: None, SourceSize: src.Size, TargetSize: f.Size}
	if f.Type == pgdata.Regular && (path.Base(f.Path) != pgdata.VersionPath || b.rules.suspects(f.Path)) {
		b.decide(&e, changed)
	}
	if e.Action != None || e.Blocks != nil {
		b.plan.Entries = append(b.plan.Entries, e)
	}
	return nil
}

// keep leaves a file of the target as it is, and the directories that it lies in.
func (b *Builder) keep(f pgdata.FileInfo) {
	delete(b.source, f.Path)
	for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
		b.kept[dir] = true
	}
	b.plan.Entries = append(b.plan.Entries, Entry{Path: f.Path, Type: f.Type, Action: None, Reason: Kept, TargetSize: f.Size})
}

// decide chooses the action for a regular file that both sides have.
func (b *Builder) decide(e *Entry, changed pgdata.ChangedBlocks) {
	seg, isRelation := pgdata.ParseRelPath(b.rules.Version, e.Path)
	switch {
	case isRelation && e.TargetSize < e.SourceSize:
		e.Action, e.Reason = CopyTail, Grown
	case isRelation && e.TargetSize > e.SourceSize:
		e.Action, e.Reason = Truncate, Shrunk
	case !isRelation && !b.isCommonWAL(e):
		e.Action, e.Reason = Copy, NotARelation
	}
	if blocks := changed[seg]; isRelation && blocks != nil {
		e.Blocks = b.blocksOnBoth(blocks, min(e.SourceSize, e.TargetSize))
		if e.Blocks != nil && e.Reason == "" {
			e.Reason = ChangedBlocks
		}
	}
}

// blocksOnBoth drops the blocks that end beyond size: those the tail brings, or
// the truncation takes away.
func (b *Builder) blocksOnBoth(blocks *pgdata.BlockSet, size int64) *pgdata.BlockSet {
	whole := size / int64(b.rules.Geometry.BlockSize)
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

// isCommonWAL reports whether a file is a WAL segment that ends before the
// divergence: both sides have its content from the same server.
func (b *Builder) isCommonWAL(e *Entry) bool {
	name, ok := b.rules.Version.InWALDir(e.Path)
	if !ok || b.rules.suspects(e.Path) {
		return false
	}
	_, segno, ok := b.rules.Geometry.ParseWALFileName(name)
	return ok && segno < b.rules.Geometry.SegNo(b.rules.Divergence) && e.SourceSize == e.TargetSize
}

// CheckSource ends the source's listing: no cluster is without these.
func (b *Builder) CheckSource() error {
	for _, p := range []string{"base", "global", b.rules.Version.WALDir, pgdata.VersionPath} {
		if _, ok := b.source[p]; !ok {
			return fmt.Errorf("the source's listing lacks %q: is it a whole data directory?", p)
		}
	}
	return nil
}

// HasSource reports whether the source listed a file.
func (b *Builder) HasSource(p string) bool {
	_, has := b.source[p]
	return has
}

// AddRestored takes WAL segments that an archive brought back because recovery
// reads them and neither side has them, by their paths and sizes.
func (b *Builder) AddRestored(files map[string]int64) {
	for p, size := range files {
		b.plan.Entries = append(b.plan.Entries, Entry{Path: p, Type: pgdata.Regular, Action: Restore, Reason: NeededRecovery, SourceSize: size})
	}
}

// Plan ends both listings: what is left of the source's is new to the target.
func (b *Builder) Plan() *Plan {
	for _, f := range b.source {
		if b.rules.Keep.Match(f.Path) != "" {
			continue // a directory, which the listing's check needed
		}
		e := Entry{Path: f.Path, Type: f.Type, Action: Create, Reason: OnlyOnSource, SourceSize: f.Size, Link: f.Link}
		if f.Type == pgdata.Regular {
			e.Action = Copy
		}
		b.plan.Entries = append(b.plan.Entries, e)
	}
	b.source = nil
	b.plan.Entries = slices.DeleteFunc(b.plan.Entries, func(e Entry) bool { return e.Action == Remove && b.kept[e.Path] })
	b.plan.sort()
	return b.plan
}
