package rewind

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// analyze finds where the two sides parted, what the target changed since, and
// what is to be done about every file.
func (r *Rewind) analyze(ctx context.Context) error {
	r.plan = &Plan{
		Version: r.targetControl.Version,
		Target:  Side{Control: r.targetControl, Timeline: r.targetControl.Timeline()},
		Source:  Side{Control: r.sourceControl, Timeline: r.sourceControl.Timeline()},
	}
	if err := r.checkState(); err != nil {
		return err
	}
	if err := r.readHistories(ctx); err != nil {
		return err
	}
	if err := r.findDivergence(ctx); err != nil || !r.plan.Required {
		return err
	}
	lists := r.list(ctx)
	defer lists.stop()
	changed, err := r.changedBlocks(ctx)
	if err != nil {
		return err
	}
	if err := r.mapFiles(ctx, lists, changed); err != nil {
		return err
	}
	r.learn(changed)
	return nil
}

// learn notes what the next run would have to know.
func (r *Rewind) learn(changed pgdata.ChangedBlocks) {
	r.changed, r.known = changed, newKnowledge(r.plan)
	if r.inPlace() {
		r.known.addInPlace(r.plan, changed, r.earlier)
		r.known.Recovery = r.ownRecovery
	}
}

// changedBlocks finds out what the target changed since the last common
// checkpoint: from its WAL, or from what an interrupted rewind in place knew.
func (r *Rewind) changedBlocks(ctx context.Context) (pgdata.ChangedBlocks, error) {
	if r.earlier == nil {
		return r.scanTarget(ctx)
	}
	// Any common checkpoint will do, if all changes since then are known.
	if r.plan.Divergence <= r.earlier.Checkpoint.LSN {
		return nil, fmt.Errorf("%w: the interrupted rewind in place went back to %s, but %s parted from the target before that; give the source of that rewind",
			ErrSourceChanged, r.lsn(r.earlier.Checkpoint.LSN), r.opts.Source)
	}
	r.plan.Checkpoint, r.plan.Scan = r.earlier.Checkpoint, r.earlier.Scan
	return r.earlier.changed(), nil
}

// suspect tells the files that an interrupted rewind in place was writing.
func (r *Rewind) suspect(name string) bool { return r.earlier != nil && r.earlier.Suspect[name] }

// checkState takes what a running server says and its control file tells too late
// or not at all: a server that was promoted a moment ago writes on its new timeline
// long before the checkpoint that its control file speaks of.
func (r *Rewind) checkState() error {
	if r.live == nil {
		return nil
	}
	if !r.sourceState.FullPageWrites {
		return &Explained{
			Err: ErrFullPageWrites, Detail: fmt.Sprintf("The source is the %s.", r.opts.Source),
			Hint: "Set it there and wait for a checkpoint.",
		}
	}
	r.plan.Source.Timeline = max(r.plan.Source.Timeline, r.sourceState.Timeline)
	return r.checkWALEnd(r.sourceState)
}

func (r *Rewind) readHistories(ctx context.Context) error {
	for _, side := range []struct {
		side  *Side
		what  string
		title string
		read  func(path string) ([]byte, error)
	}{
		{&r.plan.Source, "source", "Source timeline history:", func(p string) ([]byte, error) { return r.opts.Source.ReadFile(ctx, p) }},
		{&r.plan.Target, "target", "Target timeline history:", r.target.ReadFile},
	} {
		if r.earlier != nil && side.side == &r.plan.Target {
			side.side.History = r.earlier.History // its file may be the source's now
			continue
		}
		history, err := readHistory(r.plan.Version, side.side.Timeline, side.read)
		if err != nil {
			return withHistory(err, side.side, side.what)
		}
		side.side.History = history
		r.log.Debug(side.title)
		for _, line := range history.Lines(r.lsn) {
			r.log.Debug(line)
		}
	}
	return nil
}

func readHistory(v *pgdata.Version, tli pgdata.TimelineID, read func(string) ([]byte, error)) (timeline.History, error) {
	if tli == 1 {
		return timeline.Parse(tli, nil)
	}
	p := v.WALPath(pgdata.HistoryFileName(tli))
	b, err := read(p)
	if err != nil {
		return nil, err
	}
	h, err := timeline.Parse(tli, b)
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", p, err)
	}
	return h, nil
}

