package rewind

import (
	"context"
	"errors"
	"log/slog"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/target"
	"github.com/gorewind/gorewind/source"
)

// Options is what a rewind needs to know. TargetDir and Source must be set.
type Options struct {
	TargetDir string        // the data directory to rewind; its server is stopped
	Source    source.Source // what to rewind it to; the caller closes it
	NoSync    bool          // leave it to the operating system when changes reach the disk
	Logger    *slog.Logger  // nil discards
	// Progress, if not nil, is called when a step begins and, while data is
	// fetched, about once a second; never from two goroutines at once.
	Progress func(Progress)
}

// Rewind is a rewind that was prepared.
type Rewind struct {
	opts    Options
	log     *slog.Logger
	target  *target.Target
	phase   Phase
	touched bool // the target is not any more as it was

	targetControl *controlfile.Data
	targetRaw     []byte
	sourceControl *controlfile.Data // as first read
	sourceRaw     []byte
	live          source.Live // nil when the source is a stopped data directory
	plan          *Plan
}

// Prepare inspects both sides, reads the target's WAL and decides what is to be
// done. It changes nothing. The error is an *Error. Close gives back what the
// rewind holds.
func Prepare(ctx context.Context, opts Options) (*Rewind, error) {
	r := &Rewind{opts: opts, log: opts.Logger, phase: Inspect}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	err := r.inspect(ctx)
	if err == nil {
		r.phase = Analyze
		err = r.analyze(ctx)
	}
	if err != nil {
		r.Close()
		return nil, r.failed(err)
	}
	return r, nil
}

// Plan is what Apply will do. It must not be changed.
func (r *Rewind) Plan() *Plan { return r.plan }

// Close gives back what the rewind holds; the source stays open.
func (r *Rewind) Close() error {
	if r.target == nil {
		return nil
	}
	return r.target.Close()
}

// Apply carries out the plan. Where no rewind is required it does nothing. The
// error is an *Error; where it says that the target was changed, the target does
// not start, and a new run finishes the rewind.
func (r *Rewind) Apply(ctx context.Context) error {
	if !r.plan.Required {
		return nil
	}
	r.phase = Stage
	if err := r.apply(ctx); err != nil {
		return r.failed(err)
	}
	return nil
}

func (r *Rewind) apply(ctx context.Context) error {
	if err := r.checkNotRunning(); err != nil {
		return err
	}
	changes, err := r.target.Changes(r.plan.Files, r.targetRaw, target.Options{NoSync: r.opts.NoSync, Exact: r.live == nil})
	if err != nil {
		return err
	}
	defer changes.Abandon()
	if err := ctx.Err(); err != nil {
		return err
	}
	defer func() { r.touched = changes.Touched() }()
	if err := changes.Begin(ctx); err != nil {
		return err
	}

	sink := &counter{Sink: changes}
	stop := r.watch(sink, r.plan.Files.FetchBytes())
	end, err := r.fetch(ctx, changes, sink)
	stop()
	if err != nil {
		return err
	}

	r.phase = Apply
	r.step("creating backup label and updating control file")
	if !r.opts.NoSync {
		r.step("syncing target data directory")
	}
	return changes.Finish(ctx, r.newControl(end), r.backupLabel())
}

// fetch brings everything over. WAL comes last, for two reasons. From the
// target's own a next run learns what is to be done. And of the source's, all
// that the minimum recovery point asks for is then on its disk, so that the
// target gets it even if the source is gone before the target starts.
func (r *Rewind) fetch(ctx context.Context, changes *target.Changes, sink source.Sink) (end, error) {
	if err := r.opts.Source.Fetch(ctx, r.ranges(false), sink); err != nil {
		return end{}, err
	}
	e, err := r.endOfSource(ctx)
	if err != nil {
		return end{}, err
	}
	if err := changes.RemoveOutdated(ctx); err != nil {
		return end{}, err
	}
	if err := r.opts.Source.Fetch(ctx, r.ranges(true), sink); err != nil {
		return end{}, err
	}
	if r.live == nil { // which must not have been started meanwhile
		return r.endOfSource(ctx)
	}
	return e, nil
}

// failed makes an *Error of what went wrong.
func (r *Rewind) failed(err error) error {
	var already *Error
	if errors.As(err, &already) {
		return err
	}
	return &Error{
		Phase:            r.phase,
		TargetUntouched:  !r.touched,
		BaseBackupNeeded: baseBackupNeeded(err),
		Err:              err,
	}
}
