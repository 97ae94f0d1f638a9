package rewind

import (
	"context"
	"path"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/walreader"
)

// walTable says what becomes of every WAL segment: of those that a side has, and of
// those that recovery reads.
type walTable struct {
	segments map[string]filemap.Segment // by file name
	needed   []NeededWAL                // what recovery reads, in its order
}

// wal decides about all WAL segments. What recovery reads and neither side has is
// brought back from the archive; it is an error if that does not have it either.
func (a *analyzer) wal(ctx context.Context, p *Plan, b *filemap.Builder) (*walTable, error) {
	w := &walTableBuilder{
		a: a, plan: p, lists: b, own: a.targetWAL(p.Target.History).own(), table: &walTable{segments: map[string]filemap.Segment{}},
		good: map[pgdata.SegNo]bool{}, end: writtenBy(p.Source), fork: a.geo.SegNo(p.shared()),
	}
	if s := w.fork; w.scanned(s) && a.noneNewer(ctx, w.own, s, p.shared(), p.DivergenceTimeline) {
		w.beginning, w.beginningBytes = w.own.path(s), int64(a.geo.PageStart(p.shared())-a.geo.SegStart(s))
	}
	if err := w.judge(ctx); err != nil {
		return nil, err
	}
	w.sourceSegments()
	if err := w.recoveryReads(ctx); err != nil {
		return nil, err
	}
	if p.Evidence == ByWAL {
		w.keepSuperseded()
	}
	return w.table, nil
}

type walTableBuilder struct {
	a     *analyzer
	plan  *Plan
	lists *filemap.Builder
	own   targetWAL
	table *walTable

	good map[pgdata.SegNo]bool // the target's own of before the fork that are what their names say
	end  pgdata.LSN            // up to where the source has written; zero: not known
	fork pgdata.SegNo          // in which the fork lies

	beginning      string // the target's segment of the fork, whose beginning both share; empty if nothing proves it
	beginningBytes int64  // of that beginning
}

// judge proves that the target's own segments of before the fork are what their names
// say. Those that the scan read whole are proven already; of the others those that
// recovery reads are read now, and of older ones, which nobody here reads, the first
// page.
func (w *walTableBuilder) judge(ctx context.Context) error {
	p, geo := w.plan, w.a.geo
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for f := range w.lists.TargetWAL() {
		tli, s, ok := geo.ParseWALFileName(path.Base(f.Path))
		if !ok || f.Size != int64(geo.WALSegSize) || s >= w.fork || p.Suspect[f.Path] || tli != p.Target.History.TimelineOf(geo, s) {
			continue
		}
		if _, both := w.lists.Source(f.Path); !both && s < geo.SegNo(p.Start.Redo) {
			continue // it goes
		}
		g.Go(func() error {
			good := w.isGood(ctx, s)
			mu.Lock()
			defer mu.Unlock()
			w.good[s] = good
			return ctx.Err()
		})
	}
	return g.Wait()
}

// isGood reports whether the target's segment s, of before the fork, is what its name
// says.
func (w *walTableBuilder) isGood(ctx context.Context, s pgdata.SegNo) bool {
	wal := replayedWAL{targetWAL: w.own, first: w.a.geo.SegNo(w.plan.Start.Redo), suspect: w.plan.Suspect}
	var err error
	switch {
	case w.scanned(s):
	case s >= wal.first:
		err = walreader.VerifySegment(ctx, wal, w.a.format, s, wal.history.TimelineOf(wal.geo, s))
	default:
		var seg walreader.Segment
		if seg, err = w.own.OpenSegment(ctx, s); err == nil {
			defer func() { _ = seg.Close() }()
			err = walreader.CheckSegment(ctx, seg, s, w.a.format)
		}
	}
	return err == nil
}

// scanned reports whether all records of a segment were read in this run.
func (w *walTableBuilder) scanned(s pgdata.SegNo) bool {
	scan := w.plan.Scan
	return !w.plan.Again && scan.Records > 0 && scan.Proven <= s && s <= scan.LastSegment
}

// replayedWAL opens the target's segments that the rewound server's recovery could
// read: not those of before, and not what an interrupted rewind left half written,
// which will be copied again. Neither counts against its neighbour.
type replayedWAL struct {
	targetWAL
	first   pgdata.SegNo
	suspect map[string]bool
}

