package rewind

import (
	"context"
	"path"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/walreader"
)

// walTable says what happens to every WAL segment: to those that a side has, and to
// those that recovery reads.
type walTable struct {
	segments map[string]decide.Segment // by file name
	needed   []NeededWAL               // the segments that recovery reads, in that order
}

// wal decides about all WAL segments. Segments that recovery reads and neither side has
// are restored from the archive; it is an error if that does not have them either.
func (a *analyzer) wal(ctx context.Context, p *Plan, b *decide.Builder) (*walTable, error) {
	w := &walTableBuilder{
		a: a, plan: p, lists: b, own: a.targetWAL(p.Target.History).own(), table: &walTable{segments: map[string]decide.Segment{}},
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
	if p.Evidence == report.ByWAL {
		w.keepSuperseded()
	}
	return w.table, nil
}

type walTableBuilder struct {
	a     *analyzer
	plan  *Plan
	lists *decide.Builder
	own   targetWAL
	table *walTable

	good map[pgdata.SegNo]bool // whether the target's segment from before the fork is what its name says
	end  pgdata.LSN            // up to where the source has written; zero if unknown
	fork pgdata.SegNo          // segment of the fork

	beginning      string // the target's segment of the fork, whose beginning both sides share; empty if that is not proven
	beginningBytes int64  // length of that beginning
}

// judge checks that the target's own segments from before the fork are what their names
// say. Segments that the scan read as a whole are proven already. The others that
// recovery reads are read now. Of older segments, which recovery does not read, only
// the first page is.
func (w *walTableBuilder) judge(ctx context.Context) error {
	p, geo := w.plan, w.a.geo
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for f := range w.lists.TargetWAL() {
		tli, s, ok := geo.ParseWALFileName(path.Base(f.Path))
		if !ok || f.Size != int64(geo.WALSegSize) || s >= w.fork || p.carried.Suspect[f.Path] || tli != p.Target.History.TimelineOf(geo, s) {
			continue
		}
		if _, both := w.lists.Source(f.Path); !both && s < geo.SegNo(p.Start.Redo) {
			continue // the segment is removed
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

// isGood reports whether the target's segment s, from before the fork, is what its name
// says.
func (w *walTableBuilder) isGood(ctx context.Context, s pgdata.SegNo) bool {
	wal := replayedWAL{targetWAL: w.own, first: w.a.geo.SegNo(w.plan.Start.Redo), suspect: w.plan.carried.Suspect}
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

// replayedWAL opens the target's segments that the rewound server's recovery may read.
// It leaves out older segments, and segments that an interrupted rewind left half
// written, which will be copied again. A segment that is left out does not make its
// neighbor fail the check.
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

// sourceSegments decides about the source's segments.
func (w *walTableBuilder) sourceSegments() {
	for f := range w.lists.SourceWAL() {
		name := path.Base(f.Path)
		tli, s, ok := w.a.geo.ParseWALFileName(name)
		if !ok {
			continue
		}
		own, both := w.lists.Target(f.Path)
		segment := decide.Segment{
			Needless: w.plan.Evidence != report.ByWAL && s < w.a.geo.SegNo(w.plan.Start.Redo),
			Written:  writtenTo(w.plan.Source, name, f.Size, w.end),
			Common:   both && own.Size == f.Size && w.good[s] && tli == w.plan.Target.History.TimelineOf(w.a.geo, s),
		}
		segment.Local, segment.LocalBytes = w.localOf(tli, s)
		w.table.segments[name] = segment
	}
}

// localOf returns the target's file that begins as a source's segment does, and for how
// many bytes. A promotion copies the part before it from the old timeline's segment to
// the new one's; the source may still have both.
func (w *walTableBuilder) localOf(tli pgdata.TimelineID, s pgdata.SegNo) (string, int64) {
	p := w.plan
	if s != w.fork || !p.Source.State.Live || w.beginning == "" { // with a local source, copying from it costs no more
		return "", 0
	}
	inPlace := w.a.opts.InPlace || p.Again
	if inPlace && w.a.version.WALPath(w.a.geo.WALFileName(tli, s)) == w.beginning { // that file is overwritten first
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

// writtenBy returns up to where a source had written WAL, or zero if unknown.
func writtenBy(s Side) pgdata.LSN {
	switch {
	case s.State.Live:
		// A standby may be replaying the record at whose end its minimum recovery point is.
		return max(s.State.WALEnd(), s.Control.MinRecoveryPoint)
	case s.Control.State == controlfile.ShutDown:
		return max(s.EndOfWAL, s.Control.CheckPoint+pgdata.LSN(s.Control.Geometry.WALBlockSize)) // that record is short, and nothing comes after it
	}
	return 0
}

// writtenTo returns how much of a source's segment is written if its WAL ends at end.
// Servers write whole pages, so the result is rounded up to a page. For a timeline that
// was left, it is the part before that timeline's end. The rest, or a segment after the
// end, is a recycled file that waits under the name of a future segment. An end of zero
// means unknown.
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

// keepSuperseded keeps the target's own segment of the fork, as pg_rewind does, if that
// is harmless. After the fork the segment has WAL that must not be replayed. A server
// looks for a segment on the newest timeline of its history first. So the file must be
// of an older timeline that the source left in that very segment, and the newer
// timeline's file must be there. A file of a timeline that only the target had is
// removed: a server that is promoted later may take that timeline number, and the file
// would then be read as its own.
func (w *walTableBuilder) keepSuperseded() {
	p, geo := w.plan, w.a.geo
	tli := p.Target.History.TimelineOf(geo, w.fork)
	if tli != p.DivergenceTimeline || p.Source.History.TimelineOf(geo, w.fork) == tli {
		return
	}
	own, younger := geo.WALFileName(tli, w.fork), geo.WALFileName(p.Source.History.TimelineOf(geo, w.fork), w.fork)
	_, onTarget := w.lists.Target(w.a.version.WALPath(own))
	_, onSource := w.lists.Source(w.a.version.WALPath(own))
	comes := slices.ContainsFunc(w.table.needed, func(n NeededWAL) bool { // this is checked before the commit
		return n.Name == younger && (n.Origin == report.OnSource || n.Origin == report.InArchive)
	})
	if onTarget && !onSource && comes {
		w.table.segments[own] = decide.Segment{Superseded: true}
	}
}
