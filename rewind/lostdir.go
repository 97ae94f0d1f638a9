package rewind

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
)

// The directories in Options.SaveLost.
//
// LostWAL has the target's WAL segments from the divergence on, earlier segments that
// it has not archived yet, and the timeline histories, so that pg_waldump can read
// them. LostFiles has, under their own paths, the files that are removed or replaced.
// For other files it has what is overwritten or cut off, at its original offset in a
// file that is otherwise a hole.
//
// LostRowsDir has the lost rows as package lost/rows/export writes them, as CSV.
const (
	LostWAL     = "wal"
	LostFiles   = "files"
	LostRowsDir = "rows"
)

// LostMark is a file in Options.SaveLost that is there until the rewind is committed.
// If the rewind is interrupted before that, the same call may use the directory again.
const LostMark = "not_lost_yet"

// keepLost archives and saves what the rewind discards, before anything is changed.
func (r *Rewind) keepLost(ctx context.Context) error {
	if r.opts.ArchiveLostWAL {
		if err := r.archiveLost(ctx); err != nil {
			return err
		}
	}
	dir := r.opts.SaveLost
	if dir == "" {
		return nil
	}
	again, err := r.checkLostDir(dir)
	if err != nil {
		return err
	}
	if r.plan.Again {
		if again {
			return nil // the interrupted run saved it before it overwrote anything
		}
		return fmt.Errorf("%w: what is lost can no longer be saved: an interrupted rewind in place overwrote part of it", ErrOptions)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("could not create directory %q for what is lost: %w", dir, datadir.Reason(err))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("could not open directory %q: %w", dir, datadir.Reason(err))
	}
	defer root.Close()
	l := &lostDir{r: r, root: root}
	l.removeFiles()
	if err := l.save(ctx); err != nil {
		l.remove()
		return fmt.Errorf("could not save what is lost in %q: %w", dir, err)
	}
	r.lostSaved = true
	return nil
}

// archiveLost passes WAL from before the fork that is not archived yet to the target's
// archive_command.
func (r *Rewind) archiveLost(ctx context.Context) error {
	if len(r.plan.Unarchived) == 0 {
		return nil
	}
	v := r.plan.Version
	conf, err := pgconf.Load(pgconf.Options{DataDir: r.target.Name(), ConfigFile: r.opts.ConfigFile, Version: v})
	if err != nil {
		return fmt.Errorf("could not read the configuration of the target: %w", err)
	}
	if conf.ArchiveCommand() == "" {
		return fmt.Errorf("%w: lost WAL cannot be archived: the target's configuration has no archive_command", ErrOptions)
	}
	to := &archive.Archiver{
		Command: conf.ArchiveCommand(), DataDir: r.target.Name(), WorkDir: r.opts.ChildDir, Env: r.opts.ChildEnv, Version: v,
		Attempts: r.opts.ArchiveAttempts, Pause: r.opts.ArchivePause, Logger: r.log,
	}
	defer to.Close()
	for _, name := range r.plan.Unarchived {
		if err := to.Archive(ctx, v.WALPath(name), name); err != nil {
			return err
		}
		r.log.DebugContext(ctx, fmt.Sprintf("archived WAL segment %s", name), "segment", name)
	}
	r.log.InfoContext(ctx, fmt.Sprintf("archived %d WAL segments from before the divergence", len(r.plan.Unarchived)), "segments", len(r.plan.Unarchived))
	return nil
}

// markLost records that what was saved is now lost from the target.
func (r *Rewind) markLost() {
	if r.opts.SaveLost == "" {
		return
	}
	if root, err := os.OpenRoot(r.opts.SaveLost); err == nil {
		_ = root.Remove(LostMark)
		_ = root.Close()
	}
}

// forgetLost removes what was saved if the rewind was not committed, so that it can be
// tried again with the same directory.
func (r *Rewind) forgetLost() {
	if r.touched || r.opts.SaveLost == "" {
		return
	}
	r.lostSaved = false
	if root, err := os.OpenRoot(r.opts.SaveLost); err == nil {
		(&lostDir{root: root}).remove()
		_ = root.Close()
	}
}

// checkLostDir refuses a directory that is not empty, or that is in the target.
// Anything that an interrupted run of the same rewind left there may be removed.
func (r *Rewind) checkLostDir(dir string) (again bool, err error) {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		mark, rerr := os.ReadFile(filepath.Join(dir, LostMark))
		again = rerr == nil && string(mark) == r.lostMark()
	}
	switch {
	case err == nil && len(entries) > 0 && !again:
		return false, fmt.Errorf("%w: directory %q for what is lost is not empty: give a new one", ErrOptions, dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("%w: directory %q for what is lost: %w", ErrOptions, dir, datadir.Reason(err))
	}
	return again, r.outsideOfTarget(dir)
}

// lostMark identifies the target, and its state, that something was saved from.
func (r *Rewind) lostMark() string {
	control, _ := r.plan.Target.Control.MarshalBinary()
	return fmt.Sprintf("control file %x\n", sha256.Sum256(control))
}

// lostDir writes the directory.
type lostDir struct {
	r    *Rewind
	root *os.Root
}

// remove empties the directory again.
func (l *lostDir) remove() {
	l.removeFiles()
	_ = l.root.Remove(LostMark)
}

func (l *lostDir) removeFiles() {
	_ = l.root.RemoveAll(LostWAL)
	_ = l.root.RemoveAll(LostFiles)
	_ = l.root.RemoveAll(LostRowsDir)
}

