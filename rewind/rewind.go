package rewind

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/internal/seam"
	"github.com/gorewind/gorewind/source"
)

// Rewind is a rewind that was prepared.
type Rewind struct {
	opts     Options
	log      *slog.Logger
	target   *apply.Target
	analyzer *analyzer // nil if nothing was analyzed
	plan     *Plan
	space    []apply.Space // disk space that the rewind needs

	phase   Phase
	phases  []PhaseResult
	observe *observers
	keeper  *keeper

	journal    *apply.Journal // of a committed rewind that this one completes
	again      bool           // an interrupted rewind in place is started again
	applied    bool
	touched    bool   // the target has been changed
	recovered  bool   // our single-user server changed the target, even if it failed
	releaseWAL func() // lets the source remove WAL that it has retained since the analysis; may be nil
	lostSaved  bool   // Options.SaveLost has what the rewind discards
	closed     bool
	opened     source.Source // by Options.OpenSource; nil if it was not called

	ownRecovery map[string][]byte // the target's own recovery.conf or recovery.done, for a standby up to 11

	slotMade    bool       // the source has the slot that Options.MakeSlot asks for
	slotLeft    apply.Slot // the slot that an unfinished run made, if it is the requested one
	madeStandby bool       // a target that needed no rewind has become a standby
}

