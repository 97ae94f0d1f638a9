package rewind

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/internal/sanitize"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/source"
)

// maxDifferentRuns is the maximum number of runs of blocks in a FileDiff.
const maxDifferentRuns = 1000

// DiffOptions says what to compare.
type DiffOptions struct {
	A source.Source // usually a stopped data directory
	B source.Source // another one, or a server
	// Ignore has patterns of files to ignore, as in Options.Keep: "@config" stands for
	// configuration and certificates.
	Ignore []string
	// All also compares WAL and the control file, which differ between any two servers.
	All bool
}

// DiffResult describes how two data directories differ.
type DiffResult struct {
	FormatVersion int        `json:"format_version"` // 1
	A             string     `json:"a"`
	B             string     `json:"b"`
	FilesCompared int        `json:"files_compared"`
	BytesCompared int64      `json:"bytes_compared"`
	Worst         Difference `json:"worst"`
	Files         []FileDiff `json:"files"` // the files that differ, by path
}

// FileDiff describes how a file differs.
type FileDiff struct {
	Path       string     `json:"path"`
	Difference Difference `json:"difference"` // the worst of its pages
	// Reason says what differs other than the content: "only in a", "only in b" or "type".
	// Otherwise it is empty.
	Reason string `json:"reason,omitempty"`
	SizeA  int64  `json:"size_a"`
	SizeB  int64  `json:"size_b"`
	// Blocks lists the differing blocks of a relation's file, up to a thousand runs.
	Blocks []BlockRun `json:"blocks,omitempty"`
	More   int        `json:"more_blocks,omitempty"` // differing blocks that Blocks leaves out
}

// maxToldRuns is the maximum number of runs of blocks that String prints for a file.
const maxToldRuns = 20

// String describes in one line how the file differs, followed by a line for each run of
// blocks, up to a limit. File names are escaped so that they are safe to print on a
// terminal.
func (f FileDiff) String() string {
	b := []byte(sanitize.Text(f.Path, sanitize.Unlimited))
	switch {
	case f.Reason != "":
		return fmt.Sprintf("%s: %s", b, sanitize.Text(f.Reason, sanitize.MaxMessage))
	case f.SizeA != f.SizeB:
		b = fmt.Appendf(b, ": %d and %d bytes", f.SizeA, f.SizeB)
	default:
		b = fmt.Appendf(b, ": %s", f.Difference)
	}
	for i, run := range f.Blocks {
		if i == maxToldRuns {
			b = fmt.Appendf(b, "\n  and %d more", len(f.Blocks)-maxToldRuns+f.More)
			break
		}
		blocks := fmt.Sprintf("block %d", run.First)
		if run.Last > run.First {
			blocks = fmt.Sprintf("blocks %d to %d", run.First, run.Last)
		}
		b = fmt.Appendf(b, "\n  %s: %s", blocks, run.Difference)
	}
	return string(b)
}

// BlockRun is a run of adjacent blocks of a file that differ in the same way.
type BlockRun struct {
	First      pgdata.BlockNumber `json:"first"`
	Last       pgdata.BlockNumber `json:"last"`
	Difference Difference         `json:"difference"`
}

// Diff compares the data directories of two servers: everything that a rewind would
// make equal. It ignores what a rewind ignores. Pages of relations are compared part by
// part. A running server changes while it is being read.
func Diff(ctx context.Context, opts DiffOptions) (*DiffResult, error) {
	if opts.A == nil || opts.B == nil {
		return nil, Classify(fmt.Errorf("%w: two data directories must be given", ErrOptions))
	}
	ignore, err := decide.Patterns(opts.Ignore).Expand()
	if err == nil {
		err = ignore.Check()
	}
	if err != nil {
		return nil, Classify(fmt.Errorf("%w: %w", ErrOptions, err))
	}
	opts.Ignore = ignore
	d := &differ{opts: opts, result: &DiffResult{FormatVersion: 1, A: opts.A.String(), B: opts.B.String(), Files: []FileDiff{}}}
	if err := d.run(ctx); err != nil {
		return nil, Classify(err)
	}
	return d.result, nil
}

// differ compares two data directories.
type differ struct {
	opts    DiffOptions
	version *pgdata.Version
	geo     pgdata.Geometry
	result  *DiffResult
}

func (d *differ) run(ctx context.Context) error {
	a, _, err := lookAtSource(ctx, d.opts.A)
	if err != nil {
		return err
	}
	b, _, err := lookAtSource(ctx, d.opts.B)
	if err != nil {
		return err
	}
	if err := sameCluster(a, b); err != nil {
		return err
	}
	d.version, d.geo = a.Version, a.Geometry
	ours, theirs := new(decide.Listing), new(decide.Listing)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.list(gctx, d.opts.A, ours) })
	g.Go(func() error { return d.list(gctx, d.opts.B, theirs) })
	if err := g.Wait(); err != nil {
		return err
	}
	if err := d.compare(ctx, ours, theirs); err != nil {
		return err
	}
	for i := range d.result.Files {
		f := &d.result.Files[i]
		d.addLengths(f)
		d.result.Worst = max(d.result.Worst, f.Difference)
	}
	slices.SortFunc(d.result.Files, func(a, b FileDiff) int { return cmp.Compare(a.Path, b.Path) })
	return nil
}

