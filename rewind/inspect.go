package rewind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// inspect finds the state of both sides and checks that they belong together. The
// checks are pg_rewind's, in its order, and some of our own.
func (r *Rewind) inspect(ctx context.Context, control []byte, earlier *Plan) (a *analyzer, s sides, err error) {
	if earlier != nil {
		r.log.InfoContext(ctx, "an earlier rewind in place of this target was interrupted, and is started again", "target", r.target.Name())
	}
	if err := r.openSource(ctx); err != nil {
		return nil, s, err
	}
	if err := r.checkPlaces(); err != nil {
		return nil, s, err
	}
	if err := r.checkNotRunning(); err != nil {
		return nil, s, err
	}
	if control != nil {
		if s.target.Control, err = controlfile.Parse(control); err != nil {
			return nil, s, fmt.Errorf("control file of the target %q: %w", r.target.Name(), err)
		}
	}
	if s.source.Control, s.source.State, err = lookAtSource(ctx, r.opts.Source); err != nil {
		return nil, s, err
	}
	if control == nil {
		s.target = Side{Control: s.source.Control, Unknown: true}
		r.target.UseSourceControl(s.source.Control)
		if err := r.checkSystem(ctx, s.source.Control); err != nil {
			return nil, s, err
		}
	}
	c := s.target.Control
	if r.opts.ConfigFile == "" {
		if r.opts.ConfigFile = pgconf.Locate(r.target.Name(), c.Version); r.opts.ConfigFile != "" {
			r.log.Debug(fmt.Sprintf("the configuration of the target is that of file %q", r.opts.ConfigFile), "path", r.opts.ConfigFile)
		}
	}
	a = &analyzer{
		opts: &r.opts, log: r.log, target: r.target, source: r.opts.Source, step: r.step, watch: r.watch, version: c.Version, geo: c.Geometry,
		format: walreader.Format{Version: c.Version, Geometry: c.Geometry, SystemIdentifier: c.SystemIdentifier},
	}
	a.keep = r.keeps(earlier)
	r.analyzer = a
	if err := a.checkControlFiles(s); err != nil {
		return a, s, err
	}
	if r.opts.RestoreTargetWAL {
		a.archive, err = a.openArchive()
	}
	return a, s, err
}

