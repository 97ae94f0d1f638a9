package rewind

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/lost/rows"
	"github.com/gorewind/gorewind/lost/rows/export"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// LostRowsOptions says for which target to report lost rows. TargetDir must be set, and
// so must Source or Since.
type LostRowsOptions struct {
	TargetDir string        // its server must be stopped, or have crashed
	Source    source.Source // what it would be rewound to; the caller closes it
	// Since says where the two diverged, if no source is available.
	Since Since
	// Tables are patterns of tables, as in [rows.Options]; none means all.
	Tables []string
	// SpillDir is a directory for what does not fit into memory; if empty, the system's
	// directory for temporary files.
	SpillDir string
	// RestoreTargetWAL is as in Options. It creates a staging area in the target.
	RestoreTargetWAL bool
	// RestoreCommand, FetchWAL, ArchiveAttempts, ArchivePause, ChildEnv and ChildDir are
	// as in Options.
	RestoreCommand  string
	FetchWAL        func(ctx context.Context, name, dst string) error
	ArchiveAttempts int
	ArchivePause    time.Duration
	ChildEnv        []string
	ChildDir        string
	ConfigFile      string // the target's, if it is not postgresql.conf in its data directory
	Logger          *slog.Logger
}

// Since is a place in a cluster's WAL.
type Since struct {
	LSN      pgdata.LSN
	Timeline pgdata.TimelineID // timeline of LSN
}

// LostRows holds the rows that a rewind of a target would lose. It must be closed;
// until then no rewind of the target can begin.
type LostRows struct {
	About  export.About // which target, and since when its rows are lost
	finder *rows.Finder // nil if nothing is lost
	rewind *Rewind
}

// LostRowsFormat says how to write lost rows.
type LostRowsFormat struct {
	Format export.Format
	Limit  int64 // maximum number of changes to write for each table; zero: no limit. All changes are counted
	// Compare asks the source for the current row with each primary key. Its server must
	// be running.
	Compare bool
}

