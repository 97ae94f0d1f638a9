package apply

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/pgdata"
)

// Finish carries out the journal of a committed rewind. Every step can be repeated,
// so it does all of them, whatever an earlier process did. Until the end, the
// control file is unusable for a server. The new one is put in place last.
func (t *Target) Finish(ctx context.Context, j *Journal, resumed bool) error {
	if j.Done {
		return t.syncDone(j)
	}
	if j.InPlace {
		return errors.New("the interrupted rewind was in place and needs the source again: run it again")
	}
	for _, a := range j.Areas {
		if err := t.mapTablespace(a); err != nil {
			return err
		}
		if _, err := t.findStagingDir(string(a.Dir)); err != nil {
			return err
		}
	}
	a := &applier{t: t, j: j, resumed: resumed, dirs: map[string]bool{}}
	if resumed {
		if err := a.checkStaged(ctx); err != nil {
			return err
		}
	}
	return a.run(ctx)
}

// syncDone makes the last changes of a rewind durable.
func (t *Target) syncDone(j *Journal) error {
	if dir := path.Dir(pgdata.ControlFilePath); !j.Sync.Off {
		if err := t.sync(dir); err != nil {
			return t.failed("fsync", dir, err)
		}
	}
	_ = t.remove(slotPath) // the slot is the standby's now
	return t.dropStaging(j.Areas...)
}

// applier carries out a journal.
type applier struct {
	t       *Target
	j       *Journal
	resumed bool // an earlier process began to carry it out
	mu      sync.Mutex
	dirs    map[string]bool // directories in which entries were made or removed
}

func (a *applier) run(ctx context.Context) error {
	// No file is moved into a directory that is not durable yet. Files are removed
	// last, and only then the control file is written.
	for _, pass := range []func(context.Context) error{
		a.freeReserve, a.each(a.makePlaces), a.syncDirs, a.parallel(a.replace), a.writePieces, a.parallel(a.cut), a.sync,
		a.remove, a.syncDirs, a.finish,
	} {
		if err := pass(ctx); err != nil {
			return err
		}
	}
	// The rewind is done. Anything left here does no harm, and the next run removes
	// it.
	_ = a.t.remove(slotPath)
	_ = a.t.dropStaging(a.j.Areas...)
	return nil
}

// each does a part of every step, until the context ends.
func (a *applier) each(do func(context.Context, *Step) error) func(context.Context) error {
	return func(ctx context.Context) error {
		a.t.work.begin(false, len(a.j.Steps))
		for i := range a.j.Steps {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := do(ctx, &a.j.Steps[i]); err != nil {
				return err
			}
			a.t.work.done()
		}
		return nil
	}
}

// parallel is each for steps that do not depend on each other.
func (a *applier) parallel(do func(context.Context, *Step) error) func(context.Context) error {
	return func(ctx context.Context) error {
		a.t.work.begin(false, len(a.j.Steps))
		g, ctx := errgroup.WithContext(ctx)
		var next atomic.Int64
		for range workers() {
			g.Go(func() error {
				for i := next.Add(1) - 1; i < int64(len(a.j.Steps)); i = next.Add(1) - 1 {
					if err := ctx.Err(); err != nil {
						return err
					}
					if err := do(ctx, &a.j.Steps[i]); err != nil {
						return err
					}
					a.t.work.done()
				}
				return nil
			})
		}
		return g.Wait()
	}
}

func (a *applier) changed(s *Step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dirs[path.Dir(string(s.Path))] = true
}

// makePlaces makes directories and links.
func (a *applier) makePlaces(ctx context.Context, s *Step) error {
	switch s.Do {
	case Mkdir:
		a.changed(s)
		return a.t.mkdir(string(s.Path))
	case Symlink:
		if err := a.t.symlink(string(s.Link), string(s.Path)); err != nil {
			return err
		}
		// The link and its directories must be durable first. Otherwise the next run
		// could find a tablespace in use to which no link of this target leads.
		a.changed(s)
		return a.syncDirs(ctx)
	}
	return nil
}

// replace renames a staged file into place. If the staged file is gone, it was
// renamed before.
func (a *applier) replace(_ context.Context, s *Step) error {
	if s.Do != Replace {
		return nil
	}
	a.changed(s)
	staged, p := string(s.Staged), string(s.Path)
	err := a.t.disk.Rename(staged, p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err = a.t.checkPlaced(s); err != nil {
			return err
		}
	case errors.Is(err, syscall.EXDEV):
		err = a.copyStaged(staged, p, s.Size)
	}
	if err != nil {
		return a.t.failed("replace", p, err)
	}
	if a.resumed { // the earlier process may have copied the file
		return a.t.remove(tempBeside(p))
	}
	return nil
}

// isData reports whether only gorewind changes a file while no server can start.
// Configuration files and logs may have changed since gorewind put them there.
func isData(p string) bool {
	first, _, below := strings.Cut(p, "/")
	return p == pgdata.VersionPath || below && (first == "base" || first == "global" || strings.HasPrefix(first, "pg_") && first != "pg_log")
}

