package rewind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// walFacts is what is known of the WAL segments of both sides beside their names
// and sizes, so that no WAL is moved that the target has or that the source has
// not written.
type walFacts struct {
	r      *Rewind
	common map[string]bool // the target's own, proven to be what both sides share

	recycled map[string]bool // the source's, under names for the future
	end      pgdata.LSN      // up to where the source has written; zero: not known

	alike      map[string]bool // the source's segments that begin like the target's of the divergence
	local      string          // that one's path
	localBytes int64           // that they share
}

// learnWAL finds out all of it. The listings must be complete.
func (r *Rewind) learnWAL(ctx context.Context, b *filemap.Builder) (*walFacts, error) {
	w := &walFacts{r: r, common: map[string]bool{}, recycled: map[string]bool{}, alike: map[string]bool{}, end: r.sourceState.WALEnd()}
	if err := w.checkCommon(ctx, b); err != nil {
		return nil, err
	}
	if r.live == nil {
		return w, nil // copying within a machine costs less than asking
	}
	if err := w.checkRecycled(ctx, b); err != nil {
		return nil, err
	}
	return w, w.checkLocal(ctx, b)
}

// checkCommon proves that segments of before the divergence, which both sides
// have, are on the target what their names say. Those that the scan read whole
// are proven already; of the others those that recovery reads are read now, and
// of older ones, which nobody here reads, the first page.
func (w *walFacts) checkCommon(ctx context.Context, b *filemap.Builder) error {
	p, geo, v := w.r.plan, w.r.targetControl.Geometry, w.r.plan.Version
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for f := range b.TargetWAL() {
		name := path.Base(f.Path)
		tli, s, ok := geo.ParseWALFileName(name)
		src, both := b.Source(f.Path)
		if !ok || !both || src.Size != f.Size || s >= geo.SegNo(p.Divergence) || w.r.suspect(f.Path) ||
			tli != p.Target.History.TimelineOf(geo, s) {
			continue
		}
		g.Go(func() error {
			check := walreader.CheckSegment
			switch from := w.r.recoveryStart().Redo; {
			case w.r.scanned(s):
				check = nil
			case s >= geo.SegNo(from):
				check = walreader.VerifySegment
			}
			good := check == nil || w.r.checkOwn(ctx, v.WALPath(name), s, check) == nil
			mu.Lock()
			defer mu.Unlock()
			w.common[name] = good
			return ctx.Err()
		})
	}
	return g.Wait()
}

// scanned reports whether all records of a segment were read in this run.
func (r *Rewind) scanned(s pgdata.SegNo) bool {
	scan := r.plan.Scan
	return r.earlier == nil && scan.FirstSegment < s && s <= scan.LastSegment
}

func (r *Rewind) checkOwn(ctx context.Context, p string, s pgdata.SegNo, check func(context.Context, walreader.Segment, pgdata.SegNo, walreader.Format) error) error {
	f, err := r.target.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	return check(ctx, f, s, r.format(r.targetControl))
}

// checkRecycled reads the first pages of the source's segments. A recycled file
// waits under the name of a segment of the future, and its first page still says
// what it was.
func (w *walFacts) checkRecycled(ctx context.Context, b *filemap.Builder) error {
	geo, v := w.r.sourceControl.Geometry, w.r.plan.Version
	var first []source.Range
	for f := range b.SourceWAL() {
		if _, _, ok := geo.ParseWALFileName(path.Base(f.Path)); ok && !w.common[path.Base(f.Path)] {
			first = append(first, source.Range{Path: f.Path, Length: int64(geo.WALBlockSize)})
		}
	}
	pages := newParts(first)
	if err := w.r.opts.Source.Fetch(ctx, slices.Values(first), pages); err != nil {
		return err
	}
	for _, r := range first {
		name := path.Base(r.Path)
		_, s, _ := geo.ParseWALFileName(name)
		err := walreader.CheckSegment(ctx, memorySegment{bytes.NewReader(pages.of(r)), r.Path}, s, w.r.format(w.r.sourceControl))
		w.recycled[name] = errors.Is(err, walreader.ErrEndOfWAL)
		if w.recycled[name] {
			w.r.log.Debug(fmt.Sprintf("WAL segment %s of the source is recycled and not yet written", v.WALPath(name)))
		}
	}
	return nil
}

// checkLocal compares the part before the divergence of the segment in which the
// two part. A promotion copies it to the new timeline's segment from the old one,
// which the source may still have, too.
func (w *walFacts) checkLocal(ctx context.Context, b *filemap.Builder) error {
	p, geo := w.r.plan, w.r.targetControl.Geometry
	s := geo.SegNo(p.Divergence)
	w.local = p.Version.WALPath(geo.WALFileName(p.Target.History.TimelineOf(geo, s), s))
	w.localBytes = int64(geo.PageStart(p.Divergence) - geo.SegStart(s))
	if _, has := b.Target(w.local); !has || w.localBytes == 0 || w.r.earlier != nil {
		return nil
	}
	var names []string
	var pairs []pair
	for f := range b.SourceWAL() {
		name := path.Base(f.Path)
		_, segment, ok := geo.ParseWALFileName(name)
		inItsPlace := f.Path == w.local && w.r.inPlace() // which is overwritten first
		if ok && segment == s && f.Size >= w.localBytes && !inItsPlace && !w.recycled[name] {
			names = append(names, name)
			pairs = append(pairs, pair{w.local, source.Range{Path: f.Path, Length: w.localBytes}})
		}
	}
	same, err := w.r.sameContent(ctx, pairs)
	for i, name := range names {
		if err == nil && same[i] {
			w.alike[name] = true
		}
	}
	return err
}

// isCommon reports whether the target's segment is proven to be what both have.
func (w *walFacts) isCommon(name string) bool { return w.common[name] }

// written is how many bytes of a source's segment hold WAL.
func (w *walFacts) written(name string, size int64) int64 {
	if w.recycled[name] {
		return 0
	}
	return w.r.writtenTo(name, size, w.end)
}

// writtenTo is how much of a source's segment is written where its WAL ends at end:
// whole pages, for a server writes those. Of a timeline that was left it is what
// lies before its end. An end of zero is not known.
func (r *Rewind) writtenTo(name string, size int64, end pgdata.LSN) int64 {
	geo := r.sourceControl.Geometry
	tli, s, ok := geo.ParseWALFileName(name)
	if !ok || end == 0 {
		return size
	}
	for _, e := range r.plan.Source.History {
		if e.TLI == tli && e.End != 0 {
			end = e.End
		}
	}
	if s != geo.SegNo(end) {
		return size
	}
	page := pgdata.LSN(geo.WALBlockSize)
	return min(size, int64((end+page-1)/page*page-geo.SegStart(s)))
}

// localOf is the target's file whose first bytes are those of a source's segment.
func (w *walFacts) localOf(name string) (string, int64) {
	if !w.alike[name] {
		return "", 0
	}
	return w.local, w.localBytes
}

type memorySegment struct {
	*bytes.Reader
	name string
}

func (s memorySegment) Name() string { return s.name }
func (memorySegment) Close() error   { return nil }
