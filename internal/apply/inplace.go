package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/poison"
)

// InPlace writes what the source sends directly to the target's files, for disks
// without space for a staging area. From the first change on, no server starts on
// the target, and the next run can finish the rewind, but needs a source: invariant
// I2 holds except for "with what is on the target's own disks". It is a
// source.Sink.
type InPlace struct {
	transfer
	t     *Target
	opts  Options
	notes []byte
	areas *areaMap
	open  fileCache
	flush func(File)
}

// ChangeInPlace prepares to carry out a plan, and changes nothing yet. notes is
// what the next run must know if this one is interrupted.
func (t *Target) ChangeInPlace(plan *filemap.Plan, opts Options, notes []byte) (*InPlace, error) {
	areas, err := newAreaMap(t, plan)
	if err != nil {
		return nil, err
	}
	list, err := t.spaceOf(areas.areas, areas.growth(plan, opts.Exact))
	if err != nil {
		return nil, err
	}
	if err := tooLittle(list, true); err != nil {
		return nil, err
	}
	c := &InPlace{transfer: newTransfer(plan, opts.Exact, false), t: t, opts: opts, notes: notes, areas: areas}
	c.flush = flusher(t.disk, opts.Sync)
	for _, f := range c.files {
		f.scattered = true
		f.whole, f.gathered = false, false // nothing is staged
	}
	return c, nil
}

// Begin writes the journal, makes the target unusable for a server, and then makes
// new directories and links. control is the control file with which the first run
// began. If begun is false, this run changed nothing.
func (c *InPlace) Begin(ctx context.Context, control []byte) (begun bool, err error) {
	data, err := controlfile.Parse(control)
	if err != nil {
		return false, err
	}
	now, err := c.t.rawControl()
	if err != nil {
		return false, err
	}
	again := bytes.Equal(now, poison.Of(data))
	if !again {
		if err := c.t.checkUnchanged(control); err != nil {
			return false, err
		}
		if err := c.t.cleanUp(); err != nil {
			return false, err
		}
	}
	if err := c.areas.makeTablespaces(); err != nil {
		if !again {
			_ = c.t.dropStaging()
		}
		return false, err
	}
	j := &Journal{
		Format: journalFormat, InPlace: true, Started: c.t.opened, Source: c.opts.Source, Control: control,
		Areas: []Area{{Dir: stagingDir}}, Sync: c.opts.Sync, Notes: c.notes,
	}
	err = c.t.saveJournal(j)
	if err == nil && !c.opts.Sync.Off {
		err = c.t.syncOne(ctx, ".")
	}
	if err == nil {
		err = c.checkCommittable(ctx)
	}
	if err == nil && !again {
		begun, err = c.t.poison(control, c.opts.Sync)
	}
	if err != nil {
		if !again && !begun {
			_ = c.t.dropStaging()
		}
		return begun, err
	}
	a := &applier{t: c.t, j: &Journal{Steps: c.steps(c.areas), Sync: c.opts.Sync}, dirs: map[string]bool{}}
	return true, a.each(a.makePlaces)(ctx)
}

// WriteAt writes what the source sent of a file.
func (c *InPlace) WriteAt(p string, data []byte, offset int64) error {
	_, err := c.write(p, offset, int64(len(data)), func(to File) (int64, error) {
		n, err := to.WriteAt(data, offset)
		return int64(n), err
	})
	return err
}

// CopyFrom copies bytes from a local file of the source, and returns how many it
// had: 0 if the file ends before.
func (c *InPlace) CopyFrom(p string, from *os.File, offset, length int64) (int64, error) {
	return c.write(p, offset, length, func(to File) (sum int64, err error) {
		for sum < length {
			want := min(length-sum, flushEvery)
			n, err := c.t.disk.CopyRange(to, offset+sum, from, offset+sum, want)
			if sum += n; err != nil || n < want {
				return sum, err
			}
		}
		return sum, nil
	})
}

