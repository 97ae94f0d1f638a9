package rewind

import (
	"context"
	"fmt"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
)

// byComparison analyzes by comparing all files. The result is like a base backup of the
// source: files from different moments after the source's last checkpoint, and recovery
// from there. So nothing must be known of the target except that it belongs to the same
// system.
func (r *Rewind) byComparison(ctx context.Context, a *analyzer, s sides, p, earlier *Plan) error {
	s, err := r.sidesNow(ctx, a, s)
	if err != nil {
		return err
	}
	p.Target, p.Source, p.Required, p.Proven = s.target, s.source, true, true
	a.log.Info(fmt.Sprintf("all files are compared; recovery starts at the source's checkpoint at %s on timeline %d",
		a.lsn(s.source.FilesLow.LSN), s.source.FilesLow.TLI),
		"evidence", report.ByComparison, "lsn", a.lsn(s.source.FilesLow.LSN), "timeline", s.source.FilesLow.TLI)
	lists := a.list(ctx, s.target, nil) // files that an interrupted rewind wrote are compared like all others
	defer lists.stop()
	return r.conclude(ctx, a, p, sourceOnly(s), lists, earlier)
}

// sourceOnly returns the past if recovery starts at the source's last checkpoint:
// everything that it replays is the source's own WAL.
func sourceOnly(s sides) *past {
	start := s.source.FilesLow
	return &past{checkpoint: start, start: start, events: newEvents(start.Redo)}
}

// sidesNow reads the state of both sides again. A failed analysis took time and may
// have completed the target's crash recovery. The source is asked to retain its WAL
// before its checkpoint is read, so that recovery can start from that checkpoint when
// all files have been copied.
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
	// The target's own state is only reported.
	s.target.FilesLow, s.target.Timeline = filesLow(s.target.Control), s.target.Control.Timeline()
	if h, err := readHistory(a.version, s.target.Timeline, a.target.ReadFile); err == nil {
		s.target.History = h
	}
	return s, nil
}

// otherwise says what to do if recovery from the plan's starting point would be wrong.
func (p *Plan) otherwise() string {
	if p.Evidence == report.ByWAL {
		return takeBase
	}
	return "Make a checkpoint on the source, and run gorewind again: recovery then starts there."
}

// shared returns up to where the plan relies on the target's own WAL: the fork, or zero
// if the evidence is not that WAL.
func (p *Plan) shared() pgdata.LSN {
	if p.Evidence == report.ByWAL {
		return p.Divergence
	}
	return 0
}