func (l *lostDir) save(ctx context.Context) error {
	if err := l.root.WriteFile(LostMark, []byte(l.r.lostMark()), 0o600); err != nil {
		return err
	}
	p := l.r.plan
	if err := l.saveSegments(ctx, slices.Concat(p.Unarchived, p.lostSegments())); err != nil {
		return err
	}
	for _, h := range p.Target.History {
		if h.TLI == 1 {
			continue // this timeline has no history file
		}
		name := pgdata.HistoryFileName(h.TLI)
		if err := l.copy(ctx, p.Version.WALPath(name), LostWAL+"/"+name, whole); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for i := range p.Files.Entries {
		e := &p.Files.Entries[i]
		if e.Type != pgdata.Regular || e.TargetSize == 0 || p.Files.IsSegment(e) {
			continue
		}
		if err := l.copy(ctx, e.Path, LostFiles+"/"+e.Path, l.overwritten(e)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := l.saveRows(ctx); err != nil {
		return err
	}
	return l.sync()
}

// lostSegments returns the names of the target's WAL segments that will be removed or
// replaced. If the fork is not known, these are all for which the source has a
// different file, or none.
func (p *Plan) lostSegments() (names []string) {
	geo := p.Target.Control.Geometry
	if p.Evidence == report.ByWAL {
		for s := geo.SegNo(p.Divergence); s <= geo.SegNo(p.Target.EndOfWAL-1); s++ {
			names = append(names, geo.WALFileName(p.Target.History.TimelineOf(geo, s), s))
		}
		return names
	}
	for i := range p.Files.Entries {
		if e := &p.Files.Entries[i]; p.Files.IsSegment(e) && e.TargetSize > 0 && e.Action != filemap.None {
			names = append(names, path.Base(e.Path))
		}
	}
	return names
}

// saveSegments copies WAL segments. Those that are nowhere are one warning: there can be
// thousands.
func (l *lostDir) saveSegments(ctx context.Context, names []string) error {
	var gone []string
	var why error
	for _, name := range names {
		err := l.saveSegment(ctx, name)
		var notFound *archive.NotFoundError
		switch {
		case errors.Is(err, fs.ErrNotExist) || errors.As(err, &notFound):
			l.r.log.DebugContext(ctx, fmt.Sprintf("could not save WAL segment %s: %v", name, err), "segment", name, "error", err)
			if gone = append(gone, name); why == nil {
				why = err
			}
		case err != nil:
			return err
		}
	}
	switch len(gone) {
	case 0:
		return nil
	case 1:
		l.r.analyzer.warn(l.r.plan, "WAL segment %s is lost and could not be saved: %v", gone[0], why)
	default:
		l.r.analyzer.warn(l.r.plan, "%d WAL segments are lost and could not be saved, the first of them %s: %v", len(gone), gone[0], why)
	}
	l.r.log.WarnContext(ctx, l.r.plan.Warnings[len(l.r.plan.Warnings)-1], "segment", gone[0], "segments", len(gone), "error", why)
	return nil
}

// saveSegment copies a WAL segment. A segment that the target does not have was
// restored from the archive, or is restored now if a saved plan did not need it.
func (l *lostDir) saveSegment(ctx context.Context, name string) error {
	to := LostWAL + "/" + name
	err := l.copy(ctx, l.r.plan.Version.WALPath(name), to, whole)
	if a := l.r.analyzer; errors.Is(err, fs.ErrNotExist) && a.archive != nil {
		var restored string
		if restored, err = a.archive.restore(ctx, name); err == nil {
			err = l.copy(ctx, restored, to, whole)
		}
	}
	return err
}

// whole yields all of a file.
func whole(yield func(filemap.Span) bool) { yield(filemap.Span{Length: 1 << 62}) }

// overwritten yields the parts of a file that the rewind overwrites or cuts off.
func (l *lostDir) overwritten(e *filemap.Entry) iter.Seq[filemap.Span] {
	switch e.Action {
	case filemap.Copy, filemap.Remove:
		return whole
	}
	return func(yield func(filemap.Span) bool) {
		for run := range e.Runs(l.r.plan.Files.Geometry) {
			if !yield(run) {
				return
			}
		}
		if e.Action == filemap.Truncate {
			yield(filemap.Span{Offset: e.SourceSize, Length: e.TargetSize - e.SourceSize})
		}
	}
}

// copy copies parts of a file to the same offsets.
func (l *lostDir) copy(ctx context.Context, from, to string, parts iter.Seq[filemap.Span]) error {
	var in, out *os.File
	defer func() {
		for _, f := range []*os.File{in, out} {
			if f != nil {
				_ = f.Close()
			}
		}
	}()
	for part := range parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if in == nil {
			if in, err = l.r.target.Open(from); err != nil {
				return err
			}
			if err := l.root.MkdirAll(path.Dir(to), 0o700); err != nil {
				return err
			}
			if out, err = l.root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
				return err
			}
		}
		if _, err := io.Copy(io.NewOffsetWriter(out, part.Offset), io.NewSectionReader(in, part.Offset, part.Length)); err != nil {
			return err
		}
	}
	if out == nil || l.r.opts.NoSync {
		return nil
	}
	return out.Sync()
}

// sync makes the directories durable.
func (l *lostDir) sync() error {
	if l.r.opts.NoSync {
		return nil
	}
	return fs.WalkDir(l.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		f, err := l.root.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Sync()
	})
}