// copyStaged copies a file that the system cannot rename, as between two mounts of
// one file system.
func (a *applier) copyStaged(staged, p string, size int64) error {
	info, err := a.t.disk.Lstat(staged)
	if err != nil {
		return err
	}
	src, err := a.t.disk.Open(staged, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	temp := tempBeside(p)
	dst, err := a.t.disk.Open(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(dst, 0), io.NewSectionReader(src, 0, size))
	if err == nil {
		err = a.t.chmod(temp, info.Mode().Perm())
	}
	if err == nil {
		err = a.t.keepAttributes(staged, temp)
	}
	if err == nil && !a.j.Sync.Off {
		err = dst.Sync()
	}
	if err = errors.Join(err, dst.Close()); err == nil {
		err = a.t.disk.Rename(temp, p)
	}
	return err
}

// freeReserve frees the space that was reserved for the steps that follow.
func (a *applier) freeReserve(context.Context) error {
	for _, area := range a.j.Areas {
		if err := a.t.remove(area.reserve()); err != nil {
			return err
		}
	}
	return nil
}

// cut truncates a file.
func (a *applier) cut(_ context.Context, s *Step) error {
	if s.Do != Truncate {
		return nil
	}
	f, err := a.t.disk.Open(string(s.Path), os.O_WRONLY, 0)
	if err == nil {
		err = errors.Join(f.Truncate(s.Size), f.Close())
	}
	if err != nil {
		return a.t.failed("truncate", string(s.Path), err)
	}
	return nil
}

// sync makes all these changes durable.
func (a *applier) sync(ctx context.Context) error {
	mode := a.j.Sync
	if mode.Off {
		return nil
	}
	if mode.FileSystem {
		if err := a.syncFileSystems(); !errors.Is(err, errNoSyncFS) {
			return err
		}
	}
	if mode.Everything {
		return a.syncEverything(ctx)
	}
	var paths []string
	for i := range a.j.Steps {
		if s := &a.j.Steps[i]; s.Do == Write || s.Do == Truncate {
			paths = append(paths, string(s.Path))
		}
	}
	if err := a.t.syncAll(ctx, paths); err != nil {
		return err
	}
	return a.syncDirs(ctx)
}

func (a *applier) syncDirs(ctx context.Context) error {
	if a.j.Sync.Off {
		return nil
	}
	var dirs []string
	for dir := range a.dirs {
		dirs = append(dirs, dir)
	}
	clear(a.dirs)
	return a.t.syncAll(ctx, dirs)
}

// syncFileSystems syncs the file systems on which something was changed, or all
// file systems of the data directory.
func (a *applier) syncFileSystems() error {
	dirs := map[string]bool{".": true}
	for i := range a.j.Steps {
		dirs[path.Dir(string(a.j.Steps[i].Path))] = true
	}
	for _, area := range a.j.Areas {
		dirs[path.Dir(string(area.Dir))] = true
	}
	if a.j.Sync.Everything {
		for f, err := range a.t.Files() {
			if err != nil {
				return err
			}
			if f.Type == pgdata.Directory || a.t.LinkPoint(f.Path) {
				dirs[f.Path] = true
			}
		}
	}
	return a.t.syncFileSystems(slices.Sorted(maps.Keys(dirs)))
}

// syncEverything syncs all files and directories.
func (a *applier) syncEverything(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(syncWorkers)
	a.t.work.begin(true, 0)
	g.Go(func() error { return a.t.syncOne(ctx, ".") })
	for f, err := range a.t.Files() {
		if err != nil {
			_ = g.Wait()
			return err
		}
		if f.Type != pgdata.Symlink {
			g.Go(func() error { return a.t.syncOne(ctx, f.Path) })
		}
	}
	return g.Wait()
}

// remove removes what the source does not have: first everything that contains
// nothing else to remove, then directories and links to them, innermost first.
func (a *applier) remove(ctx context.Context) error {
	holds := map[name]bool{}
	for i := range a.j.Steps {
		if s := &a.j.Steps[i]; s.Do == Remove {
			holds[name(path.Dir(string(s.Path)))] = true
		}
	}
	pass := func(outer bool) func(context.Context, *Step) error {
		return func(ctx context.Context, s *Step) error {
			if s.Do != Remove || holds[s.Path] != outer {
				return nil
			}
			return a.removeOne(ctx, s)
		}
	}
	if err := a.parallel(pass(false))(ctx); err != nil {
		return err
	}
	return a.each(pass(true))(ctx)
}

// removeOne removes one of them. A directory that is not empty by now stays.
func (a *applier) removeOne(ctx context.Context, s *Step) error {
	a.changed(s)
	if !a.j.Sync.Off && a.t.LinkPoint(string(s.Path)) {
		// Without the link to a tablespace, what was removed in it could no longer be made
		// durable.
		if err := a.t.syncOne(ctx, string(s.Path)); err != nil {
			return err
		}
	}
	err := a.t.remove(string(s.Path))
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
		return nil
	}
	return err
}

// finish writes backup_label and the other small files, and then the new control
// file.
func (a *applier) finish(context.Context) error {
	for _, f := range a.j.Files {
		if err := a.t.replaceFile(f.Path, f.Data, !a.j.Sync.Off); err != nil {
			return err
		}
	}
	return a.t.replaceFile(pgdata.ControlFilePath, a.j.NewControl, !a.j.Sync.Off)
}

// symlink makes a link, unless an earlier run already made it.
func (t *Target) symlink(to, p string) error {
	if have, err := t.disk.Readlink(p); err == nil && have == to {
		return nil
	}
	if err := t.disk.Symlink(to, p); err != nil {
		return t.failed("create symbolic link", p, err)
	}
	return nil
}
