package rewind

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// Difference is how two versions of a file or page differ: one of the constants,
// the lightest first.
type Difference = page.Difference

// The differences. Those before DifferentContent are of pages of relations and
// mean the same to a reader of the data.
const (
	NoDifference     = page.Same
	ChecksumDiffers  = page.ByChecksum
	LSNDiffers       = page.ByLSN
	HintBitsDiffer   = page.ByHintBits
	FreeSpaceDiffers = page.ByFreeSpace // of pages, and free space maps
	DifferentContent = page.ByContent
)

const (
	maxDifferentRuns = 1000    // of blocks, that a FileDiff names
	compareBatch     = 8 << 20 // bytes of a file that are compared at a time
)

// ParseDifference understands the word for a difference: none, checksum, lsn,
// hint_bits, free_space or content.
func ParseDifference(s string) (Difference, error) { return page.ParseDifference(s) }

// DiffOptions say what is compared.
type DiffOptions struct {
	A source.Source // usually a stopped data directory
	B source.Source // another one, or a server
	// Ignore are patterns of files to pass over, as Options.Keep.
	Ignore []string
	// All compares WAL and the control file, too, in which any two servers differ.
	All bool
}

// DiffResult is how two data directories differ.
type DiffResult struct {
	FormatVersion int        `json:"format_version"` // 1
	A             string     `json:"a"`
	B             string     `json:"b"`
	FilesCompared int        `json:"files_compared"`
	BytesCompared int64      `json:"bytes_compared"`
	Worst         Difference `json:"worst"`
	Files         []FileDiff `json:"files"` // that differ, by path
}

// FileDiff is how a file differs.
type FileDiff struct {
	Path       string     `json:"path"`
	Difference Difference `json:"difference"` // the worst of its pages
	// Reason says what is different beside the content: "only in a", "only in b" or
	// "type"; empty otherwise.
	Reason string `json:"reason,omitempty"`
	SizeA  int64  `json:"size_a"`
	SizeB  int64  `json:"size_b"`
	// Blocks are the different ones of a relation's file, up to a thousand runs.
	Blocks []BlockRun `json:"blocks,omitempty"`
	More   int        `json:"more_blocks,omitempty"` // that Blocks does not name
}

// BlockRun is some neighbouring blocks of a file that differ in the same way.
type BlockRun struct {
	First      pgdata.BlockNumber `json:"first"`
	Last       pgdata.BlockNumber `json:"last"`
	Difference Difference         `json:"difference"`
}

// Diff compares what two servers have on their disks: all that a rewind would
// make equal. It passes over what a rewind passes over. Pages of relations are
// compared by their parts. A server that is running changes while it is read.
func Diff(ctx context.Context, opts DiffOptions) (*DiffResult, error) {
	if opts.A == nil || opts.B == nil {
		return nil, Classify(fmt.Errorf("%w: two data directories must be given", ErrOptions))
	}
	if err := filemap.Patterns(opts.Ignore).Check(); err != nil {
		return nil, Classify(fmt.Errorf("%w: %w", ErrOptions, err))
	}
	d := &differ{opts: opts, result: &DiffResult{FormatVersion: 1, A: opts.A.String(), B: opts.B.String(), Files: []FileDiff{}}}
	if err := d.run(ctx); err != nil {
		return nil, Classify(err)
	}
	return d.result, nil
}

// differ compares two directories.
type differ struct {
	opts    DiffOptions
	version *pgdata.Version
	geo     pgdata.Geometry
	result  *DiffResult
}

func (d *differ) run(ctx context.Context) error {
	a, _, err := readSourceControl(ctx, d.opts.A)
	if err != nil {
		return err
	}
	b, _, err := readSourceControl(ctx, d.opts.B)
	if err != nil {
		return err
	}
	if err := sameCluster(a, b); err != nil {
		return err
	}
	d.version, d.geo = a.Version, a.Geometry
	ours, err := d.list(ctx, d.opts.A)
	if err != nil {
		return err
	}
	theirs, err := d.list(ctx, d.opts.B)
	if err != nil {
		return err
	}
	var both []*FileDiff
	for p, f := range ours {
		other, has := theirs[p]
		diff := FileDiff{Path: p, SizeA: f.Size, SizeB: other.Size}
		switch {
		case !has:
			diff.Reason = "only in a"
		case f.Type != other.Type:
			diff.Reason = "type"
		case f.Type == pgdata.Regular:
			both = append(both, &diff)
			continue
		default: // where tablespaces lie is each server's own affair
			continue
		}
		d.note(diff)
	}
	for p, f := range theirs {
		if _, has := ours[p]; !has {
			d.note(FileDiff{Path: p, SizeB: f.Size, Reason: "only in b"})
		}
	}
	slices.SortFunc(both, func(a, b *FileDiff) int { return cmp.Compare(a.Path, b.Path) })
	if err := d.compareContents(ctx, both); err != nil {
		return err
	}
	slices.SortFunc(d.result.Files, func(a, b FileDiff) int { return cmp.Compare(a.Path, b.Path) })
	for _, f := range d.result.Files {
		d.result.Worst = max(d.result.Worst, f.Difference)
	}
	return nil
}