// checkSystem makes sure that a target without a readable control file belongs to the
// source's system: by its WAL, or because the caller says so. An empty directory is
// always accepted.
func (r *Rewind) checkSystem(ctx context.Context, c *controlfile.Data) error {
	if empty, err := r.target.IsEmpty(); empty || err != nil {
		return err
	}
	if major, err := r.target.ReadFile(pgdata.VersionPath); err == nil && strings.TrimSpace(string(major)) != c.Version.Name {
		return &Explained{Err: ErrIncompatible, Detail: fmt.Sprintf("The source %s is of PostgreSQL %s, the target %q of %s.",
			r.opts.Source, c.Version, r.target.Name(), strings.TrimSpace(string(major)))}
	}
	proven := false
	for f, err := range r.target.Files() {
		if err != nil {
			return err
		}
		name, inWAL := c.Version.InWALDir(f.Path)
		if _, _, is := c.Geometry.ParseWALFileName(name); !inWAL || !is || f.Type != pgdata.Regular {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		seg, err := r.target.Open(f.Path)
		if err != nil {
			return err
		}
		id, ok := walreader.SystemIdentifier(seg, c.Version)
		_ = seg.Close()
		if ok && id != c.SystemIdentifier {
			return &Explained{Err: ErrDifferentSystems, Detail: fmt.Sprintf("The source %s has system identifier %d, and file %q is WAL of %d.",
				r.opts.Source, c.SystemIdentifier, r.target.Join(f.Path), id)}
		}
		proven = proven || ok
	}
	if !proven && r.opts.SystemIdentifier != c.SystemIdentifier {
		return &Explained{
			Err:    fmt.Errorf("nothing in the target %q shows that it is of the source's system: %w", r.target.Name(), ErrDifferentSystems),
			Detail: "Its control file cannot be read, and it has no WAL.",
			Hint:   fmt.Sprintf("If it is, give %d as Options.SystemIdentifier. Or empty the directory.", c.SystemIdentifier),
		}
	}
	return nil
}

// openSource opens the source, unless it was given.
func (r *Rewind) openSource(ctx context.Context) (err error) {
	switch {
	case r.opts.Source != nil && r.opts.OpenSource != nil:
		return fmt.Errorf("%w: there is one source: give Source or OpenSource, not both", ErrOptions)
	case r.opts.Source != nil:
		return nil
	case r.opts.OpenSource == nil:
		return fmt.Errorf("%w: a source must be given", ErrOptions)
	}
	src, err := r.opts.OpenSource(ctx)
	if err != nil {
		return err
	}
	r.opts.Source, r.opened = src, src
	return r.opts.checkFollowingOptions() // it depends on the source whether it can do what they ask
}

// checkPlaces refuses a source directory that is the target, is inside it, or contains
// it.
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

// checkNotRunning refuses directories that a running server uses.
func (r *Rewind) checkNotRunning() error {
	err := r.target.CheckNotRunning()
	if dir, ok := r.opts.Source.(*source.Dir); err == nil && ok {
		var pid int
		if pid, err = dir.ServerPID(); err == nil && pid != 0 {
			err = &Explained{
				Err: ErrSourceRunning, Detail: fmt.Sprintf("Process %d has %q in use.", pid, dir.Path()),
				Hint: "Stop it, or give the running server as Options.Source.",
			}
		}
	}
	return err
}

// A live server may write its control file while it is being read, so reading is tried
// several times.
const (
	controlReads = 10
	controlPause = 50 * time.Millisecond
)

// lookAtSource reads the source's control file and asks a running server for its state.
// If State returns both, one query is enough.
func lookAtSource(ctx context.Context, src source.Source) (c *controlfile.Data, state source.State, err error) {
	c, err = parseControl(ctx, src, func() ([]byte, error) {
		if state, err = src.State(ctx); err != nil || state.Control != nil {
			return state.Control, err
		}
		return src.ReadFile(ctx, pgdata.ControlFilePath)
	})
	state.Control = nil
	return c, state, err
}

// parseControl reads a control file until it is complete.
func parseControl(ctx context.Context, src source.Source, read func() ([]byte, error)) (*controlfile.Data, error) {
	for reads := 1; ; reads++ {
		raw, err := read()
		if err != nil {
			return nil, err
		}
		data, err := controlfile.Parse(raw)
		switch {
		case err == nil:
			return data, nil
		case !errors.Is(err, controlfile.ErrCRC) || reads == controlReads:
			return nil, fmt.Errorf("control file of the source %s: %w", src, &sourceError{err})
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(controlPause):
		}
	}
}

func (a *analyzer) checkControlFiles(s sides) error {
	t, src := s.target.Control, s.source.Control
	switch {
	case poison.Is(src):
		return fmt.Errorf("the source %s is itself the target of a rewind that did not end: finish that first", a.source)
	case t.SystemIdentifier != src.SystemIdentifier:
		return &Explained{Err: ErrDifferentSystems, Detail: fmt.Sprintf("The source %s has system identifier %d, the target %q has %d.",
			a.source, src.SystemIdentifier, a.target.Name(), t.SystemIdentifier)}
	case t.Version != src.Version:
		return &Explained{Err: ErrIncompatible, Detail: fmt.Sprintf("The source %s is of PostgreSQL %s, the target %q of %s.",
			a.source, src.Version, a.target.Name(), t.Version)}
	case t.Geometry != src.Geometry:
		return &Explained{Err: ErrIncompatible, Detail: fmt.Sprintf("Their block or segment sizes differ: the source %s has %+v, the target %q has %+v.",
			a.source, src.Geometry, a.target.Name(), t.Geometry)}
	case !s.source.State.Live && !src.ShutDownCleanly():
		return &Explained{Err: ErrSourceNotClean, Detail: fmt.Sprintf("The control file of %s says %q.", a.source, src.State), Hint: stopAgain}
	}
	return a.checkPositions(src)
}

// checkPageHints refuses clusters whose WAL does not show everything that was changed.
func (a *analyzer) checkPageHints(s sides) error {
	if t := s.target.Control; t.DataChecksumVersion == 0 && !t.WALLogHints {
		return &Explained{Err: ErrNoPageHints, Detail: fmt.Sprintf("Without them WAL does not show everything that the target %q changed.", a.target.Name()), Hint: takeBase}
	}
	return nil
}

// checkChecksums refuses a pair of which only one side has data checksums: the target's
// pages that stay would not match the control file from the source.
func (a *analyzer) checkChecksums(s sides) error {
	own, theirs := s.target.Control.DataChecksumVersion, s.source.Control.DataChecksumVersion
	if own == theirs {
		return nil
	}
	return &Explained{
		Err: ErrChecksumsDiffer, Detail: fmt.Sprintf("Data checksums are %s on the source %s, and %s on the target %q.", onOff(theirs), a.source, onOff(own), a.target.Name()),
		Hint: "Switch them with pg_checksums on one of them, so that both have them or neither.",
	}
}

func onOff(version uint32) string {
	if version == 0 {
		return "off"
	}
	return "on"
}