func sameCluster(a, b *controlfile.Data) error {
	switch {
	case a.SystemIdentifier != b.SystemIdentifier:
		return fmt.Errorf("%w: their system identifiers are %d and %d", ErrDifferentSystems, a.SystemIdentifier, b.SystemIdentifier)
	case a.Version != b.Version || a.Geometry != b.Geometry:
		return fmt.Errorf("%w: they are of PostgreSQL %s and %s", ErrIncompatible, a.Version, b.Version)
	}
	return nil
}

// list adds the files to compare.
func (d *differ) list(ctx context.Context, s source.Source, l *decide.Listing) error {
	for f, err := range s.Files(ctx) {
		if err != nil {
			return err
		}
		_, isWAL := d.version.InWALDir(f.Path)
		switch {
		case decide.PassedOver(d.version, f.Path), decide.Patterns(d.opts.Ignore).Match(f.Path) != "":
		case !d.opts.All && (isWAL || strings.HasPrefix(f.Path, d.version.WALDir+"/") || f.Path == pgdata.ControlFilePath):
		default:
			if err := l.Add(f); err != nil {
				return fmt.Errorf("the listing of %s: %w: %w", s, err, ErrSourceUntrusted)
			}
		}
	}
	return nil
}

// compare finds the files that differ.
func (d *differ) compare(ctx context.Context, ours, theirs *decide.Listing) error {
	c := newContents(d)
	defer func() { _ = c.reading.wait() }() // if the comparison ends early
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for a, b := range decide.Merge(ours, theirs) {
		f := FileDiff{Path: a.Path, SizeA: a.Size, SizeB: b.Size}
		switch {
		case b.Type == 0:
			f.Reason = "only in a"
		case a.Type == 0:
			f.Reason = "only in b"
		case a.Type != b.Type:
			f.Reason = "type"
		case a.Type == pgdata.Regular:
			d.result.FilesCompared++
			d.result.BytesCompared += min(f.SizeA, f.SizeB)
			if err := c.add(ctx, f); err != nil {
				return err
			}
			if min(f.SizeA, f.SizeB) > 0 || f.SizeA == f.SizeB {
				continue
			}
		default: // tablespaces may be in different places on each server
			continue
		}
		d.result.Files = append(d.result.Files, f)
	}
	return c.end(ctx)
}

// hasPages reports whether a path is a relation's file, maps included.
func (d *differ) hasPages(p string) bool {
	_, isMain := pgdata.ParseRelPath(d.version, p)
	return isMain || isFork(p, "fsm") || isFork(p, "vm")
}

// isFork reports whether a path is a file of the given fork of a relation.
func isFork(p, fork string) bool {
	_, isData := report.RelationOf(p)
	return isData && (strings.HasSuffix(p, "_"+fork) || strings.Contains(p, "_"+fork+"."))
}

// comparePages compares the blocks of a relation.
func (d *differ) comparePages(f *FileDiff, offset int64, ours, theirs []byte) {
	size, isMap := int(d.geo.BlockSize), isFork(f.Path, "vm")
	for at := 0; at < len(ours); at += size {
		end := min(at+size, len(ours))
		how := Difference(page.Compare(ours[at:end], theirs[at:end]))
		if isMap && how == FreeSpaceDiffers { // in a map, the data is where other pages have free space
			how = DifferentContent
		}
		if how == NoDifference {
			continue
		}
		f.Difference = max(f.Difference, how)
		f.note(pgdata.BlockNumber((offset+int64(at))/int64(size)), how)
	}
}

// note records a differing block.
func (f *FileDiff) note(b pgdata.BlockNumber, how Difference) {
	if n := len(f.Blocks); n > 0 && f.More == 0 && f.Blocks[n-1].Last+1 == b && f.Blocks[n-1].Difference == how {
		f.Blocks[n-1].Last = b
	} else if n < maxDifferentRuns {
		f.Blocks = append(f.Blocks, BlockRun{b, b, how})
	} else {
		f.More++
	}
}

// addLengths accounts for blocks beyond the end of the shorter file. Differences in a free
// space map never matter.
func (d *differ) addLengths(f *FileDiff) {
	if f.SizeA != f.SizeB || f.Reason != "" {
		f.Difference = DifferentContent
	}
	if isFork(f.Path, "fsm") {
		f.Difference = min(f.Difference, FreeSpaceDiffers)
	}
}
