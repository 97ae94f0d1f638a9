package decide

import (
	"errors"
	"fmt"
	"iter"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// Rules is what is known before anything is listed.
type Rules struct {
	Version  *pgdata.Version
	Geometry pgdata.Geometry
	// Suspect are the target's files, by path, that an interrupted rewind may have left
	// partly written: they are copied whatever they look like.
	Suspect map[string]bool
	// Keep selects the target's own files that are not changed.
	Keep Keep
}

// ErrUntrusted is wrapped if a source lists something that no cluster has.
var ErrUntrusted = errors.New("do not trust this source")

// Builder collects the two listings, and makes the decisions when both are complete.
//
// One goroutine may collect the source's listing while another one collects the
// target's. When both are complete, the methods that look something up may be
// used concurrently.
type Builder struct {
	rules          Rules
	source, target *Listing
	sourceBytes    int64 // including entries that were listed twice
}

// NewBuilder begins a plan.
func NewBuilder(rules Rules) *Builder {
	return &Builder{rules: rules, source: new(Listing), target: new(Listing)}
}

// AddSource adds one entry of the source's listing, in any order. Of several
// with the same path the first one counts. The error wraps [ErrUntrusted] if
// no source can have such an entry.
func (b *Builder) AddSource(f pgdata.FileInfo) error {
	if !isSafe(f.Path) {
		return fmt.Errorf("target file path is unsafe for open: %q: %w", f.Path, ErrUntrusted)
	}
	if f.Path == pgdata.ControlFilePath || invisible(b.rules.Version, f.Path) || Excluded(f.Path) {
		return nil
	}
	if err := b.checkSource(f); err != nil {
		return err
	}
	kept, err := b.keeps(f.Path)
	if err != nil || kept && f.Type != pgdata.Directory {
		return err
	}
	if !kept && f.Type == pgdata.Directory && slices.Contains(files, f.Path) {
		return fmt.Errorf("file %q of the source is a directory, where servers have a file: %w", f.Path, ErrUntrusted)
	}
	if f.Type == pgdata.Symlink {
		if err := CheckLink(f.Link); err != nil {
			return fmt.Errorf("file %q of the source: %w: %w", f.Path, err, ErrUntrusted)
		}
	}
	if err := b.source.Add(f); err != nil {
		return fmt.Errorf("the source's listing: %w: %w", err, ErrUntrusted)
	}
	b.sourceBytes += f.Size
	return nil
}

// isSafe reports whether a path stays within the data directory.
func isSafe(p string) bool {
	return p == path.Clean(p) && p != "." && filepath.IsLocal(filepath.FromSlash(p)) && strings.IndexByte(p, 0) < 0
}

// checkSource refuses an entry that no source can have.
func (b *Builder) checkSource(f pgdata.FileInfo) error {
	_, isRelation := pgdata.ParseRelPath(b.rules.Version, f.Path)
	g := b.rules.Geometry
	switch {
	case isRelation && f.Type != pgdata.Regular:
		return fmt.Errorf("data file %q of the source is not a regular file but a %s", f.Path, f.Type)
	case isRelation && f.Size > int64(g.RelSegBlocks)*int64(g.BlockSize), f.Size > maxBytes-b.sourceBytes:
		return fmt.Errorf("file %q of the source is a %s of %d bytes, which is impossible: %w", f.Path, f.Type, f.Size, ErrUntrusted)
	}
	return nil
}

// EndSource ends the source's listing. It checks that the entries that every cluster has
// exist, and that whatever contains other entries is a directory.
func (b *Builder) EndSource() error {
	b.source.sort()
	for i := range b.source.dirs {
		d := &b.source.dirs[i]
		dir := strings.TrimSuffix(d.path, "/")
		f, _ := b.source.Find(dir)
		if dir == "" || f.Type == pgdata.Directory || f.Type == pgdata.Symlink && path.Dir(dir) == pgdata.TablespaceRoot {
			continue
		}
		f = b.source.info(d, *b.source.record(d.runs[0].from))
		return fmt.Errorf("the source's listing has %q, but %q is not a directory there: %w", f.Path, dir, ErrUntrusted)
	}
	for _, p := range []string{"base", "global", b.rules.Version.WALDir, pgdata.VersionPath} {
		if _, has := b.source.Find(p); !has {
			return fmt.Errorf("the source's listing lacks %q: is it a complete data directory?", p)
		}
	}
	return nil
}

// AddTarget adds one entry of the target's listing, in any order. Of several with
// the same path the first one counts.
func (b *Builder) AddTarget(f pgdata.FileInfo) error {
	if invisible(b.rules.Version, f.Path) {
		return nil
	}
	if _, err := b.keeps(f.Path); err != nil || f.Path == pgdata.ControlFilePath {
		return err
	}
	if err := b.target.Add(f); err != nil {
		return fmt.Errorf("the target's listing: %w", err)
	}
	return nil
}

// EndTarget ends the target's listing. Calling it is optional: it does in advance what
// the first lookup in the target would do.
func (b *Builder) EndTarget() { b.target.sort() }

// Source returns an entry of the source. Entries that are useless to another server
// are not found.
func (b *Builder) Source(p string) (pgdata.FileInfo, bool) { return b.source.Find(p) }

// Target returns an entry of the target.
func (b *Builder) Target(p string) (pgdata.FileInfo, bool) { return b.target.Find(p) }

// SourceIn yields the source's entries directly in a directory, sorted by
// name.
func (b *Builder) SourceIn(dir string) iter.Seq[pgdata.FileInfo] { return b.source.In(dir) }

// TargetIn yields the target's entries directly in a directory, sorted by name.
func (b *Builder) TargetIn(dir string) iter.Seq[pgdata.FileInfo] { return b.target.In(dir) }

// TargetWAL yields the target's files directly in the WAL directory, sorted by
// name.
func (b *Builder) TargetWAL() iter.Seq[pgdata.FileInfo] { return b.wal(b.target) }

// SourceWAL yields the source's files directly in the WAL directory, sorted by name.
func (b *Builder) SourceWAL() iter.Seq[pgdata.FileInfo] { return b.wal(b.source) }

func (b *Builder) wal(l *Listing) iter.Seq[pgdata.FileInfo] {
	return func(yield func(pgdata.FileInfo) bool) {
		for f := range l.In(b.rules.Version.WALDir) {
			if f.Type == pgdata.Regular && !yield(f) {
				return
			}
		}
	}
}