// Prepare inspects both sides, reads the target's WAL and decides what to do. It
// changes nothing except by Options.EnsureShutdown. WAL restored from an archive is put
// in the staging area. If an earlier rewind of the target was committed and is not
// finished, Prepare prepares to complete that one and does not look at the source. The
// error is an *Error. Close releases what the rewind holds: until then no other rewind
// of the target can begin.
func Prepare(ctx context.Context, opts Options) (*Rewind, error) {
	r := newRewind(opts)
	if err := r.ended(r.prepare(ctx)); err != nil {
		_ = r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Rewind) prepare(ctx context.Context) error {
	if err := seam.At(ctx, string(PhaseInspect)); err != nil {
		return err
	}
	if r.opts.TargetDir == "" {
		return errNoTargetDir
	}
	if o := r.opts.Resync; o != NoResync && o != ResyncIfNeeded && o != ResyncChanges && o != ResyncCompare {
		return fmt.Errorf("%w: there is no way to resync called %q", ErrOptions, o)
	}
	keep, err := decide.Patterns(r.opts.Keep).Expand()
	if err == nil {
		err = keep.Check()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	r.opts.Keep = keep
	if err := r.opts.checkFollowingOptions(); err != nil {
		return err
	}
	if err := r.opts.checkExclusive(); err != nil {
		return err
	}
	if err := r.opts.TablespaceMapping.check(r.opts.TargetDir); err != nil {
		return err
	}
	control, earlier, err := r.openTarget()
	if err != nil || r.journal != nil {
		return err
	}
	a, s, err := r.inspect(ctx, control, earlier)
	if err != nil {
		return err
	}
	if err := r.readRecovery(earlier); err != nil {
		return err
	}
	if err := r.reach(ctx, PhaseAnalyze); err != nil {
		return err
	}
	if r.opts.Plan != nil {
		err = r.loadPlan(ctx, a, s, earlier)
	} else {
		err = r.analyze(ctx, a, s, earlier)
	}
	if err != nil {
		return err
	}
	if err := r.tryReplication(ctx); err != nil {
		return err
	}
	return r.warnOfUnusedSlot(ctx)
}

// checkExclusive refuses options of which only one can have an effect.
func (o *Options) checkExclusive() error {
	switch {
	case o.RestoreCommand != "" && o.FetchWAL != nil:
		return fmt.Errorf("%w: WAL is restored either by a restore_command or by FetchWAL: give only one of them", ErrOptions)
	case o.BinDir != "" && o.ServerProgram != "":
		return fmt.Errorf("%w: the server program is named either by BinDir or by ServerProgram: give only one of them", ErrOptions)
	}
	return nil
}

func newRewind(opts Options) *Rewind {
	r := &Rewind{opts: opts, log: opts.Logger, observe: &observers{Observer: opts.Observer}}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.enter(PhaseInspect)
	return r
}

// Plan returns what Apply will do. It must not be changed.
func (r *Rewind) Plan() *Plan { return r.plan }

// Close releases what the rewind holds, and closes the source if Options.OpenSource
// opened it.
func (r *Rewind) Close() error {
	r.closed = true
	if r.analyzer != nil {
		r.analyzer.archive.close()
		r.analyzer.lazy.close()
	}
	if r.releaseWAL != nil {
		r.releaseWAL()
	}
	var errs []error
	if r.opened != nil {
		errs = append(errs, r.opened.Close())
		r.opened = nil
	}
	if r.target != nil {
		errs = append(errs, r.target.Close())
	}
	return errors.Join(errs...)
}

// Apply carries out the plan. It can be interrupted at any time, but see
// Options.FinishCommitted. If no rewind is required, it does nothing but make the
// target a standby if that was requested. The error is an *Error. If it says that the
// target was changed, the target does not start, and a new run, or Resume, finishes the
// rewind.
func (r *Rewind) Apply(ctx context.Context) error {
	if err := r.checkPrepared(); err != nil {
		return r.failed(err)
	}
	var err error
	r.applied = true
	if r.analyzer != nil {
		r.analyzer.anyArchive() // opened now, since the source's configuration may replace its command
		r.keeper.only(r.plan.Kept)
	}
	switch {
	case r.journal != nil:
		err = r.resume(ctx)
	case r.plan.RecoversFirst:
		err = r.notClean(r.plan.Target)
	case !r.plan.Required:
		if err = r.target.CleanUp(); err == nil {
			err = r.makeStandby(ctx)
		}
	case r.inPlace():
		err = r.applyInPlace(ctx)
	default:
		if err = r.applyStaged(ctx); err != nil {
			err = r.resyncInstead(ctx, err)
		}
	}
	return r.ended(err)
}

// checkPrepared refuses a Rewind that Prepare did not make, or that is closed.
func (r *Rewind) checkPrepared() error {
	switch {
	case r.target == nil || r.plan == nil:
		return fmt.Errorf("%w: there is nothing to carry out: Prepare makes a Rewind", ErrOptions)
	case r.closed:
		return fmt.Errorf("%w: the rewind is closed: Prepare another one", ErrOptions)
	}
	return nil
}

// inPlace reports whether the target's files are written directly, because it was
// requested or because an interrupted rewind did so.
func (r *Rewind) inPlace() bool { return r.opts.InPlace || r.again }

// applyStaged stages everything, commits, and then changes the target's files.
func (r *Rewind) applyStaged(ctx context.Context) error {
	if err := r.reach(ctx, PhaseStage); err != nil {
		return err
	}
	if err := r.checkNotRunning(); err != nil {
		return err
	}
	if err := r.keepLost(ctx); err != nil {
		return err
	}
	defer r.forgetLost()
	forget, err := r.makeSlot(ctx)
	if err != nil {
		return err
	}
	defer forget()
	release := r.holdWAL(ctx)
	defer release()
	control, err := r.plan.Target.Control.MarshalBinary()
	if err != nil {
		return err
	}
	staging, err := r.target.Stage(ctx, r.plan.Files, control, r.targetOptions())
	if err != nil {
		return err
	}
	defer staging.Discard()
	final, err := r.fetch(ctx, staging)
	if err != nil {
		return err
	}
	go release()

	if err := r.reach(ctx, PhaseCommit); err != nil {
		return err
	}
	if !r.opts.NoSync {
		r.step("syncing staged data")
	}
	stop := r.watchTarget()
	r.touched, err = staging.Commit(ctx, control, final)
	stop()
	if err != nil {
		return err
	}

	if err := r.reach(ctx, PhaseApply); err != nil {
		return err
	}
	if r.journal, err = r.target.Journal(); err != nil {
		return err
	}
	r.markLost()
	return r.finish(ctx, false)
}

// applyInPlace writes what it fetches directly to the target.
func (r *Rewind) applyInPlace(ctx context.Context) error {
	if err := r.reach(ctx, PhaseStage); err != nil {
		return err
	}
	if err := r.checkNotRunning(); err != nil {
		return err
	}
	if err := r.keepLost(ctx); err != nil {
		return err
	}
	defer r.forgetLost()
	forget, err := r.makeSlot(ctx)
	if err != nil {
		return err
	}
	defer forget()
	release := r.holdWAL(ctx)
	defer release()
	notes, err := r.notes()
	if err != nil {
		return err
	}
	control, err := r.plan.Target.Control.MarshalBinary()
	if err != nil {
		return err
	}
	changes, err := r.target.ChangeInPlace(r.plan.Files, r.targetOptions(), notes)
	if err != nil {
		return err
	}
	defer changes.Abandon()
	if err := ctx.Err(); err != nil {
		return err
	}
	begun, err := changes.Begin(ctx, control)
	r.touched = r.touched || begun
	if err != nil {
		return err
	}
	final, err := r.fetch(ctx, changes)
	if err != nil {
		return err
	}
	go release()
	if err := r.reach(ctx, PhaseApply); err != nil {
		return err
	}
	r.stepsOfFinish()
	r.markLost()
	ctx, done := r.committed(ctx)
	defer done()
	defer r.watchTarget()()
	return changes.Finish(ctx, final)
}

func (r *Rewind) targetOptions() apply.Options {
	return apply.Options{Sync: r.syncMode(), Exact: !r.plan.Source.State.Live, Source: r.opts.Source.String()}
}

// committed returns the context that applies from the commit on.
func (r *Rewind) committed(ctx context.Context) (context.Context, func()) {
	after := r.opts.AfterCommit
	switch {
	case after != nil:
	case r.opts.FinishCommitted:
		after = context.WithoutCancel(ctx)
	default:
		return ctx, func() {}
	}
	said := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(said)
		r.log.Warn("the rewind was asked to stop, but is committed: it is finished first", "target", r.target.Name())
	})
	return after, func() {
		if !stop() {
			<-said
		}
	}
}

