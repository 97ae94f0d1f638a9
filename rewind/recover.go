package rewind

import (
	"bytes"
	"cmp"
	"context"
	"fmt"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/recovery"
)

// recoverTarget makes sure that the target is in a state from which it can be rewound,
// and returns its new state. Package recovery says what that means. It is called after
// it was found that a rewind is required, because our single-user server writes WAL: a
// target that needs no rewind must not be changed.
func (r *Rewind) recoverTarget(ctx context.Context, a *analyzer, s sides) (Side, error) {
	need, err := recovery.Assess(r.target.Dir, s.target.Control)
	switch {
	case err != nil || need != recovery.SingleUser:
		return s.target, err
	case !r.opts.EnsureShutdown && !r.opts.ForeseeRecovery:
		return s.target, r.notClean(s.target)
	}
	program, err := recovery.FindPostgres(ctx, recovery.Search{
		Version: a.version, Program: r.opts.ServerProgram, BinDir: r.opts.BinDir, Env: r.opts.ChildEnv,
	})
	if err != nil {
		return s.target, err
	}
	if !r.opts.EnsureShutdown {
		r.log.Info(fmt.Sprintf("the target was not shut down cleanly: its crash recovery comes first, by %q", program), "program", program)
		r.plan.RecoversFirst = true
		return s.target, nil
	}
	before, err := s.target.Control.MarshalBinary()
	if err != nil {
		return s.target, err
	}
	err = recovery.Run(ctx, recovery.Options{
		Dir: r.target.Dir, Program: program, ConfigFile: r.opts.ConfigFile, NoSync: r.opts.NoSync,
		Env: r.opts.ChildEnv, WorkDir: r.opts.ChildDir, Logger: r.log,
	})
	// The first thing that a server writes is the state in its control file.
	raw, rerr := r.target.ControlFile()
	r.recovered = rerr != nil || !bytes.Equal(raw, before)
	if err = cmp.Or(err, rerr); err != nil {
		return s.target, err
	}
	control, err := controlfile.Parse(raw)
	if err != nil {
		return s.target, err
	}
	return a.targetSide(ctx, Side{Control: control})
}

func (r *Rewind) notClean(s Side) error {
	return &Explained{Err: ErrTargetNotClean, Detail: fmt.Sprintf("The control file of %q says %q.", r.target.Name(), s.Control.State), Hint: letItStop}
}
