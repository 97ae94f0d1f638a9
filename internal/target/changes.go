package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// Changes carries out a plan: Begin, then everything that the source sends to
// WriteAt and Vanished, RemoveOutdated, and Finish. It is a source.Sink.
type Changes struct {
	t       *Target
	plan    *filemap.Plan
	control []byte // the control file that the plan was made from
	poison  []byte // the same, unusable for a server
	opts    Options
	files   map[string]*fileState // what the source may send
	open    handles
	touched bool // the target was changed

	mu   sync.Mutex
	dirs map[string]bool // directories in which an entry was made or removed
}

// Options say how changes are made.
type Options struct {
	NoSync bool // leave it to the operating system when changes reach the disk
	Exact  bool // the source does not change: every byte that it listed must come
}

// fileState is what became of a file that takes data from the source.
type fileState struct {
	entry *filemap.Entry
	mu    sync.Mutex
	begun bool  // opened, and emptied if all of it is copied
	gone  bool  // the source has it no more
	bytes int64 // written so far
}

// Changes gets ready to carry out a plan, and changes nothing yet. control is the
// control file that the plan was made from.
func (t *Target) Changes(plan *filemap.Plan, control []byte, opts Options) (*Changes, error) {
	now, _, err := t.ControlFile()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(now, control) {
		return nil, fmt.Errorf("file %q: %w", t.Join(pgdata.ControlFilePath), ErrChanged)
	}
	data, err := controlfile.Parse(control)
	if err != nil {
		return nil, err
	}
	if err := t.Check(plan, data.Version); err != nil {
		return nil, err
	}
	c := &Changes{
		t: t, plan: plan, control: control, poison: data.Poisoned(), opts: opts,
		files: map[string]*fileState{}, dirs: map[string]bool{},
	}
	for i := range plan.Entries {
		if e := &plan.Entries[i]; e.Blocks != nil || e.Action == filemap.Copy || e.Action == filemap.CopyTail {
			c.files[e.Path] = &fileState{entry: e}
		}
	}
	return c, nil
}

// Touched reports whether the target is not any more as it was, by this run or
// an interrupted one.
func (c *Changes) Touched() bool { return c.touched }

