package rewind

import (
	"context"
	"fmt"
	"log/slog"
	"maps"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
)

// decide completes the plan: it decides what happens to every file, and checks that the
// rewound server will start.
func (a *analyzer) decide(ctx context.Context, p *Plan, past *past, lists *listings) error {
	p.ConsistentAt = consistentAt(p)
	b, err := lists.wait(ctx, a)
	if err != nil {
		return err
	}
	choice := a.askChoice(ctx, b) // a live source may take a while to answer
	defer choice()
	wal, err := a.wal(ctx, p, b)
	if err != nil {
		return err
	}
	p.NeededWAL = wal.needed
	if err := a.checkChoice(ctx, p, choice()); err != nil {
		return err
	}
	a.checkRequired(p, b)
	a.checkUnarchived(p, b)
	ahead, err := a.ahead(ctx, p, b)
	if err != nil {
		return err
	}
	made := maps.Clone(past.events.prepared)
	maps.Copy(made, ahead.events.prepared)
	if p.Files, err = b.Plan(decide.Facts{Changed: p.carried.Changed, WAL: wal.segments, Made: stateFiles(p, made), Compare: p.Evidence == report.ByComparison}); err != nil {
		return err
	}
	a.mapTablespaces(p)
	if err := a.compareFiles(ctx, p); err != nil {
		return unreadable(err)
	}
	if err := a.checkOperations(ctx, p, past.events, a.commonWAL(sides{p.Target, p.Source}), ahead); err != nil {
		return err
	}
	if err := a.target.Check(p.Files, p.Version); err != nil {
		return err
	}
	a.describeFiles(ctx, p.Files)
	return nil
}

// consistentAt returns up to where recovery must replay before the files agree with
// each other: the source's files, and the target's own, which are as of the fork.
func consistentAt(p *Plan) pgdata.LSN {
	c := p.Source.Control
	if p.Source.State.Live && !p.Source.State.InRecovery {
		return p.Source.State.FlushLSN
	}
	end := max(c.CheckPoint, c.MinRecoveryPoint)
	if p.Evidence != report.ByComparison { // the target's files that stay are as of the fork
		end = max(end, p.Divergence)
	}
	return end
}

// measure computes the disk space that the rewind needs. Too little space is an error
// only when the rewind begins, since some may be freed until then.
func (a *analyzer) measure(p *Plan) ([]apply.Space, error) {
	inPlace := a.opts.InPlace || p.Again
	space, err := a.target.Space(p.Files, !p.Source.State.Live, inPlace)
	for _, s := range space {
		if s.Needed > s.Free {
			a.warn(p, "%v", &apply.SpaceError{Dir: s.Dir, Needed: s.Needed, Free: s.Free, InPlace: inPlace})
		}
	}
	return space, err
}

// describeFiles logs what happens to every file, and which of its blocks changed, as
// pg_rewind does.
func (a *analyzer) describeFiles(ctx context.Context, files *filemap.Plan) {
	if !a.log.Enabled(ctx, slog.LevelDebug) {
		return // it would be many lines
	}
	for i := range files.Entries {
		if e := &files.Entries[i]; e.Reason == filemap.NeededRecovery || e.Reason == filemap.Superseded {
			a.log.Debug(fmt.Sprintf("Not removing file \"%s\" because it is required for recovery", e.Path), "path", e.Path)
		}
	}
	for i := range files.Entries {
		e := &files.Entries[i]
		if e.Reason == filemap.NotARelation && e.Action != filemap.Truncate {
			a.log.Debug(fmt.Sprintf("%s (%s)", e.Path, filemap.Copy), "path", e.Path, "action", filemap.Copy.String()) // even if only parts of it are copied
			continue
		}
		a.log.Debug(fmt.Sprintf("%s (%s)", e.Path, e.Action), "path", e.Path, "action", e.Action.String())
		if e.Blocks != nil {
			for block := range e.Blocks.All() {
				a.log.Debug(fmt.Sprintf("block %d", block), "path", e.Path, "block", block)
			}
		}
	}
}