// note adds a file that differs by more than its content.
func (d *differ) note(f FileDiff) {
	d.weigh(&f)
	d.result.Files = append(d.result.Files, f)
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

// list gives the files that are compared.
func (d *differ) list(ctx context.Context, s source.Source) (map[string]pgdata.FileInfo, error) {
	files := map[string]pgdata.FileInfo{}
	for f, err := range s.Files(ctx) {
		if err != nil {
			return nil, err
		}
		_, isWAL := d.version.InWALDir(f.Path)
		switch {
		case filemap.PassedOver(d.version, f.Path), filemap.Patterns(d.opts.Ignore).Match(f.Path) != "":
		case !d.opts.All && (isWAL || strings.HasPrefix(f.Path, d.version.WALDir+"/") || f.Path == pgdata.ControlFilePath):
		default:
			files[f.Path] = f
		}
	}
	return files, nil
}

// compareContents finds the files, and the blocks of relations, that differ. It
// reads both sides in batches of bounded size.
func (d *differ) compareContents(ctx context.Context, both []*FileDiff) error {
	var batch []source.Range
	var files []*FileDiff // of the ranges
	var size int64
	flush := func() error {
		err := d.compareRanges(ctx, files, batch)
		batch, files, size = batch[:0], files[:0], 0
		return err
	}
	for _, f := range both {
		end := min(f.SizeA, f.SizeB)
		for at := int64(0); at < end; at += compareBatch {
			if at > 0 || size > compareBatch {
				if err := flush(); err != nil {
					return err
				}
			}
			r := source.Range{Path: f.Path, Offset: at, Length: min(end-at, compareBatch)}
			batch, files, size = append(batch, r), append(files, f), size+r.Length
		}
		d.result.FilesCompared++
		d.result.BytesCompared += end
	}
	if err := flush(); err != nil {
		return err
	}
	for _, f := range both {
		if d.weigh(f); f.Difference != NoDifference {
			d.result.Files = append(d.result.Files, *f)
		}
	}
	return nil
}

// compareRanges compares one part of each of some files.
func (d *differ) compareRanges(ctx context.Context, files []*FileDiff, ranges []source.Range) error {
	a, b := newParts(ranges), newParts(ranges)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.opts.A.Fetch(ctx, slices.Values(ranges), a) })
	g.Go(func() error { return d.opts.B.Fetch(ctx, slices.Values(ranges), b) })
	if err := g.Wait(); err != nil {
		return err
	}
	for i, f := range files {
		ours, theirs := a.of(ranges[i]), b.of(ranges[i])
		if bytes.Equal(ours, theirs) {
			continue
		}
		if !d.hasPages(f.Path) || len(ours) != len(theirs) {
			f.Difference = DifferentContent
			continue
		}
		d.comparePages(f, ranges[i].Offset, ours, theirs)
	}
	return nil
}

// hasPages tells the files of relations, maps included.
func (d *differ) hasPages(p string) bool {
	_, isMain := pgdata.ParseRelPath(d.version, p)
	return isMain || isFork(p, "fsm") || isFork(p, "vm")
}

// isFork tells the files of a fork of relations.
func isFork(p, fork string) bool {
	_, _, isData := placeOf(p)
	return isData && (strings.HasSuffix(p, "_"+fork) || strings.Contains(p, "_"+fork+"."))
}

// comparePages compares blocks of a relation.
func (d *differ) comparePages(f *FileDiff, offset int64, ours, theirs []byte) {
	size, isMap := int(d.geo.BlockSize), isFork(f.Path, "vm")
	for at := 0; at < len(ours); at += size {
		end := min(at+size, len(ours))
		how := page.Compare(ours[at:end], theirs[at:end])
		if isMap && how == FreeSpaceDiffers { // where other pages have a hole, this one has the map
			how = DifferentContent
		}
		if how == NoDifference {
			continue
		}
		f.Difference = max(f.Difference, how)
		f.note(pgdata.BlockNumber((offset+int64(at))/int64(size)), how)
	}
}

// note adds a block.
func (f *FileDiff) note(b pgdata.BlockNumber, how Difference) {
	if n := len(f.Blocks); n > 0 && f.More == 0 && f.Blocks[n-1].Last+1 == b && f.Blocks[n-1].Difference == how {
		f.Blocks[n-1].Last = b
	} else if n < maxDifferentRuns {
		f.Blocks = append(f.Blocks, BlockRun{b, b, how})
	} else {
		f.More++
	}
}

// weigh takes into account what lies beyond the end of the shorter file, and that
// nothing of a free space map matters.
func (d *differ) weigh(f *FileDiff) {
	if f.SizeA != f.SizeB || f.Reason != "" {
		f.Difference = DifferentContent
	}
	if isFork(f.Path, "fsm") {
		f.Difference = min(f.Difference, FreeSpaceDiffers)
	}
}
