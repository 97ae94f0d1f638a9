package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/timeline"
)

// fork is where the two sides diverge. It is not after the histories' common ancestor,
// the end of the source's WAL, or the first record that differs.
type fork struct {
	at       pgdata.LSN        // end of the last common record
	timeline pgdata.TimelineID // timeline of at
	ancestor pgdata.LSN        // according to the histories; zero if they are the same
	common   pgdata.TimelineID // timeline of the ancestor
	required bool
	unproven string // why the records before it could not be compared; empty if they are the same
}

// findSides determines what the control files do not say. An interrupted rewind in
// place already knows it for the target, whose WAL may have been overwritten by the
// source's.
func (a *analyzer) findSides(ctx context.Context, s sides, earlier *Plan) (sides, error) {
	if earlier == nil {
		return a.sides(ctx, s)
	}
	var err error
	s.source, err = a.sourceSide(ctx, s.source)
	was := earlier.Target
	s.target.Timeline, s.target.History, s.target.EndOfWAL, s.target.FilesLow = was.Timeline, was.History, was.EndOfWAL, was.FilesLow
	return s, err
}

// fork finds the fork and decides whether a rewind is required: it is if the target's
// files or its WAL go beyond the fork.
func (a *analyzer) fork(ctx context.Context, s sides, earlier *Plan) (fork, error) {
	ancestor, index, err := timeline.CommonAncestor(s.source.History, s.target.History)
	if err != nil {
		return fork{}, &Explained{Err: err, Detail: fmt.Sprintf("The source is %s, the target %q.", a.source, a.target.Name()), Hint: takeBase}
	}
	f := fork{ancestor: ancestor, common: s.source.History[index].TLI}
	if earlier != nil {
		return a.earlierFork(f, s, earlier)
	}
	limit := min(s.target.EndOfWAL, s.source.EndOfWAL)
	if ancestor != 0 {
		limit = min(limit, ancestor)
	}
	switch {
	case s.target.unread == nil:
		f, err = a.compareRecords(ctx, f, s, limit)
	case limit < s.target.EndOfWAL, crashed(s.target.Control): // a crashed server wrote WAL after its checkpoint
		err = s.target.unread
	default:
		f.at, f.unproven = limit, fmt.Sprintf("the target's last checkpoint cannot be read: %v", s.target.unread)
	}
	if err != nil {
		return f, err
	}
	f.timeline = timelineAt(s.target.History, f.at)
	f.required = s.target.EndOfWAL > f.at
	return f, nil
}

// earlierFork is the fork of an interrupted rewind in place that is started again. Any
// fork before the earlier one will do, if the earlier checkpoint is before it: the
// source may be a different one with less WAL.
func (a *analyzer) earlierFork(f fork, s sides, earlier *Plan) (fork, error) {
	if f.ancestor == 0 && earlier.Target.Timeline != earlier.DivergenceTimeline {
		return f, fmt.Errorf("%w: an interrupted rewind in place was one to another server than %s; give the source of that rewind", ErrSourceChanged, a.source)
	}
	f.at, f.required, f.unproven = min(earlier.Divergence, s.source.EndOfWAL), true, earlier.Unproven
	if f.ancestor != 0 {
		f.at = min(f.at, f.ancestor)
	}
	f.timeline = timelineAt(s.target.History, f.at)
	if f.at <= earlier.Checkpoint.LSN {
		return f, fmt.Errorf("%w: the interrupted rewind in place went back to %s, but %s diverged from the target before that, or has less WAL; give the source of that rewind",
			ErrSourceChanged, a.lsn(earlier.Checkpoint.LSN), a.source)
	}
	return f, nil
}

// describe copies the fork to the plan.
func (f fork) describe(p *Plan) {
	p.Required, p.Proven, p.Unproven = f.required, f.unproven == "", f.unproven
	switch {
	case f.required:
		p.Divergence, p.DivergenceTimeline = f.at, f.timeline
	case f.ancestor != 0:
		p.Divergence, p.DivergenceTimeline = f.ancestor, f.common
		p.Reason = "the target did not write WAL after the divergence"
	default:
		p.Reason = "source and target cluster are on the same timeline"
	}
}

// logFork logs the result in pg_rewind's words.
func (a *analyzer) logFork(p *Plan, f fork) {
	if p.Divergence != 0 {
		a.log.Info(fmt.Sprintf("servers diverged at WAL location %s on timeline %d", a.lsn(p.Divergence), p.DivergenceTimeline),
			"lsn", a.lsn(p.Divergence), "timeline", p.DivergenceTimeline)
	} else {
		a.log.Info(p.Reason, "required", p.Required)
	}
	if f.unproven != "" {
		a.warn(p, "that both sides have the same WAL up to %s could not be proven, only their timeline histories say so: %s", a.lsn(f.at), f.unproven)
	}
	if !p.Required {
		a.log.Info("no rewind required", "required", false)
	}
}

// isMissing reports whether WAL is absent or not what it should be, as opposed to an
// error that prevented reading it.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) || isDamage(err) }