// findDivergence decides whether a rewind is required.
func (r *Rewind) findDivergence(ctx context.Context) error {
	p := r.plan
	divergence, common, err := timeline.CommonAncestor(p.Source.History, p.Target.History)
	if err != nil {
		return &Explained{Err: err, Detail: fmt.Sprintf("The source is %s, the target %q.", r.opts.Source, r.target.Name()), Hint: takeBase}
	}
	if divergence == 0 && r.earlier != nil {
		return fmt.Errorf("%w: an interrupted rewind in place was one to another server than %s; give the source of that rewind", ErrSourceChanged, r.opts.Source)
	}
	if divergence == 0 { // both histories are the same to the end
		p.Reason = "source and target cluster are on the same timeline"
		r.log.Info(p.Reason)
		r.log.Info("no rewind required")
		return nil
	}
	p.Divergence, p.DivergenceTimeline = divergence, p.Source.History[common].TLI
	r.log.Info(fmt.Sprintf("servers diverged at WAL location %s on timeline %d", r.lsn(divergence), p.DivergenceTimeline))

	if r.earlier != nil {
		p.Target.EndOfWAL, p.Required = r.earlier.EndOfWAL, true
		return nil
	}
	if err := r.recoverTarget(ctx); err != nil {
		return err
	}
	if p.Target.EndOfWAL, err = r.endOfTarget(ctx); err != nil {
		return err
	}
	if p.Required = p.Target.EndOfWAL > divergence; !p.Required {
		p.Reason = "the target did not write WAL after the divergence"
		r.log.Info("no rewind required")
	}
	return nil
}

func (r *Rewind) targetWAL() targetWAL {
	return targetWAL{dir: r.target.Dir, version: r.plan.Version, geo: r.targetControl.Geometry, history: r.plan.Target.History, archive: r.archive}
}

func (r *Rewind) format(c *controlfile.Data) walreader.Format {
	return walreader.Format{Version: c.Version, Geometry: c.Geometry, SystemIdentifier: c.SystemIdentifier}
}

// scanTarget reads the target's WAL from the last common checkpoint to its end.
func (r *Rewind) scanTarget(ctx context.Context) (pgdata.ChangedBlocks, error) {
	r.step("reading WAL in target")
	p := r.plan
	format := r.format(r.targetControl)
	scan, err := walreader.Scan(ctx, r.targetWAL(), format, walreader.ScanRequest{
		Fork: p.Divergence, End: p.Target.EndOfWAL,
		Visitor: func() walreader.Visitor { return lost.NewVisitor(format, p.Divergence) },
	})
	if err != nil {
		return nil, r.unreadable(err)
	}
	p.Checkpoint = scan.Checkpoint
	p.Scan = ScanSummary{Records: scan.Records, Bytes: scan.Bytes, FirstSegment: scan.FirstSegment, LastSegment: scan.LastSegment}
	p.Lost = scan.Visitor.(*lost.Visitor).Report(scan.BlocksAfterFork)
	r.proveScanned(ctx)
	r.log.Info(fmt.Sprintf("rewinding from last common checkpoint at %s on timeline %d", r.lsn(scan.Checkpoint.LSN), scan.Checkpoint.TLI))
	return scan.Changes.Blocks, nil
}

// describeFiles writes down what happens to every file, and which blocks of it
// are changed, as pg_rewind does.
func (r *Rewind) describeFiles(ctx context.Context) {
	if !r.log.Enabled(ctx, slog.LevelDebug) {
		return // these are many lines
	}
	for i := range r.plan.Files.Entries {
		if e := &r.plan.Files.Entries[i]; e.Reason == filemap.NeededRecovery {
			r.log.Debug(fmt.Sprintf("Not removing file \"%s\" because it is required for recovery", e.Path))
		}
	}
	for i := range r.plan.Files.Entries {
		e := &r.plan.Files.Entries[i]
		if e.Action == filemap.None && e.Blocks == nil {
			continue
		}
		if e.Reason == filemap.NotARelation && e.Action != filemap.Truncate {
			r.log.Debug(fmt.Sprintf("%s (%s)", e.Path, filemap.Copy)) // if only the parts that differ
			continue
		}
		r.log.Debug(fmt.Sprintf("%s (%s)", e.Path, e.Action))
		if e.Blocks != nil {
			for block := range e.Blocks.All() {
				r.log.Debug(fmt.Sprintf("block %d", block))
			}
		}
	}
}

// lsn writes an LSN as the clusters' major does.
func (r *Rewind) lsn(l pgdata.LSN) string { return r.plan.Version.FormatLSN(l) }
