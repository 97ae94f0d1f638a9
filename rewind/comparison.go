package rewind

import (
	"context"
	"fmt"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
)

// byComparison analyzes by comparing all files. The result is what a base backup of
// the source gives: files as of different moments after the source's last checkpoint,
// and recovery from there. So nothing of the target need be known but that it is of
// the same system.
func (r *Rewind) byComparison(ctx context.Context, a *analyzer, s sides, p, earlier *Plan) error {
	s, err := r.sidesNow(ctx, a, s)
	if err != nil {
		return err
	}
	p.Target, p.Source, p.Required, p.Proven = s.target, s.source, true, true
	a.log.Info(fmt.Sprintf("all files are compared; recovery starts at the source's checkpoint at %s on timeline %d",
		a.lsn(s.source.FilesLow.LSN), s.source.FilesLow.TLI),
		"evidence", ByComparison, "lsn", a.lsn(s.source.FilesLow.LSN), "timeline", s.source.FilesLow.TLI)
	lists := a.list(ctx, s.target, nil) // what an interrupted rewind wrote is compared like all else
	defer lists.stop()
	return r.conclude(ctx, a, p, sourceOnly(s), lists, earlier)
}

// sourceOnly is the past where recovery starts at the source's last checkpoint: what
// it replays is all of the source's own WAL.
func sourceOnly(s sides) *past {
	start := s.source.FilesLow
	return &past{checkpoint: start, start: start, events: newEvents(start.Redo)}
}

// sidesNow looks again: an analysis that failed took its time, and may have made the
// target complete its crash recovery. The source is asked to keep its WAL before its
// checkpoint is read, so that this is there to start from when all is copied.
func (r *Rewind) sidesNow(ctx context.Context, a *analyzer, s sides) (sides, error) {
	if r.releaseWAL == nil {
		r.releaseWAL = r.keepWAL(ctx)
	}
	if r.recovered {
		raw, err := r.target.ControlFile()
		if err != nil {
			return s, err
		}
		if s.target.Control, err = controlfile.Parse(raw); err != nil {
			return s, err
		}
	}
	var err error
	if s.source.Control, s.source.State, err = lookAtSource(ctx, a.source); err != nil {
		return s, err
	}
	if err := a.checkControlFiles(s); err != nil {
		return s, err
	}
	if err := a.checkSource(s.source); err != nil {
		return s, err
	}
	if s.source, err = a.sourceSide(ctx, s.source); err != nil {
		return s, err
	}
	// What the target says of itself is for the report.
	s.target.FilesLow, s.target.Timeline = filesLow(s.target.Control), s.target.Control.Timeline()
	if h, err := readHistory(a.version, s.target.Timeline, a.target.ReadFile); err == nil {
		s.target.History = h
	}
	return s, nil
}

// otherwise is what to do where recovery from the plan's starting point would not do.
func (p *Plan) otherwise() string {
	if p.Evidence == ByWAL {
		return takeBase
	}
	return "Make a checkpoint on the source, and run gorewind again: recovery then starts there."
}

// shared is up to where the target's own WAL is relied on: up to the fork. Other
// evidence than that relies on none of it.
func (p *Plan) shared() pgdata.LSN {
	if p.Evidence == ByWAL {
		return p.Divergence
	}
	return 0
}
