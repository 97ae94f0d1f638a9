package rewind

import (
	"context"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/controlfile"
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

	end pgdata.LSN // up to where the source has written; zero: not known

	own      string // the target's segment of the divergence, whose beginning both share; empty if nothing proves it
	ownBytes int64  // of that beginning
}

// learnWAL finds out all of it. The listings must be complete.
func (r *Rewind) learnWAL(ctx context.Context, b *filemap.Builder) (*walFacts, error) {
	w := &walFacts{r: r, common: map[string]bool{}, end: r.writtenBy(r.sourceControl, r.sourceState)}
	geo, divergence := r.targetControl.Geometry, r.plan.Divergence
	if s := geo.SegNo(divergence); r.scanned(s) && r.noneNewer(ctx, s, r.plan.DivergenceTimeline) {
		w.own, w.ownBytes = r.targetWAL().path(s), int64(geo.PageStart(divergence)-geo.SegStart(s))
	}
	return w, w.checkCommon(ctx, b)
}

// checkCommon proves that segments of before the divergence, which both sides
// have, are on the target what their names say. Those that the scan read whole
// are proven already; of the others those that recovery reads are read now, and
// of older ones, which nobody here reads, the first page.
func (w *walFacts) checkCommon(ctx context.Context, b *filemap.Builder) error {
	p, geo := w.r.plan, w.r.targetControl.Geometry
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
			good := w.r.ownIsGood(ctx, s)
			mu.Lock()
			defer mu.Unlock()
			w.common[name] = good
			return ctx.Err()
		})
	}
	return g.Wait()
}

// ownIsGood reports whether the target's segment s, of before the divergence, is
// what its name says.
func (r *Rewind) ownIsGood(ctx context.Context, s pgdata.SegNo) bool {
	wal, f := replayedWAL{r, r.ownWAL()}, r.format(r.targetControl)
	var err error
	switch {
	case r.scanned(s):
	case s >= wal.first():
		err = walreader.VerifySegment(ctx, wal, f, s, wal.history.TimelineOf(wal.geo, s))
	default:
		var seg walreader.Segment
		if seg, err = wal.targetWAL.OpenSegment(ctx, s); err == nil {
			defer func() { _ = seg.Close() }()
			err = walreader.CheckSegment(ctx, seg, s, f)
		}
	}
	return err == nil
}

// proveScanned finds out from which segment on the scan has proven what
// [walreader.VerifySegment] proves.
func (r *Rewind) proveScanned(ctx context.Context) {
	first := r.plan.Scan.FirstSegment
	err := walreader.VerifyStart(ctx, r.ownWAL(), r.format(r.targetControl), first)
	r.provenFrom = first
	if err != nil || !r.noneNewer(ctx, first, r.plan.Target.History.TimelineOf(r.targetControl.Geometry, first)) {
		r.provenFrom++
	}
}

// noneNewer reports whether the pages of a scanned segment, before the divergence,
// are of no newer timeline than tli. The last one tells, for the scan has found that
// they do not go back.
func (r *Rewind) noneNewer(ctx context.Context, s pgdata.SegNo, tli pgdata.TimelineID) bool {
	geo := r.targetControl.Geometry
	end := min(geo.SegStart(s+1), geo.PageStart(r.plan.Divergence))
	if end <= geo.SegStart(s) {
		return true
	}
	newest, err := walreader.PageTimeline(ctx, r.ownWAL(), r.format(r.targetControl), end-pgdata.LSN(geo.WALBlockSize))
	return err == nil && newest <= tli
}

// scanned reports whether all records of a segment were read in this run.
func (r *Rewind) scanned(s pgdata.SegNo) bool {
	return r.earlier == nil && r.provenFrom <= s && s <= r.plan.Scan.LastSegment
}

// replayedWAL opens the target's segments that the rewound server's recovery could
// read: not those of before, and not what an interrupted rewind left half written,
// which will be copied again. Neither counts against its neighbour.
type replayedWAL struct {
	r *Rewind
	targetWAL
}

func (w replayedWAL) first() pgdata.SegNo { return w.geo.SegNo(w.r.recoveryStart().Redo) }

func (w replayedWAL) OpenSegment(ctx context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	if s < w.first() || w.r.suspect(w.path(s)) {
		return nil, fs.ErrNotExist
	}
	return w.targetWAL.OpenSegment(ctx, s)
}

// isCommon reports whether the target's segment is proven to be what both have.
func (w *walFacts) isCommon(name string) bool { return w.common[name] }

// writtenBy is up to where the source had written WAL when that was its control
// file and, of a server, its state; zero: not known.
func (r *Rewind) writtenBy(c *controlfile.Data, s source.State) pgdata.LSN {
	switch {
	case r.live != nil:
		// A standby may be replaying the record that its minimum recovery point ends.
		return max(s.WALEnd(), c.MinRecoveryPoint)
	case c.State == controlfile.ShutDown:
		return c.CheckPoint + pgdata.LSN(c.Geometry.WALBlockSize) // nothing comes after that record, which is short
	}
	return 0
}

// written is how many bytes of a source's segment hold WAL.
func (w *walFacts) written(name string, size int64) int64 { return w.r.writtenTo(name, size, w.end) }

// writtenTo is how much of a source's segment is written where its WAL ends at end:
// whole pages, for a server writes those. Of a timeline that was left it is what
// lies before its end. What lies behind is a recycled file, which waits there under
// the name of a segment of the future. An end of zero is not known.
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
	switch last := geo.SegNo(end - 1); {
	case s < last:
		return size
	case s > last:
		return 0
	}
	page := int64(geo.WALBlockSize)
	return min(size, (int64(end-1-geo.SegStart(s))/page+1)*page)
}

// localOf is the target's file that begins as a source's segment does, and for how
// many bytes. A promotion copies what lies before it from the old timeline's segment
// to the new one's; the source may still have both.
func (w *walFacts) localOf(name string) (string, int64) {
	p, geo := w.r.plan, w.r.targetControl.Geometry
	tli, s, ok := geo.ParseWALFileName(name)
	if !ok || s != geo.SegNo(p.Divergence) || w.r.live == nil { // copying within a machine is as cheap
		return "", 0
	}
	if w.r.inPlace() && p.Version.WALPath(name) == w.own { // which is overwritten first
		return "", 0
	}
	for _, e := range slices.Backward(p.Source.History) {
		switch {
		case e.TLI == tli && (tli == p.DivergenceTimeline || geo.SegNo(e.Begin) == s):
			return w.own, w.ownBytes
		case e.TLI == p.DivergenceTimeline:
			return "", 0
		}
	}
	return "", 0
}