// Begin puts the control file aside and makes the target unusable for a server
// until Finish; then it makes the new directories and links.
func (c *Changes) Begin(ctx context.Context) error {
	if err := c.saveControl(ctx); err != nil {
		if !c.touched { // else it is the only original
			_ = c.t.remove(savedControl)
			_ = c.t.remove(stagingDir)
		}
		return err
	}
	c.touched = true
	if err := c.t.replaceFile(pgdata.ControlFilePath, c.poison, !c.opts.NoSync); err != nil {
		return err
	}
	for i := range c.plan.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e := &c.plan.Entries[i]; e.Action == filemap.Create {
			if err := c.create(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// saveControl puts the control file aside. An interrupted run did that already,
// and then the saved one is what must not be lost.
func (c *Changes) saveControl(ctx context.Context) error {
	if _, interrupted, err := c.t.ControlFile(); err != nil || interrupted {
		c.touched = interrupted
		return err
	}
	if err := c.t.mkdir(stagingDir); err != nil {
		return err
	}
	if err := c.t.replaceFile(savedControl, c.control, !c.opts.NoSync); err != nil || c.opts.NoSync {
		return err
	}
	return c.t.syncAll(ctx, []string{"."})
}

func (c *Changes) create(e *filemap.Entry) error {
	c.changedDir(e.Path)
	if e.Type == pgdata.Directory {
		return c.t.mkdir(e.Path)
	}
	root, rest, err := c.t.Resolve(e.Path)
	if err != nil {
		return err
	}
	if have, err := root.Readlink(rest); err == nil && have == e.Link {
		return nil // made by an earlier run
	}
	if err := root.Symlink(e.Link, rest); err != nil {
		return fmt.Errorf("could not create symbolic link %q: %w", c.t.Join(e.Path), datadir.Reason(err))
	}
	c.t.Forget(e.Path)
	return nil
}

func (c *Changes) changedDir(p string) {
	c.mu.Lock()
	c.dirs[path.Dir(p)] = true
	c.mu.Unlock()
}

// WriteAt writes what the source sent of a file.
func (c *Changes) WriteAt(p string, data []byte, offset int64) error {
	f := c.files[p]
	if f == nil || !f.entry.Asks(c.plan.Geometry, offset, int64(len(data))) {
		return fmt.Errorf("the source sent %d bytes of file %q at offset %d, which were not asked for", len(data), p, offset)
	}
	return c.open.use(p, func() (*os.File, error) { return c.openFile(f) }, func(out *os.File) error {
		f.mu.Lock()
		gone := f.gone
		f.bytes += int64(len(data))
		f.mu.Unlock()
		if gone || len(data) == 0 {
			return nil
		}
		if _, err := out.WriteAt(data, offset); err != nil {
			return fmt.Errorf("could not write file %q at offset %d: %w", c.t.Join(p), offset, datadir.Reason(err))
		}
		return nil
	})
}

// openFile opens a file for writing; one that is copied whole is emptied the
// first time. There is no file, and no error, where the source has none any more.
func (c *Changes) openFile(f *fileState) (*os.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return nil, nil
	}
	root, rest, err := c.t.Resolve(f.entry.Path)
	if err != nil {
		return nil, err
	}
	flags := os.O_WRONLY
	if f.entry.Action == filemap.Copy && !f.begun {
		flags |= os.O_TRUNC
	}
	out, err := root.OpenFile(rest, flags, 0)
	if errors.Is(err, fs.ErrNotExist) && f.entry.Action == filemap.Copy {
		mode, _ := c.t.modes()
		c.changedDir(f.entry.Path)
		if out, err = root.OpenFile(rest, flags|os.O_CREATE|os.O_EXCL, mode); err == nil {
			if err = out.Chmod(mode); err != nil { // gives back what the umask took away
				_ = out.Close()
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("could not open file %q for writing: %w", c.t.Join(f.entry.Path), datadir.Reason(err))
	}
	f.begun = true
	return out, nil
}

// Vanished removes a file that the source dropped while it was being read: what
// the source's WAL says of it makes do without.
func (c *Changes) Vanished(p string) error {
	f := c.files[p]
	if f == nil {
		return fmt.Errorf("the source says that file %q is gone, which was not asked for", p)
	}
	if c.opts.Exact {
		return changedSource(p)
	}
	f.mu.Lock()
	f.gone = true
	f.mu.Unlock()
	c.changedDir(p)
	return c.t.remove(p)
}

// changedSource is the error of a file that is not what a stopped source listed.
func changedSource(p string) error {
	return fmt.Errorf("file %q of the source changed while gorewind was running: leave the source alone and run gorewind again", p)
}

// RemoveOutdated truncates and removes what the plan says, but for WAL. All
// files but WAL must have been sent.
func (c *Changes) RemoveOutdated(ctx context.Context) error { return c.cut(ctx, false) }

// cut truncates and removes, within the WAL directory or outside of it, after
// all was sent that belongs there: while something is missing, a next run still
// needs what would be removed.
func (c *Changes) cut(ctx context.Context, wal bool) error {
	if err := c.checkSent(wal); err != nil {
		return err
	}
	for i := range c.plan.Entries {
		e := &c.plan.Entries[i]
		if c.plan.IsWAL(e) != wal {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		switch e.Action {
		case filemap.Truncate:
			err = c.truncate(e)
		case filemap.Remove:
			c.changedDir(e.Path)
			err = c.t.remove(e.Path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Changes) truncate(e *filemap.Entry) error {
	if f := c.files[e.Path]; f != nil && f.gone {
		return nil
	}
	root, rest, err := c.t.Resolve(e.Path)
	if err != nil {
		return err
	}
	f, err := root.OpenFile(rest, os.O_WRONLY, 0)
	if err == nil {
		err = errors.Join(f.Truncate(e.SourceSize), f.Close())
	}
	if err != nil {
		return fmt.Errorf("could not truncate file %q to %d bytes: %w", c.t.Join(e.Path), e.SourceSize, datadir.Reason(err))
	}
	return nil
}

// Finish removes outdated WAL, makes all changes durable, and puts backup_label
// and the new control file in place: the rewind is done.
func (c *Changes) Finish(ctx context.Context, control, label []byte) error {
	if err := c.open.close(); err != nil {
		return fmt.Errorf("could not close a file: %w", err)
	}
	if err := c.cut(ctx, true); err != nil {
		return err
	}
	if !c.opts.NoSync {
		if err := c.t.syncAll(ctx, c.dirty()); err != nil {
			return err
		}
	}
	if err := c.t.replaceFile(pgdata.BackupLabelPath, label, !c.opts.NoSync); err != nil {
		return err
	}
	if err := c.t.replaceFile(pgdata.ControlFilePath, control, !c.opts.NoSync); err != nil {
		return err
	}
	// The rewind is done. What may be left here does no harm, and goes with the next.
	_ = c.t.remove(savedControl)
	_ = c.t.remove(stagingDir)
	return nil
}

// checkSent finds out what the source did not send.
func (c *Changes) checkSent(wal bool) error {
	for p, f := range c.files {
		switch {
		case f.gone || c.plan.IsWAL(f.entry) != wal:
		case !f.begun:
			return fmt.Errorf("the source did not send file %q: run gorewind again", p)
		case c.opts.Exact && f.bytes != f.entry.FetchBytes(c.plan.Geometry):
			return changedSource(p)
		}
	}
	return nil
}

// dirty lists what must be fsynced.
func (c *Changes) dirty() []string {
	var paths []string
	for p, f := range c.files {
		if !f.gone {
			paths = append(paths, p)
		}
	}
	for i := range c.plan.Entries {
		if e := &c.plan.Entries[i]; e.Action == filemap.Truncate && e.Blocks == nil {
			paths = append(paths, e.Path)
		}
	}
	for dir := range c.dirs {
		paths = append(paths, dir)
	}
	return paths
}

// Abandon closes what is open. The target stays as it is: unusable for a server
// until another run finishes.
func (c *Changes) Abandon() { _ = c.open.close() }