func (c *InPlace) write(p string, offset, length int64, write func(File) (int64, error)) (n int64, err error) {
	f, err := c.ask(p, offset, length)
	if err != nil || f == nil {
		return 0, err
	}
	err = c.open.use(p, func() (File, error) { return c.openFile(f) }, func(to File) (err error) {
		if length > 0 {
			n, err = write(to)
		}
		if f.received(offset, n) {
			c.flush(to)
		}
		return err
	})
	if err != nil {
		return n, c.t.failed("write", p, err)
	}
	return n, nil
}

// openFile opens a file for writing. A file that is copied whole is truncated the
// first time.
func (c *InPlace) openFile(f *file) (File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	flags := os.O_WRONLY
	if f.entry.Action == filemap.Copy && !f.made {
		flags |= os.O_TRUNC
	}
	if info, err := c.t.disk.Lstat(f.entry.Path); err == nil && f.entry.Action == filemap.Copy && !f.made && !info.Mode().IsRegular() {
		if err := c.t.disk.Remove(f.entry.Path); err != nil { // a socket or the like cannot be written to
			return nil, err
		}
	}
	out, err := c.t.disk.Open(f.entry.Path, flags, 0)
	if errors.Is(err, fs.ErrNotExist) && f.entry.Action == filemap.Copy {
		mode, _ := c.t.modes()
		if out, err = c.t.disk.Open(f.entry.Path, flags|os.O_CREATE|os.O_EXCL, mode); err == nil {
			err = c.t.chmod(f.entry.Path, mode) // restores what the umask took away
		}
	}
	if err == nil && c.plan.IsSegment(f.entry) && !f.made {
		if err = out.Truncate(f.entry.SourceSize); err != nil { // no server reads a short segment
			err = errors.Join(err, out.Close())
		}
	}
	if err != nil {
		return nil, err
	}
	f.made = true
	return out, nil
}

// Vanished notes that the source dropped a file. Replay does not need it: the
// source's WAL has the drop.
func (c *InPlace) Vanished(p string) error { return c.markGone(p) }

// ReadFile reads a small file as it will be after the rewind. It may be called once
// everything was sent.
func (c *InPlace) ReadFile(p string) ([]byte, error) {
	if err := c.checkRemains(p); err != nil {
		return nil, err
	}
	return c.t.ReadFile(p)
}

// Open opens a file as it will be after the rewind. It may be called once
// everything was sent.
func (c *InPlace) Open(p string) (*os.File, error) {
	if err := c.checkRemains(p); err != nil {
		return nil, err
	}
	return c.t.Open(p)
}

// checkRemains returns an error for a file that the rewind removes.
func (c *InPlace) checkRemains(p string) error {
	f, e := c.files[p], c.entries[p]
	if f != nil && f.gone || e != nil && e.Action == filemap.Remove {
		return fmt.Errorf("file %q: %w", c.t.Join(p), fs.ErrNotExist)
	}
	return nil
}

// Finish truncates and removes files, makes all changes durable, and puts the final
// files in place. Then the rewind is done.
func (c *InPlace) Finish(ctx context.Context, final Final) error {
	if err := c.open.close(); err != nil {
		return fmt.Errorf("could not close a file of %q: %w", c.t.Name(), err)
	}
	if err := c.checkComplete(); err != nil {
		return err
	}
	a := &applier{
		t: c.t, dirs: map[string]bool{},
		j: &Journal{Steps: c.steps(c.areas), Areas: []Area{{Dir: stagingDir}}, Sync: c.opts.Sync, Files: final.Files, NewControl: final.Control},
	}
	for _, f := range c.files {
		if f.entry.Action == filemap.Copy { // the file may be new
			a.dirs[path.Dir(f.entry.Path)] = true
		}
	}
	return a.run(ctx)
}

// Abandon closes what is open. The target stays as it is.
func (c *InPlace) Abandon() { _ = c.open.close() }
