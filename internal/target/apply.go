package target

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
)

// Finish carries out the journal of a committed rewind. Every step of it can be
// done again, so it does all of them, whatever an earlier process did. In
// between the control file is unusable for a server, and the last thing is to
// put the new one in place.
func (t *Target) Finish(ctx context.Context, j *Journal, resumed bool) error {
	if j.Done {
		return t.settle(j)
	}
	if j.InPlace {
		return errors.New("the rewind that did not end was one with --in-place, which needs the source again: run it again")
	}
	for _, a := range j.Areas {
		if err := t.adopt(a); err != nil {
			return err
		}
	}
	a := &applier{t: t, j: j, dirs: map[string]bool{}}
	if resumed {
		if err := a.checkStaged(ctx); err != nil {
			return err
		}
	}
	return a.run(ctx)
}

// settle makes the end of a rewind last.
func (t *Target) settle(j *Journal) error {
	if dir := path.Dir(pgdata.ControlFilePath); !j.Sync.Off {
		if err := t.disk.Sync(dir); err != nil {
			return t.failed("fsync", dir, err)
		}
	}
	return t.dropStaging()
}

// applier carries out a journal.
type applier struct {
	t    *Target
	j    *Journal
	open handles
	dirs map[string]bool // directories in which entries were made or removed
}

func (a *applier) run(ctx context.Context) error {
	defer func() { _ = a.open.close() }()
	// No file is moved into a directory that may not last. What is to be removed
	// goes last, and the control file after it.
	for _, pass := range []func(context.Context) error{
		a.freeReserve, a.each(a.makePlaces), a.syncDirs, a.each(a.replace), a.writePieces, a.each(a.cut), a.sync,
		a.each(a.remove), a.syncDirs, a.finish,
	} {
		if err := pass(ctx); err != nil {
			return err
		}
	}
	// The rewind is done. What may be left here does no harm, and goes with the next.
	_ = a.t.dropStaging()
	return nil
}

// each does a part of every step, until the context ends.
func (a *applier) each(do func(context.Context, *Step) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for i := range a.j.Steps {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := do(ctx, &a.j.Steps[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

func (a *applier) changed(s *Step) { a.dirs[path.Dir(string(s.Path))] = true }

// makePlaces makes directories and links.
func (a *applier) makePlaces(ctx context.Context, s *Step) error {
	switch s.Do {
	case Mkdir:
		a.changed(s)
		return a.t.mkdir(string(s.Path))
	case Symlink:
		err := a.t.symlink(string(s.Link), string(s.Path))
		if err == nil && !a.j.Sync.Off {
			// Or the next run finds a tablespace in use that no link of this target leads to.
			err = a.t.syncOne(ctx, path.Dir(string(s.Path)))
		}
		return err
	}
	return nil
}

// replace renames a staged file into place. One that is not there any more was
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
		info, serr := a.t.disk.Lstat(p)
		if isData(p) && (serr != nil || info.Size() != s.Size) {
			return a.t.lost(staged, fmt.Errorf("it is gone, and %q is not what it was to become", a.t.Join(p)))
		}
		return nil
	case errors.Is(err, syscall.EXDEV):
		err = a.copyStaged(staged, p, s.Size)
	}
	if err != nil {
		return a.t.failed("replace", p, err)
	}
	return nil
}

// isData tells the files that nothing but gorewind changes while no server
// starts. Configuration and logs may not be what they were when it put them there.
func isData(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return first == "base" || first == "global" || first == pgdata.TablespaceRoot || first == "pg_wal" || first == "pg_xlog"
}

// copyStaged is a rename for where the system cannot rename, as between two
// mounts of one file system.
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
		err = a.t.disk.Chmod(temp, info.Mode().Perm())
	}
	if err == nil && !a.j.Sync.Off {
		err = dst.Sync()
	}
	if err = errors.Join(err, dst.Close()); err == nil {
		err = a.t.disk.Rename(temp, p)
	}
	return err
}

// freeReserve gives the room back that was reserved for what comes now.
func (a *applier) freeReserve(context.Context) error {
	for _, area := range a.j.Areas {
		if err := a.t.remove(area.reserve()); err != nil {
			return err
		}
	}
	return nil
}

// maxPieceLength is more than a source sends at once.
const maxPieceLength = 64 << 20

// writePieces writes changed blocks and tails.
func (a *applier) writePieces(ctx context.Context) error {
	isWritten := func(s *Step) bool { return s.Do == Write || s.Do == Truncate }
	err := a.pieces(ctx, isWritten, func(s *Step, offset int64, data []byte) error {
		to := string(s.Path)
		err := a.open.use(to, func() (File, error) { return a.t.disk.Open(to, os.O_WRONLY, 0) },
			func(f File) error { _, err := f.WriteAt(data, offset); return err })
		if err != nil {
			return a.t.failed("write", to, err)
		}
		return nil
	})
	if err == nil {
		err = a.open.close()
	}
	return err
}