func (w replayedWAL) OpenSegment(ctx context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	if s < w.first || w.suspect[w.path(s)] {
		return nil, errNotReplayed
	}
	return w.targetWAL.OpenSegment(ctx, s)
}

// sourceSegments decides about what the source has.
func (w *walTableBuilder) sourceSegments() {
	for f := range w.lists.SourceWAL() {
		name := path.Base(f.Path)
		tli, s, ok := w.a.geo.ParseWALFileName(name)
		if !ok {
			continue
		}
		own, both := w.lists.Target(f.Path)
		segment := filemap.Segment{
			Needless: w.plan.Evidence != ByWAL && s < w.a.geo.SegNo(w.plan.Start.Redo),
			Written:  writtenTo(w.plan.Source, name, f.Size, w.end),
			Common:   both && own.Size == f.Size && w.good[s] && tli == w.plan.Target.History.TimelineOf(w.a.geo, s),
		}
		segment.Local, segment.LocalBytes = w.localOf(tli, s)
		w.table.segments[name] = segment
	}
}

// localOf is the target's file that begins as a source's segment does, and for how
// many bytes. A promotion copies what lies before it from the old timeline's segment
// to the new one's; the source may still have both.
func (w *walTableBuilder) localOf(tli pgdata.TimelineID, s pgdata.SegNo) (string, int64) {
	p := w.plan
	if s != w.fork || !p.Source.State.Live || w.beginning == "" { // copying within a machine is as cheap
		return "", 0
	}
	inPlace := w.a.opts.InPlace || p.Again
	if inPlace && w.a.version.WALPath(w.a.geo.WALFileName(tli, s)) == w.beginning { // which is overwritten first
		return "", 0
	}
	for _, e := range slices.Backward(p.Source.History) {
		switch {
		case e.TLI == tli && (tli == p.DivergenceTimeline || w.a.geo.SegNo(e.Begin) == s):
			return w.beginning, w.beginningBytes
		case e.TLI == p.DivergenceTimeline:
			return "", 0
		}
	}
	return "", 0
}

// writtenBy is up to where a source had written WAL; zero: not known.
func writtenBy(s Side) pgdata.LSN {
	switch {
	case s.State.Live:
		// A standby may be replaying the record that its minimum recovery point ends.
		return max(s.State.WALEnd(), s.Control.MinRecoveryPoint)
	case s.Control.State == controlfile.ShutDown:
		return max(s.EndOfWAL, s.Control.CheckPoint+pgdata.LSN(s.Control.Geometry.WALBlockSize)) // nothing comes after that record, which is short
	}
	return 0
}

// writtenTo is how much of a source's segment is written where its WAL ends at end:
// whole pages, for a server writes those. Of a timeline that was left it is what
// lies before its end. What lies behind is a recycled file, which waits there under
// the name of a segment of the future. An end of zero is not known.
func writtenTo(source Side, name string, size int64, end pgdata.LSN) int64 {
	geo := source.Control.Geometry
	tli, s, ok := geo.ParseWALFileName(name)
	if !ok || end == 0 {
		return size
	}
	for _, e := range source.History {
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

// keepSuperseded keeps the target's own segment of the fork, as pg_rewind does, where
// that is harmless: behind the fork it holds what must be forgotten. A server looks
// for a segment on the newest timeline of its history first, so the file must be of
// an older one that the source left in that very segment, and the younger file must
// be there. One of a timeline that only the target had is removed: a server that is
// promoted later can take that number, and the file would be read as its own.
func (w *walTableBuilder) keepSuperseded() {
	p, geo := w.plan, w.a.geo
	tli := p.Target.History.TimelineOf(geo, w.fork)
	if tli != p.DivergenceTimeline || p.Source.History.TimelineOf(geo, w.fork) == tli {
		return
	}
	own, younger := geo.WALFileName(tli, w.fork), geo.WALFileName(p.Source.History.TimelineOf(geo, w.fork), w.fork)
	_, onTarget := w.lists.Target(w.a.version.WALPath(own))
	_, onSource := w.lists.Source(w.a.version.WALPath(own))
	comes := slices.ContainsFunc(w.table.needed, func(n NeededWAL) bool { // which is proven before the commit
		return n.Name == younger && (n.Origin == report.OnSource || n.Origin == report.InArchive)
	})
	if onTarget && !onSource && comes {
		w.table.segments[own] = filemap.Segment{Superseded: true}
	}
}
