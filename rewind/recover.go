package rewind

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/recovery"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// recoverTarget sees that the target is in a state from which it can be rewound.
// Package recovery says what that means. It comes after the histories were
// compared: where no rewind is required, the target needs nothing of this.
func (r *Rewind) recoverTarget(ctx context.Context) error {
	need, err := recovery.Assess(r.target.Dir, r.targetControl)
	switch {
	case err != nil || need == recovery.Nothing:
		return err
	case need == recovery.OlderStart:
		r.killedStandby = true
		return nil
	case !r.opts.EnsureShutdown:
		return &Explained{Err: ErrTargetNotClean, Detail: fmt.Sprintf("The control file of %q says %q.", r.target.Name(), r.targetControl.State), Hint: letItStop}
	}
	ended, err := r.endOfTarget(ctx)
	if err != nil {
		return err
	}
	program, err := recovery.FindPostgres(ctx, recovery.Search{Version: r.plan.Version, BinDir: r.opts.BinDir})
	if err != nil {
		return err
	}
	err = recovery.Run(ctx, recovery.Options{
		Dir: r.target.Dir, Program: program, ConfigFile: r.opts.ConfigFile, NoSync: r.opts.NoSync, Logger: r.log,
	})
	// The first thing that a server writes is the state in its control file.
	before := r.targetRaw
	raw, rerr := r.target.ControlFile()
	r.recovered = rerr != nil || !bytes.Equal(raw, before)
	if err = cmp.Or(err, rerr); err != nil {
		return err
	}
	r.targetRaw = raw
	if r.targetControl, err = controlfile.Parse(r.targetRaw); err != nil {
		return err
	}
	r.plan.Target.Control = r.targetControl
	now, err := r.endOfTarget(ctx)
	if err == nil && now <= r.plan.Divergence {
		// It had lost WAL that the source has, and now has its own in that place.
		r.plan.Divergence = ended
	}
	return err
}

// endOfTarget is the end of the WAL that the target replayed or wrote: that of
// its last checkpoint record or, after a stop in recovery, its minimum recovery
// point. A standby replays all that it has before it asks anybody, so what it has
// received counts, too.
func (r *Rewind) endOfTarget(ctx context.Context) (pgdata.LSN, error) {
	reader := walreader.NewReader(r.targetWAL(), r.format(r.targetControl))
	defer reader.Close()
	rec, err := reader.ReadRecord(ctx, r.targetControl.CheckPoint)
	if err != nil {
		return 0, r.unreadable(err)
	}
	end := max(rec.End, r.targetControl.MinRecoveryPoint)
	if s := r.targetControl.State; s != controlfile.InArchiveRecovery && s != controlfile.ShutDownInRecovery {
		return end, nil
	}
	own := walreader.NewReader(r.ownWAL(), r.format(r.targetControl))
	defer own.Close()
	for rec, err := range own.Records(ctx, rec.End, math.MaxUint64) {
		if err != nil {
			if !isDamage(err) && !errors.Is(err, fs.ErrNotExist) {
				return 0, err
			}
			break
		}
		end = max(end, rec.End)
	}
	return end, nil
}

// ownWAL is the WAL that the target has, without its archive.
func (r *Rewind) ownWAL() targetWAL {
	w := r.targetWAL()
	w.archive = nil
	return w
}
