package rewind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/seam"
	"github.com/gorewind/gorewind/internal/target"
	"github.com/gorewind/gorewind/source"
)

// Options is what a rewind needs to know. TargetDir must be set, and Source
// unless an unfinished rewind is completed.
type Options struct {
	TargetDir string        // the data directory to rewind; its server is stopped
	Source    source.Source // what to rewind it to; the caller closes it

	// Keep are patterns of files of the target that stay as they are:
	// configuration, certificates, logs. A pattern is one of path.Match; one with
	// a slash is compared with the whole path, another one with every name in it.
	// "@config" stands for configuration and certificates.
	Keep []string
	// TablespaceMapping says where the source's tablespaces that the target lacks come to
	// lie. The directories must be there, and empty. A saved plan has its own.
	TablespaceMapping TablespaceMapping
	// InPlace writes to the target's files at once, for disks without room for a
	// staging area. An interruption then leaves a target that does not start, and
	// that a next run finishes only with a source.
	InPlace bool
	// NoVerifyChecksums copies pages of a source with data checksums as they are. Without
	// it a page that stays wrong, however often it is read, ends the rewind before the commit.
	NoVerifyChecksums bool
	// NoSync leaves it to the operating system when changes reach the disk.
	NoSync bool
	// SyncMethod is how changes are brought to the disk.
	SyncMethod SyncMethod

	// Resync makes up for what the target's WAL does not tell, where without it the
	// error would say that only a base backup can help.
	Resync Resync
	// SystemIdentifier tells whose the target is where nothing in it does: zero is not
	// known. It is for ResyncCompare.
	SystemIdentifier uint64

	// RestoreTargetWAL brings WAL that the target has no more back from its archive,
	// with the restore_command of its own configuration. Prepare then runs that.
	RestoreTargetWAL bool
	// RestoreCommand, if not empty, is what brings WAL back from an archive instead of the
	// restore_command of the target's configuration. It is not written to any.
	RestoreCommand string
	// EnsureShutdown lets Prepare complete the crash recovery of a target that was
	// not shut down cleanly, with a single-user server. That changes the target.
	EnsureShutdown bool
	BinDir         string // where the server program is looked for first
	ConfigFile     string // the target's, where it is not postgresql.conf in its directory
	// PrimaryConnInfo, if not empty, makes the target a standby, which connects to
	// its primary by this connection string.
	PrimaryConnInfo string
	// Slot, if not empty, is the replication slot that the standby is to use, its
	// primary_slot_name. With MakeSlot the rewind makes it: it keeps the source's WAL
	// from the source's last checkpoint on, already while that is copied. Where the
	// target stays as it is, the slot is dropped again.
	Slot     string
	MakeSlot bool
	// CheckReplication refuses a target that will not be able to stream from the source.
	// With PrimaryConnInfo that is found out in any case, and else warned of: see
	// Plan.Following.
	CheckReplication bool

	// Plan, if not nil, is one that Rewind.Save wrote, with the same Keep. Prepare
	// takes it instead of analyzing both sides, if they did not change since.
	Plan io.Reader
	// SaveLost, if not empty, is a new directory that gets what the rewind throws
	// away, before it does: see LostWAL and LostFiles.
	SaveLost string
	// ArchiveLostWAL hands the target's WAL of before the divergence that waits to be
	// archived to its archive_command, before the rewind removes it.
	ArchiveLostWAL bool
	// ArchivePause is how long to wait until a restore_command or archive_command that
	// failed is run again; a second if zero. Each runs three times at most.
	ArchivePause time.Duration

	// AfterCommit, if not nil, counts from the commit on instead of the context that
	// Apply and Resume are given: then that one interrupts only what leaves the target
	// untouched, and what is left to do, which is short and takes no source, is done.
	// context.Background() is never interrupted. A rewind in place is committed in
	// this sense when it has all that it needs from the source.
	AfterCommit context.Context

	Logger *slog.Logger // nil discards
	// Progress, if not nil, is called when a step begins and, while something
	// lasts, about once a second; never from two goroutines at once.
	Progress func(Progress)

	disk       func(target.Disk) target.Disk // for tests, what is between the rewind and the disk
	startOrNot bool                          // for tests, to see what would happen
}

// Rewind is a rewind that was prepared.
type Rewind struct {
	opts     Options
	log      *slog.Logger
	target   *target.Target
	analyzer *analyzer // nil where nothing was analyzed
	plan     *Plan
	space    []target.Space // what the rewind takes

	phase  Phase
	phases []PhaseResult

	journal    *target.Journal // of a committed rewind, which this one completes
	again      bool            // an interrupted rewind in place is begun again
	applied    bool
	touched    bool   // the target is not any more as it was
	recovered  bool   // changed by a single-user server of ours, even if that failed
	releaseWAL func() // lets the source remove WAL that it keeps since the analysis; or nil
	lostSaved  bool   // in Options.SaveLost is what the rewind throws away

	slotMade    bool // the source has the slot that Options.MakeSlot asks for
	madeStandby bool // a target that needed no rewind has become a standby
}

