package rewind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// inspect finds out what state both sides are in, and whether they belong
// together. The checks are pg_rewind's, in its order, and some of our own.
func (r *Rewind) inspect(ctx context.Context) error {
	if r.opts.TargetDir == "" {
		return fmt.Errorf("%w: a target data directory must be given", ErrOptions)
	}
	if err := filemap.Patterns(r.opts.Keep).Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if err := r.openTarget(); err != nil || r.journal != nil {
		return err
	}
	if r.earlier != nil {
		r.log.Info("an earlier rewind of this target in place did not end, this one begins it again")
	}
	if r.opts.Source == nil {
		return fmt.Errorf("%w: a source must be given", ErrOptions)
	}
	if err := r.checkPlaces(); err != nil {
		return err
	}
	if err := r.checkNotRunning(); err != nil {
		return err
	}
	var err error
	if r.targetControl, err = controlfile.Parse(r.targetRaw); err != nil {
		return fmt.Errorf("control file of the target %q: %w", r.target.Name(), err)
	}
	r.live, _ = r.opts.Source.(source.Live)
	if r.sourceControl, r.sourceRaw, r.sourceState, err = r.lookAtSource(ctx); err != nil {
		return err
	}
	if err := r.checkControlFiles(); err != nil {
		return err
	}
	if err := r.readOwnRecovery(); err != nil {
		return err
	}
	if !r.opts.RestoreTargetWAL {
		return nil
	}
	return r.openArchive()
}

// checkPlaces refuses a source directory that is the target, or lies in it, or
// the other way round.
func (r *Rewind) checkPlaces() error {
	dir, ok := r.opts.Source.(*source.Dir)
	if !ok {
		return nil
	}
	from, err := filepath.EvalSymlinks(dir.Path())
	if err != nil {
		return err
	}
	to, err := filepath.EvalSymlinks(r.target.Name())
	if err != nil {
		return err
	}
	if same, err := sameFile(from, to); err != nil || same {
		return errors.Join(err, &Explained{Err: ErrSameDirectory, Detail: fmt.Sprintf("Both are %q.", to), Hint: "Give two different ones."})
	}
	for _, pair := range [][2]string{{from, to}, {to, from}} {
		for at := filepath.Dir(pair[1]); ; at = filepath.Dir(at) {
			if same, _ := sameFile(at, pair[0]); same {
				return &Explained{Err: ErrNested, Detail: fmt.Sprintf("%q contains %q.", pair[0], pair[1])}
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
	return nil
}

func sameFile(a, b string) (bool, error) {
	ai, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	bi, err := os.Stat(b)
	if err != nil {
		return false, err
	}
	return os.SameFile(ai, bi), nil
}

// checkNotRunning refuses directories in which a server runs.
func (r *Rewind) checkNotRunning() error {
	err := r.target.CheckNotRunning()
	if dir, ok := r.opts.Source.(*source.Dir); err == nil && ok {
		var pid int
		if pid, err = dir.ServerPID(); err == nil && pid != 0 {
			err = &Explained{
				Err: ErrSourceRunning, Detail: fmt.Sprintf("Process %d has %q in use.", pid, dir.Path()),
				Hint: "Stop it, or give it with --source-server.",
			}
		}
	}
	return err
}

// A live server may write its control file while it is being read.
const (
	controlReads = 10
	controlPause = 50 * time.Millisecond
)

// lookAtSource reads the source's control file and asks a live source for its
// state, which is one question where State answers both.
func (r *Rewind) lookAtSource(ctx context.Context) (c *controlfile.Data, raw []byte, state source.State, err error) {
	if r.live == nil {
		c, raw, err = readSourceControl(ctx, r.opts.Source)
		return c, raw, state, err
	}
	c, raw, err = parseControl(ctx, r.live, func() ([]byte, error) {
		if state, err = r.live.State(ctx); err != nil || state.Control != nil {
			return state.Control, err
		}
		return r.live.ReadFile(ctx, pgdata.ControlFilePath)
	})
	state.Control = nil
	return c, raw, state, err
}

// readSourceControl reads the source's control file.
func readSourceControl(ctx context.Context, src source.Source) (*controlfile.Data, []byte, error) {
	return parseControl(ctx, src, func() ([]byte, error) { return src.ReadFile(ctx, pgdata.ControlFilePath) })
}

// parseControl reads a control file until it is whole.
func parseControl(ctx context.Context, src source.Source, read func() ([]byte, error)) (*controlfile.Data, []byte, error) {
	for reads := 1; ; reads++ {
		raw, err := read()
		if err != nil {
			return nil, nil, err
		}
		data, err := controlfile.Parse(raw)
		switch {
		case err == nil:
			return data, raw, nil
		case !errors.Is(err, controlfile.ErrCRC) || reads == controlReads:
			return nil, nil, fmt.Errorf("control file of the source %s: %w", src, err)
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(controlPause):
		}
	}
}

func (r *Rewind) checkControlFiles() error {
	t, s := r.targetControl, r.sourceControl
	switch {
	case s.IsPoisoned():
		return fmt.Errorf("the source %s is itself the target of a rewind that did not end: finish that first", r.opts.Source)
	case t.SystemIdentifier != s.SystemIdentifier:
		return &Explained{Err: ErrDifferentSystems, Detail: fmt.Sprintf("The source %s has system identifier %d, the target %q has %d.",
			r.opts.Source, s.SystemIdentifier, r.target.Name(), t.SystemIdentifier)}
	case t.Version != s.Version:
		return &Explained{Err: ErrIncompatible, Detail: fmt.Sprintf("The source %s is of PostgreSQL %s, the target %q of %s.",
			r.opts.Source, s.Version, r.target.Name(), t.Version)}
	case t.Geometry != s.Geometry:
		return &Explained{Err: ErrIncompatible, Detail: fmt.Sprintf("Their block or segment sizes differ: the source %s has %+v, the target %q has %+v.",
			r.opts.Source, s.Geometry, r.target.Name(), t.Geometry)}
	case t.DataChecksumVersion == 0 && !t.WALLogHints:
		return &Explained{Err: ErrNoPageHints, Detail: fmt.Sprintf("Without them WAL does not tell all that the target %q changed.", r.target.Name()), Hint: takeBase}
	case r.live == nil && !s.ShutDownCleanly():
		return &Explained{Err: ErrSourceNotClean, Detail: fmt.Sprintf("The control file of %s says %q.", r.opts.Source, s.State), Hint: stopAgain}
	}
	return r.checkPositions(s)
}
