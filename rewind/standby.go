package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/pgconf"
)

// readRecovery reads the file that makes the target a standby up to 11, before the
// rewind replaces it. An interrupted rewind in place may have replaced it already.
func (r *Rewind) readRecovery(earlier *Plan) error {
	if earlier != nil {
		r.ownRecovery = earlier.carried.Recovery
		return nil
	}
	if r.opts.PrimaryConnInfo == "" || !r.analyzer.version.RecoveryConf {
		return nil
	}
	r.ownRecovery = map[string][]byte{}
	for _, name := range []string{pgconf.RecoveryFile, pgconf.RecoveryDoneFile} {
		b, err := r.target.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		r.ownRecovery[name] = b
	}
	return nil
}

// standbyFiles returns the files that make the target a standby of the source. after
// reads a file as the rewind leaves it.
func (r *Rewind) standbyFiles(ctx context.Context, after pgconf.ReadFile) ([]apply.SmallFile, error) {
	if r.opts.PrimaryConnInfo == "" {
		return nil, nil
	}
	before := func(p string) ([]byte, error) {
		if b, ok := r.ownRecovery[p]; ok {
			return b, nil
		}
		return nil, fmt.Errorf("file %q: %w", p, fs.ErrNotExist)
	}
	var o pgconf.StandbyOptions
	switch {
	case r.opts.Slot != "":
		o.Slot = &r.opts.Slot
	case r.plan.ResetSlot:
		o.Slot = new(string)
	}
	// If a file cannot be read, the recovery settings were not known before either.
	if conf, err := pgconf.Load(pgconf.Options{DataDir: r.target.Name(), ConfigFile: r.opts.ConfigFile, Version: r.plan.Version, ReadFile: after}); err == nil {
		o.Effective = conf
	}
	files, resets, err := pgconf.Standby(r.plan.Version, before, after, r.opts.PrimaryConnInfo, o)
	if err != nil {
		return nil, fmt.Errorf("could not make the target a standby: %w", err)
	}
	for _, n := range resets {
		r.log.InfoContext(ctx, n.String(), "setting", n.Name, "path", n.File, "line", n.Line)
	}
	small := make([]apply.SmallFile, len(files))
	for i, f := range files {
		small[i] = apply.SmallFile{Path: f.Path, Data: f.Data}
	}
	return small, nil
}

// makeStandby makes a target that needs no rewind a standby of the source.
func (r *Rewind) makeStandby(ctx context.Context) error {
	if err := r.reach(ctx, PhaseApply); err != nil {
		return err
	}
	files, err := r.standbyFiles(ctx, r.target.ReadFile)
	if err != nil || len(files) == 0 {
		return err
	}
	control, err := r.plan.Target.Control.MarshalBinary()
	if err != nil {
		return err
	}
	forget, err := r.makeSlot(ctx)
	if err != nil {
		return err
	}
	defer forget()
	err = r.target.WriteFiles(ctx, control, files, r.syncMode())
	r.madeStandby = err == nil
	if err == nil && r.slotMade {
		if err := r.target.ForgetSlot(); err != nil { // the next run will remove it
			r.log.DebugContext(ctx, err.Error(), "slot", r.opts.Slot, "error", err)
		}
	}
	return err
}