// FindLostRows finds where the two sides diverged, and what happened to the
// transactions after that. It changes nothing in the target. The error is an *Error.
func FindLostRows(ctx context.Context, o LostRowsOptions) (*LostRows, error) {
	r := newRewind(Options{
		TargetDir: o.TargetDir, Source: o.Source, RestoreTargetWAL: o.RestoreTargetWAL, RestoreCommand: o.RestoreCommand, FetchWAL: o.FetchWAL,
		ArchiveAttempts: o.ArchiveAttempts, ArchivePause: o.ArchivePause, ChildEnv: o.ChildEnv, ChildDir: o.ChildDir, ConfigFile: o.ConfigFile, Logger: o.Logger,
	})
	l := &LostRows{rewind: r}
	if err := r.ended(l.find(ctx, &o)); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

func (l *LostRows) find(ctx context.Context, o *LostRowsOptions) (err error) {
	r := l.rewind
	switch {
	case o.TargetDir == "":
		return errNoTargetDir
	case (o.Source == nil) == (o.Since.LSN == 0):
		return fmt.Errorf("%w: give either a source, or where the target diverged from it", ErrOptions)
	}
	if err := r.opts.checkExclusive(); err != nil {
		return err
	}
	if r.target, err = apply.Open(o.TargetDir, nil); err != nil {
		return err
	}
	if err := r.target.CheckNotRunning(); err != nil {
		return err
	}
	control, err := r.target.ControlFile()
	if err != nil {
		return err
	}
	s := sides{}
	if s.target.Control, err = controlfile.Parse(control); err != nil {
		return fmt.Errorf("control file of the target %q: %w", r.target.Name(), err)
	}
	if poison.Is(s.target.Control) {
		return fmt.Errorf("%w: a rewind of %q was committed and is not finished: what it lost is no longer there", ErrOptions, r.target.Name())
	}
	c := s.target.Control
	a := &analyzer{
		opts: &r.opts, log: r.log, target: r.target, source: o.Source, step: r.step, version: c.Version, geo: c.Geometry,
		format: walreader.Format{Version: c.Version, Geometry: c.Geometry, SystemIdentifier: c.SystemIdentifier},
	}
	r.analyzer = a
	if o.RestoreTargetWAL {
		if a.archive, err = a.openArchive(); err != nil {
			return err
		}
	}
	r.enter(PhaseAnalyze)
	at := o.Since
	if o.Source != nil {
		if at, s, err = l.fork(ctx, a, s); err != nil {
			return err
		}
	} else if s.target, err = a.targetSide(ctx, s.target); err != nil {
		return err
	}
	if s.target.unread != nil {
		return s.target.unread
	}
	l.About = aboutLost(a, s.target, at)
	if o.Source == nil && at.LSN > s.target.EndOfWAL {
		return fmt.Errorf("%w: the target's WAL ends at %s, before %s", ErrOptions, a.lsn(s.target.EndOfWAL), a.lsn(at.LSN))
	}
	if at.LSN == s.target.EndOfWAL {
		return nil
	}
	if o.Source == nil {
		if tli := timelineAt(s.target.History, at.LSN); at.Timeline != 0 && tli != at.Timeline {
			return fmt.Errorf("%w: the target has %s on timeline %d, not %d", ErrOptions, a.lsn(at.LSN), tli, at.Timeline)
		}
	}
	l.finder, err = a.lostRows(ctx, s.target, at.LSN, o.Tables, o.SpillDir)
	return err
}

// fork finds where the sides diverged, as a rewind does.
func (l *LostRows) fork(ctx context.Context, a *analyzer, s sides) (at Since, _ sides, err error) {
	if err := l.rewind.checkPlaces(); err != nil {
		return at, s, err
	}
	if s.source.Control, s.source.State, err = lookAtSource(ctx, a.source); err != nil {
		return at, s, err
	}
	t, src := s.target.Control, s.source.Control
	switch {
	case t.SystemIdentifier != src.SystemIdentifier:
		return at, s, fmt.Errorf("%w: their system identifiers are %d and %d", ErrDifferentSystems, t.SystemIdentifier, src.SystemIdentifier)
	case t.Version != src.Version || t.Geometry != src.Geometry:
		return at, s, fmt.Errorf("%w: they are of PostgreSQL %s and %s", ErrIncompatible, t.Version, src.Version)
	}
	if s, err = a.findSides(ctx, s, nil); err != nil {
		return at, s, err
	}
	f, err := a.fork(ctx, s, nil)
	if err != nil {
		return at, s, err
	}
	if f.unproven != "" {
		a.log.WarnContext(ctx, fmt.Sprintf("that both sides have the same WAL up to %s could not be proven: %s", a.lsn(f.at), f.unproven), "lsn", a.lsn(f.at), "reason", f.unproven)
	}
	at = Since{f.at, f.timeline}
	if !f.required {
		at.LSN = s.target.EndOfWAL
	}
	return at, s, nil
}

func aboutLost(a *analyzer, t Side, at Since) export.About {
	return export.About{
		Target: strings.ToValidUTF8(a.target.Name(), "\ufffd"), Divergence: a.lsn(at.LSN), Timeline: uint32(at.Timeline), EndOfWAL: a.lsn(t.EndOfWAL),
		NotShutDown: t.Control.State != controlfile.ShutDown,
	}
}

// lostRows finds the rows that are lost after an LSN of the target's WAL.
func (a *analyzer) lostRows(ctx context.Context, t Side, fork pgdata.LSN, tables []string, spill string) (*rows.Finder, error) {
	o := rows.Options{
		WAL: a.targetWAL(t.History), Format: a.format, Fork: fork, End: t.EndOfWAL, Files: a.target.Dir, Tables: tables, SpillDir: spill,
		Logger: a.log, Dollars: a.dollars(),
	}
	if t.Control.State != controlfile.ShutDown {
		o.Recovery = t.FilesLow.Redo
	}
	return rows.Find(ctx, o)
}

// dollars reports whether the target writes money as the C locale does.
func (a *analyzer) dollars() bool {
	conf, err := pgconf.Load(pgconf.Options{DataDir: a.target.Name(), ConfigFile: a.opts.ConfigFile, Version: a.version})
	if err != nil {
		return false
	}
	return areDollars(conf.Lookup("lc_monetary"))
}

// areDollars decides that by lc_monetary. If it is empty, the locale is from the
// server's environment, which is not known.
func areDollars(locale string, set bool) bool {
	return !set || locale == "C" || locale == "POSIX" || strings.HasPrefix(locale, "C.") || strings.HasPrefix(locale, "en_US")
}

// Changes yields the lost rows in the order in which their transactions committed; see
// [rows.Finder.Changes].
func (l *LostRows) Changes(ctx context.Context) iter.Seq2[*rows.Change, error] {
	if l.finder == nil {
		return func(func(*rows.Change, error) bool) {}
	}
	return l.finder.Changes(ctx)
}

// Summary says what was found. It is complete when Changes has ended.
func (l *LostRows) Summary() rows.Summary {
	if l.finder == nil {
		return rows.Summary{}
	}
	return l.finder.Summary()
}

// Write writes the lost rows to files in a directory, which must be new or empty.
func (l *LostRows) Write(ctx context.Context, dir string, f LostRowsFormat) (*export.Summary, error) {
	if l.rewind == nil {
		return nil, Classify(fmt.Errorf("%w: there is nothing to write: FindLostRows makes a LostRows", ErrOptions))
	}
	s, err := l.write(ctx, dir, f)
	if err != nil {
		return nil, l.rewind.failed(err)
	}
	return s, nil
}

func (l *LostRows) write(ctx context.Context, dir string, f LostRowsFormat) (*export.Summary, error) {
	o := export.Options{Format: f.Format, Limit: f.Limit, Sync: true, About: l.About}
	if f.Compare {
		finder, can := l.rewind.opts.Source.(source.RowFinder)
		if !can {
			return nil, fmt.Errorf("%w: lost rows can only be compared with those of a running server", ErrOptions)
		}
		o.Lookup = lookup(finder)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%w: directory %q for lost rows is not empty: give a new one", ErrOptions, dir)
	}
	if err := l.rewind.outsideOfTarget(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("could not create directory %q for lost rows: %w", dir, datadir.Reason(err))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("could not open directory %q: %w", dir, datadir.Reason(err))
	}
	defer func() { _ = root.Close() }()
	o.Dir = root
	return export.Write(ctx, o, l.Changes(ctx), l.Summary)
}

// lookup looks up rows on a source. A table that the source does not have in the same
// form is not compared. A failed connection is an error.
func lookup(finder source.RowFinder) export.Lookup {
	return func(ctx context.Context, t *rows.Table, keys [][]string) ([][]*string, error) {
		of := source.KeyedTable{Database: t.Database, Schema: t.Schema, Name: t.Name}
		at := make([]int, len(t.Columns)) // index of each column among those that are requested
		for i, c := range t.Columns {
			if at[i] = len(of.Columns); !c.Virtual {
				of.Columns = append(of.Columns, c.Name)
			}
		}
		for _, k := range t.Key {
			of.Key = append(of.Key, at[k])
		}
		found, err := finder.RowsByKey(ctx, of, keys)
		if err != nil && ctx.Err() == nil && !errors.Is(err, source.ErrUnavailable) {
			return nil, &export.NotComparedError{Err: err}
		}
		return found, err
	}
}

// outsideOfTarget refuses a directory in the target, since a rewind would remove it.
func (r *Rewind) outsideOfTarget(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for at := abs; at != filepath.Dir(at); at = filepath.Dir(at) {
		if same, err := sameFile(at, r.target.Name()); err == nil && same {
			return fmt.Errorf("%w: directory %q is in the target, where a rewind would remove it: give another one", ErrOptions, dir)
		}
	}
	return nil
}

// Close releases all resources. The source stays open.
func (l *LostRows) Close() error {
	var err error
	if l.finder != nil {
		err = l.finder.Close()
	}
	if l.rewind != nil {
		err = errors.Join(err, l.rewind.Close())
	}
	return err
}

// saveRows writes the lost rows. If they cannot be read, the rewind goes on: the WAL
// and files that contain them are saved.
func (l *lostDir) saveRows(ctx context.Context) error {
	a, p := l.r.analyzer, l.r.plan
	if p.Evidence == report.ByComparison || p.Scan.Records == 0 {
		a.warn(p, "lost rows cannot be listed: some of the WAL that contains them is missing, or the divergence is not known")
		l.r.log.WarnContext(ctx, p.Warnings[len(p.Warnings)-1], "path", l.r.opts.SaveLost)
		return nil
	}
	finder, err := a.lostRows(ctx, p.Target, p.Divergence, nil, l.root.Name())
	if err == nil {
		defer func() { _ = finder.Close() }()
		err = l.writeRows(ctx, finder)
	}
	if err == nil || ctx.Err() != nil || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return err
	}
	_ = l.root.RemoveAll(LostRowsDir)
	a.warn(p, "lost rows could not be listed, but the WAL and files that contain them were saved: %v", err)
	l.r.log.WarnContext(ctx, p.Warnings[len(p.Warnings)-1], "path", l.r.opts.SaveLost)
	return nil
}

func (l *lostDir) writeRows(ctx context.Context, finder *rows.Finder) error {
	p := l.r.plan
	if err := l.root.MkdirAll(LostRowsDir, 0o700); err != nil {
		return err
	}
	dir, err := l.root.OpenRoot(LostRowsDir)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	about := aboutLost(l.r.analyzer, p.Target, Since{p.Divergence, p.DivergenceTimeline})
	_, err = export.Write(ctx, export.Options{Dir: dir, Format: export.CSV, Sync: !l.r.opts.NoSync, About: about}, finder.Changes(ctx), finder.Summary)
	return err
}