// finish carries out the journal.
func (r *Rewind) finish(ctx context.Context, resumed bool) error {
	ctx, done := r.committed(ctx)
	defer done()
	r.stepsOfFinish()
	defer r.watchTarget()()
	return r.target.Finish(ctx, r.journal, resumed)
}

func (r *Rewind) stepsOfFinish() {
	r.step("creating backup label and updating control file")
	if !r.opts.NoSync {
		r.step("syncing target data directory")
	}
}

// failed makes an *Error of an error.
func (r *Rewind) failed(err error) error {
	var already *Error
	if errors.As(err, &already) {
		return err
	}
	v := judge(err)
	e := &Error{
		Phase: r.phase, Condition: v.condition, TargetUntouched: !r.touched, CrashRecovered: r.recovered,
		NeedsSource: r.touched && r.journal == nil && r.inPlace(),
	}
	e.Action = r.next(v, e.NeedsSource)
	e.Err = v.tell(err, e.hint(v))
	return e
}

// next returns the action after an error.
func (r *Rewind) next(v verdict, needsSource bool) Action {
	switch {
	case v.action == ActionResync && r.opts.Resync != NoResync:
		return ActionFix // a later checkpoint of the source, or its settings, can help
	case !r.touched || v.needsOther():
		return v.action
	case v.action == ActionFix && v.condition != NothingToResume && (v.condition != UnexpectedCondition || r.phase == PhaseInspect):
		return ActionFix
	case needsSource:
		return ActionRetryWithSource
	}
	return ActionResume
}