// pieces reads the staged pieces of the steps that want them, and makes sure that
// they are as they were written. A file that was put in place already has none.
func (a *applier) pieces(ctx context.Context, wants func(*Step) bool, use func(s *Step, offset int64, data []byte) error) error {
	if a.j.Records == 0 {
		return nil
	}
	steps := map[uint32]*Step{}
	for i := range a.j.Steps {
		if s := &a.j.Steps[i]; wants(s) {
			steps[uint32(s.ID)] = s
		}
	}
	var staged handles
	defer func() { _ = staged.close() }()
	var buf []byte
	err := readIndex(a.t.disk, indexPath, a.j.Records, a.j.IndexCRC, func(p piece) error {
		s := steps[p.id]
		if err := ctx.Err(); err != nil || s == nil {
			return err
		}
		if p.length > maxPieceLength {
			return errDamaged
		}
		if int(p.length) > cap(buf) {
			buf = make([]byte, p.length)
		}
		buf = buf[:p.length]
		from, gone := a.j.Areas[s.Area].blocks(), false
		if s.Do == Replace {
			from = string(s.Staged)
		}
		err := staged.use(from, func() (File, error) {
			f, err := a.t.disk.Open(from, os.O_RDONLY, 0)
			if s.Do == Replace && errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
			return f, err
		}, func(f File) error {
			if gone = f == nil; gone {
				return nil
			}
			return readPiece(f, p.at, p.crc, buf)
		})
		switch {
		case errors.Is(err, errDamaged), errors.Is(err, fs.ErrNotExist):
			return a.t.lost(from, err)
		case err != nil:
			return a.t.failed("read", from, err)
		case gone:
			return nil
		}
		return use(s, p.offset, buf)
	})
	if errors.Is(err, errDamaged) && !errors.Is(err, ErrLost) {
		err = a.t.lost(indexPath, err)
	}
	return err
}

// readPiece reads what was staged, and makes sure that it is.
func readPiece(f io.ReaderAt, at int64, crc uint32, buf []byte) error {
	if _, err := f.ReadAt(buf, at); err == io.EOF {
		return errDamaged
	} else if err != nil {
		return err
	}
	if crc32.Checksum(buf, castagnoli) != crc {
		return errDamaged
	}
	return nil
}

// cut truncates.
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

// sync makes all of that durable.
func (a *applier) sync(ctx context.Context) error {
	switch mode := a.j.Sync; {
	case mode.Off:
		return nil
	case mode.FileSystem:
		return a.syncFileSystems()
	case mode.Everything:
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

// syncFileSystems syncs those that the data directory lies on.
func (a *applier) syncFileSystems() error {
	dirs := []string{"."}
	for _, area := range a.j.Areas {
		dirs = append(dirs, path.Dir(string(area.Dir)))
	}
	for f, err := range a.t.Files() {
		if err != nil {
			return err
		}
		if a.t.LinkPoint(f.Path) {
			dirs = append(dirs, f.Path)
		}
	}
	for _, dir := range dirs {
		if err := a.t.disk.SyncFS(dir); err != nil {
			return a.t.failed("sync the file system of", dir, err)
		}
	}
	return nil
}

// syncEverything syncs all files and directories.
func (a *applier) syncEverything(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(syncWorkers)
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

// remove removes what the source does not have. A directory into which somebody
// put something meanwhile stays.
func (a *applier) remove(ctx context.Context, s *Step) error {
	if s.Do != Remove {
		return nil
	}
	a.changed(s)
	if !a.j.Sync.Off && a.t.LinkPoint(string(s.Path)) {
		// With a tablespace's link goes the way to make that last what was removed in there.
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

// finish writes backup_label and whatever else comes with it, and the new
// control file.
func (a *applier) finish(context.Context) error {
	for _, f := range a.j.Files {
		if err := a.t.replaceFile(f.Path, f.Data, !a.j.Sync.Off); err != nil {
			return err
		}
	}
	return a.t.replaceFile(pgdata.ControlFilePath, a.j.NewControl, !a.j.Sync.Off)
}

// checkStaged makes sure that what an earlier process staged is as it was
// written, before anything more is done with it.
func (a *applier) checkStaged(ctx context.Context) error {
	if _, err := controlfile.Parse(a.j.NewControl); err != nil {
		return fmt.Errorf("journal %q: new control file: %w", a.t.Join(journalPath), err)
	}
	return a.pieces(ctx, func(s *Step) bool { return s.Do != Remove }, func(*Step, int64, []byte) error { return nil })
}

// symlink makes a link, or finds it made by an earlier run.
func (t *Target) symlink(to, p string) error {
	if have, err := t.disk.Readlink(p); err == nil && have == to {
		return nil
	}
	if err := t.disk.Symlink(to, p); err != nil {
		return t.failed("create symbolic link", p, err)
	}
	return nil
}
