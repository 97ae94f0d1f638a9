package rewind

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/internal/recovery"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// analyzer holds what the analysis needs. Each step produces a new value from earlier
// ones and changes none of them:
//
//	inspect → sides → fork → past → WAL table → plan
type analyzer struct {
	opts    *Options
	log     *slog.Logger
	target  *apply.Target
	source  source.Source
	keep    decide.Keep
	archive *walArchive // set if WAL that the target lacks is restored at once; otherwise nil
	lazy    *walArchive // for WAL that neither side has; opened on first use
	noLazy  error       // why it could not be opened

	version *pgdata.Version // this and the following apply to both sides
	geo     pgdata.Geometry
	format  walreader.Format

	step  func(string)
	watch func(look func() Progress) (stop func()) // reports progress
}

// byWAL analyzes the target's WAL: it finds where the two sides diverged, and what the
// target has changed since.
func (r *Rewind) byWAL(ctx context.Context, a *analyzer, s sides, p, earlier *Plan) error {
	if err := a.checkPageHints(s); err != nil {
		return err
	}
	if err := a.checkChecksums(s); err != nil {
		return err
	}
	s, err := a.findSides(ctx, s, earlier)
	if err != nil {
		return err
	}
	f, err := a.fork(ctx, s, earlier)
	if err != nil {
		return err
	}
	if !f.required && (r.opts.EnsureShutdown || r.opts.ForeseeRecovery) {
		if f.required, err = a.isKilledAtFork(s, f); err != nil {
			return err
		}
	}
	p.Target, p.Source = s.target, s.source
	if f.unproven != "" && r.opts.Resync != NoResync {
		return &Explained{Err: ErrUnproven, Detail: sentence(f.unproven)}
	}
	f.describe(p)
	a.logFork(p, f)
	if !p.Required {
		if err := r.checkFollows(ctx, a, p); err != nil {
			return err
		}
		return a.checkLeft(ctx, p)
	}
	if earlier == nil {
		recovered, err := r.recoverTarget(ctx, a, s)
		if err != nil {
			return err
		}
		s.target, p.Target = recovered, recovered
	}
	lists := a.list(ctx, s.target, earlier)
	defer lists.stop()
	past, err := a.past(ctx, s, f, earlier)
	if err != nil {
		return err
	}
	return r.conclude(ctx, a, p, past, lists, earlier)
}

// conclude makes the plan from the results of the analysis.
func (r *Rewind) conclude(ctx context.Context, a *analyzer, p *Plan, past *past, lists *listings, earlier *Plan) (err error) {
	past.describe(p)
	if earlier != nil {
		p.Again, p.carried.Suspect = true, earlier.carried.Suspect
	}
	if err := a.decide(ctx, p, past, lists); err != nil {
		return err
	}
	p.Kept = r.keeper.kept()
	p.Read = a.target.BytesRead()
	r.space, err = a.measure(p)
	return err
}

// isKilledAtFork reports whether the target is a killed primary that had written
// nothing after the fork. It could follow as it is. But its own crash recovery would
// write a checkpoint there, so pg_rewind, which runs crash recovery first, rewinds it.
func (a *analyzer) isKilledAtFork(s sides, f fork) (bool, error) {
	if f.ancestor == 0 || !a.sameBoundary(s.target.EndOfWAL, f.ancestor) || f.at != f.ancestor {
		return false, nil
	}
	need, err := recovery.Assess(a.target.Dir, s.target.Control)
	return need == recovery.SingleUser, err
}

// lsn formats an LSN as the clusters' major does.
func (a *analyzer) lsn(l pgdata.LSN) string { return a.version.FormatLSN(l) }

// checkSource refuses a source whose WAL or files cannot be used for recovery.
func (a *analyzer) checkSource(s Side) error {
	c := s.Control
	switch {
	case c.WALLevel < 1: // minimal: see WalLevel, access/xlog.h
		return &Explained{
			Err: ErrWALLevel, Detail: fmt.Sprintf("The source is the %s.", a.source),
			Hint: "Set it to replica or logical there and restart it; then take a base backup, or resync (Options.Resync): WAL does not contain all that it did meanwhile.",
		}
	case s.State.Live && (!s.State.InRecovery && !s.State.FullPageWrites || !c.CheckPointCopy.FullPageWrites):
		// A standby's own setting does not matter: its primary's setting is in the WAL.
		hint := "Set it there and wait for a checkpoint."
		if s.State.InRecovery {
			hint = "Set it on its primary, and make a checkpoint there and then on it."
		}
		return &Explained{Err: ErrFullPageWrites, Detail: fmt.Sprintf("The source is the %s.", a.source), Hint: hint}
	case !s.State.Live && (c.BackupStartPoint != 0 || c.BackupEndPoint != 0 || c.BackupEndRequired):
		return &Explained{
			Err:    fmt.Errorf("%w: it was restored from a backup and was stopped before it had replayed all of the backup's WAL", ErrSourceNotClean),
			Detail: fmt.Sprintf("The source is %s.", a.source), Hint: "Start it and wait until it takes connections.",
		}
	}
	return nil
}
