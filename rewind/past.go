package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/walreader"
)

// past is what the target did since the two sides had the same files: which blocks may
// differ, and where recovery has to start. It does not depend on how this was found:
// from the target's WAL, or from what an interrupted rewind knew of it.
type past struct {
	checkpoint walreader.Checkpoint // the last common checkpoint
	start      walreader.Checkpoint // where recovery starts
	changed    pgdata.Changes
	scan       ScanSummary
	lost       lost.Lost
	events     *events // in the records that recovery replays before the fork
}

// past reads the target's WAL from the last common checkpoint to its end.
func (a *analyzer) past(ctx context.Context, s sides, f fork, earlier *Plan) (*past, error) {
	if earlier != nil {
		p := &past{checkpoint: earlier.Checkpoint, changed: earlier.carried.Changed, scan: earlier.Scan, lost: earlier.Lost, events: newEvents(f.at)}
		maps.Copy(p.events.prepared, earlier.Prepared)
		p.start = startOfRecovery(s, p.checkpoint)
		return p, nil
	}
	p, err := a.scanSinceCommon(ctx, s, f)
	if err != nil {
		return nil, a.unreadable(err)
	}
	p.start = startOfRecovery(s, p.checkpoint)
	p.scan.Proven = a.proveScanned(ctx, a.targetWAL(s.target.History).own(), p.scan.FirstSegment, f.at)
	a.log.Info(fmt.Sprintf("rewinding from last common checkpoint at %s on timeline %d", a.lsn(p.checkpoint.LSN), p.checkpoint.TLI),
		"lsn", a.lsn(p.checkpoint.LSN), "redo", a.lsn(p.checkpoint.Redo), "timeline", p.checkpoint.TLI)
	if err := a.readBefore(ctx, s, p); err != nil {
		return nil, err
	}
	p.events.actsFrom(p.start.Redo) // the scan's oldest segment has earlier operations, too
	if err := a.checkSettings(ctx, s, f, p); err != nil {
		return nil, err
	}
	return p, nil
}

// scanSinceCommon reads the target's WAL from the last checkpoint before the fork, or
// from earlier if that matters.
func (a *analyzer) scanSinceCommon(ctx context.Context, s sides, f fork) (*past, error) {
	a.step("reading WAL in target")
	own := a.targetWAL(s.target.History)
	wal := walreader.Segments(own)
	if a.opts.Resync != NoResync {
		wal = olderWAL{eitherWAL{own, a.sharedWAL(s.source)}, a.geo.SegNo(f.at)}
	}
	p, err := a.scan(ctx, s, f, wal, 0)
	if errors.Is(err, fs.ErrNotExist) && a.opts.Resync != NoResync {
		err = a.missingBefore(s, f.at, err)
	}
	if err != nil {
		return nil, err
	}
	p.changed, err = a.changedBefore(ctx, s, f, p)
	return p, err
}

// startOfRecovery returns the oldest of the last common checkpoint and the checkpoints
// up to which each side's files are complete.
func startOfRecovery(s sides, common walreader.Checkpoint) walreader.Checkpoint {
	c := common
	for _, side := range []Side{s.source, s.target} {
		if side.FilesLow.Redo < c.Redo {
			c = side.FilesLow
		}
	}
	return c
}

// readBefore adds the events in the WAL that recovery replays but the scan did not
// read: from the start of recovery to the checkpoint.
func (a *analyzer) readBefore(ctx context.Context, s sides, p *past) error {
	before, err := a.readEvents(ctx, a.commonWAL(s), p.start.Redo, p.checkpoint.LSN)
	switch {
	case err != nil && isMissing(err):
		a.log.DebugContext(ctx, fmt.Sprintf("could not read WAL between %s and %s: %v", a.lsn(p.start.Redo), a.lsn(p.checkpoint.LSN), err),
			"from", a.lsn(p.start.Redo), "to", a.lsn(p.checkpoint.LSN), "error", err)
		return nil // the check whether the server can start reports what is missing
	case err != nil:
		return err
	}
	p.events.Prepend(before)
	return nil
}

// describe copies the past to the plan.
func (p *past) describe(plan *Plan) {
	plan.Checkpoint, plan.Start, plan.carried.Changed = p.checkpoint, p.start, p.changed
	if plan.Evidence == report.ByWAL { // otherwise the plan already has what was found
		plan.Scan, plan.Lost = p.scan, p.lost
	}
	plan.Prepared = p.events.prepared
}

// commonWAL opens WAL from before the fork: the target's own or, if it lacks that, the
// source's.
func (a *analyzer) commonWAL(s sides) walreader.Segments {
	return eitherWAL{a.targetWAL(s.target.History).own(), a.sharedWAL(s.source)}
}

// eitherWAL opens segments of the target or, if it lacks them, of the source.
type eitherWAL struct {
	own    targetWAL
	theirs sourceWAL
}

func (w eitherWAL) OpenSegment(ctx context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	f, err := w.own.OpenSegment(ctx, s)
	if err != nil && isMissing(err) {
		return w.theirs.OpenSegment(ctx, s)
	}
	return f, err
}

// Costly reports whether a segment is not the target's own.
func (w eitherWAL) Costly(s pgdata.SegNo) bool {
	_, err := w.own.dir.Lstat(w.own.path(s))
	return err != nil
}

// proveScanned returns the first segment from which on the scan has proven, before the
// fork, what [walreader.VerifySegment] proves.
func (a *analyzer) proveScanned(ctx context.Context, own targetWAL, first pgdata.SegNo, fork pgdata.LSN) pgdata.SegNo {
	err := walreader.VerifyStart(ctx, own, a.format, first)
	if err != nil || !a.noneNewer(ctx, own, first, fork, own.history.TimelineOf(a.geo, first)) {
		return first + 1
	}
	return first
}

// noneNewer reports whether the pages of a scanned segment, before the fork, have no
// newer timeline than tli. The last page is enough, since the scan has found that
// timelines do not go back.
func (a *analyzer) noneNewer(ctx context.Context, own targetWAL, s pgdata.SegNo, fork pgdata.LSN, tli pgdata.TimelineID) bool {
	end := min(a.geo.SegStart(s+1), a.geo.PageStart(fork))
	if end <= a.geo.SegStart(s) {
		return true
	}
	newest, err := walreader.PageTimeline(ctx, own, a.format, end-pgdata.LSN(a.geo.WALBlockSize))
	return err == nil && newest <= tli
}