// Prepare inspects both sides, reads the target's WAL and decides what is to be
// done. It changes nothing but what Options.EnsureShutdown asks for; WAL that is
// brought back from an archive comes into the staging area. Where an earlier
// rewind of the target was committed and did not end, that one is prepared to be
// completed, and the source is not looked at. The error is an *Error. Close gives
// back what the rewind holds: until then no other rewind of the target can begin.
func Prepare(ctx context.Context, opts Options) (*Rewind, error) {
	r := newRewind(opts)
	err := r.prepare(ctx)
	r.leave(time.Now())
	if err != nil {
		_ = r.Close()
		return nil, r.failed(err)
	}
	return r, nil
}

func (r *Rewind) prepare(ctx context.Context) error {
	if err := seam.At(ctx, string(Inspect)); err != nil {
		return err
	}
	if r.opts.TargetDir == "" {
		return fmt.Errorf("%w: a target data directory must be given", ErrOptions)
	}
	if o := r.opts.Resync; o != NoResync && o != ResyncIfNeeded && o != ResyncChanges && o != ResyncCompare {
		return fmt.Errorf("%w: there is no way to resync that is called %q", ErrOptions, o)
	}
	keep, err := filemap.Patterns(r.opts.Keep).Expand()
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
	if err := r.reach(ctx, Analyze); err != nil {
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
	return r.tryReplication(ctx)
}

func newRewind(opts Options) *Rewind {
	r := &Rewind{opts: opts, log: opts.Logger}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.enter(Inspect)
	return r
}

// Plan is what Apply will do. It must not be changed.
func (r *Rewind) Plan() *Plan { return r.plan }

// Close gives back what the rewind holds; the source stays open.
func (r *Rewind) Close() error {
	if r.analyzer != nil {
		r.analyzer.archive.close()
		r.analyzer.lazy.close()
	}
	if r.releaseWAL != nil {
		r.releaseWAL()
	}
	if r.target == nil {
		return nil
	}
	return r.target.Close()
}

// Apply carries out the plan. It can be interrupted at any time, but see
// Options.AfterCommit. Where no rewind is required, all that it may do is
// make the target a standby. The error is an *Error; where it says that the
// target was changed, the target does not start, and a new run, or Resume,
// finishes the rewind.
func (r *Rewind) Apply(ctx context.Context) error {
	var err error
	r.applied = true
	if r.analyzer != nil {
		r.analyzer.anyArchive() // whose command the source's configuration may replace
	}
	switch {
	case r.journal != nil:
		err = r.resume(ctx)
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
	if err != nil {
		return r.failed(err)
	}
	return nil
}

// inPlace reports whether the target's files are written to at once, because it
// was asked for or because an interrupted rewind did so.
func (r *Rewind) inPlace() bool { return r.opts.InPlace || r.again }

// applyStaged stages everything, commits, and then makes the target what it
// should be.
func (r *Rewind) applyStaged(ctx context.Context) error {
	if err := r.reach(ctx, Stage); err != nil {
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

	if err := r.reach(ctx, Commit); err != nil {
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

	if err := r.reach(ctx, Apply); err != nil {
		return err
	}
	if r.journal, err = r.target.Journal(); err != nil {
		return err
	}
	r.lostIsGone()
	return r.finish(ctx, false)
}

// applyInPlace writes what it fetches straight to the target.
func (r *Rewind) applyInPlace(ctx context.Context) error {
	if err := r.reach(ctx, Stage); err != nil {
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
	if err := r.reach(ctx, Apply); err != nil {
		return err
	}
	r.stepsOfFinish()
	r.lostIsGone()
	ctx, done := r.committed(ctx)
	defer done()
	defer r.watchTarget()()
	return changes.Finish(ctx, final)
}

func (r *Rewind) targetOptions() target.Options {
	return target.Options{Sync: r.syncMode(), Exact: !r.plan.Source.State.Live, Source: r.opts.Source.String()}
}

// committed gives the context that counts from the commit on.
func (r *Rewind) committed(ctx context.Context) (context.Context, func()) {
	if r.opts.AfterCommit == nil {
		return ctx, func() {}
	}
	said := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(said)
		r.log.Warn("the rewind is to be interrupted, but is committed: what is left is done first")
	})
	return r.opts.AfterCommit, func() {
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

// failed makes an *Error of what went wrong.
func (r *Rewind) failed(err error) error {
	var already *Error
	if errors.As(err, &already) {
		return err
	}
	v := judge(err)
	if v.resync && r.opts.Resync != NoResync { // which a later checkpoint of the source, or its settings, can help
		v.lost = false
	}
	return &Error{
		Phase:            r.phase,
		Condition:        v.condition,
		TargetUntouched:  !r.touched,
		CrashRecovered:   r.recovered,
		NeedsSource:      r.touched && r.journal == nil && r.inPlace(),
		Retryable:        !v.lost && (r.touched && r.phase != Inspect || v.temporary),
		BaseBackupNeeded: v.lost,
		Err:              explain(err),
	}
}
