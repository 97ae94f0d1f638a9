package main

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// The floor is the least that a rewind can cost: it reads what differs, sends it, writes
// it once, removes what must be removed, and waits for the disk. It knows the plan
// beforehand, and checks and records nothing. One variant writes to the target's files.
// The other writes a new file for every large one, with what stays of it, and frees the
// old one, as a rewind must if it changes nothing before everything has arrived.
var (
	floorInPlace = contestant{name: "floor, in place", program: "floor", other: true}
	floorAnew    = contestant{name: "floor, files anew", program: "floor", options: []string{"anew"}, other: true}
)

func whoRewindsAndFloor(*pair) []contestant {
	return []contestant{theirs, ours, inPlace, floorInPlace, floorAnew}
}

// open connects to the source, or opens its directory.
func (p *pair) open(ctx context.Context) (source.Source, error) {
	if p.stopped {
		return source.OpenDir(p.source.Dir)
	}
	return pgsource.Open(ctx, p.conninfo(), pgsource.Options{})
}

// leastWork measures a variant of the floor.
func (c *contest) leastWork(one contestant) sample {
	ctx := context.Background()
	if c.plan == nil {
		src, err := c.open(ctx)
		c.t.must(err)
		r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: c.target.Dir, Source: src})
		c.t.must(err)
		c.plan = r.Plan().Files
		c.t.must(errors.Join(r.Close(), src.Close()))
	}
	target := c.fresh()
	_ = exec.Command("sync").Run()
	c.t.must(touchMemory(filepath.Dir(target.Dir), c.replica.size*3/2))
	w := &floorWork{dir: target.Dir, plan: c.plan, anew: len(one.options) > 0, files: map[string]*floorFile{}}
	begun := time.Now()
	src, err := c.open(ctx)
	c.t.must(err)
	c.t.must(w.do(ctx, src))
	s := sample{wall: time.Since(begun)}
	c.t.must(src.Close())
	return s
}

type floorWork struct {
	dir   string
	plan  *filemap.Plan
	anew  bool
	mu    sync.Mutex
	files map[string]*floorFile
}

type floorFile struct {
	entry   *filemap.Entry
	out     *os.File
	old     *os.File       // nil if the file is changed in place
	windows []*floorWindow // of a new file
}

// floorWindow is a part of a new file that is written at once.
type floorWindow struct {
	mu      sync.Mutex
	data    []byte
	missing int64
}

const windowSize = 1 << 20

func (w *floorWork) do(ctx context.Context, src source.Source) error {
	if err := src.Fetch(ctx, w.ranges(), w); err != nil {
		return err
	}
	g := errgroup.Group{}
	g.SetLimit(4)
	for i := range w.plan.Entries {
		e, f := &w.plan.Entries[i], w.files[w.plan.Entries[i].Path]
		g.Go(func() error {
			name := filepath.Join(w.dir, e.Path)
			switch {
			case e.Action == filemap.Remove:
				return os.RemoveAll(name)
			case f != nil && f.old != nil:
				return errors.Join(os.Rename(f.out.Name(), name), f.old.Close(), f.out.Close())
			case f != nil:
				return f.out.Close()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	dir, err := os.Open(w.dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(dir.Fd())), dir.Close())
}

// ranges yields what the plan fetches, and creates the files for it.
func (w *floorWork) ranges() iter.Seq[source.Range] {
	g := w.plan.Geometry
	return func(yield func(source.Range) bool) {
		for i := range w.plan.Entries {
			e := &w.plan.Entries[i]
			if e.FetchBytes(g) == 0 {
				continue
			}
			w.begin(e)
			switch e.Action {
			case filemap.Copy:
				if !yield(source.Range{Path: e.Path, Length: e.SourceSize - e.Unwritten}) {
					return
				}
			case filemap.CopyTail:
				if !yield(source.Range{Path: e.Path, Offset: e.TailStart(g), Length: e.SourceSize - e.TailStart(g)}) {
					return
				}
			}
			for r := range e.Runs(g) {
				if !yield(source.Range{Path: e.Path, Offset: r.Offset, Length: r.Length}) {
					return
				}
			}
		}
	}
}

func (w *floorWork) begin(e *filemap.Entry) {
	f := &floorFile{entry: e}
	if w.anew && e.Action != filemap.Copy && e.SourceSize > windowSize {
		f.windows = make([]*floorWindow, (e.SourceSize+windowSize-1)/windowSize)
		for i := range f.windows {
			f.windows[i] = &floorWindow{}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[e.Path] = f
}

// WriteAt writes what arrives.
func (w *floorWork) WriteAt(path string, data []byte, offset int64) error {
	w.mu.Lock()
	f := w.files[path]
	err := w.open(f)
	w.mu.Unlock()
	if err != nil {
		return err
	}
	if f.windows == nil {
		_, err := f.out.WriteAt(data, offset)
		return err
	}
	for len(data) > 0 && err == nil {
		i := offset / windowSize
		part := data[:min(int64(len(data)), (i+1)*windowSize-offset)]
		err = w.fill(f, i, part, offset)
		data, offset = data[len(part):], offset+int64(len(part))
	}
	return err
}

// Vanished is an error: nobody changes the source.
func (w *floorWork) Vanished(string) error { return fs.ErrNotExist }

func (w *floorWork) open(f *floorFile) (err error) {
	if f.out != nil {
		return nil
	}
	name := filepath.Join(w.dir, f.entry.Path)
	if f.windows == nil {
		f.out, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
		return err
	}
	if f.old, err = os.Open(name); err != nil {
		return err
	}
	if f.out, err = os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|unix.O_DIRECT, 0o600); err != nil {
		return err
	}
	return errors.Join(f.out.Truncate(f.entry.SourceSize), unix.Fallocate(int(f.out.Fd()), 0, 0, f.entry.SourceSize))
}

// fill fills a part of a window, and writes the window with the last part.
func (w *floorWork) fill(f *floorFile, i int64, part []byte, offset int64) error {
	win, at := f.windows[i], i*windowSize
	win.mu.Lock()
	defer win.mu.Unlock()
	if win.data == nil {
		win.data = make([]byte, min(windowSize, f.entry.SourceSize-at))
		win.missing = int64(len(win.data))
		for r := range f.entry.Unchanged(w.plan.Geometry, at, at+int64(len(win.data))) {
			if _, err := f.old.ReadAt(win.data[r.Offset-at:][:r.Length], r.Offset); err != nil {
				return err
			}
			win.missing -= r.Length
		}
	}
	copy(win.data[offset-at:], part)
	if win.missing -= int64(len(part)); win.missing > 0 {
		return nil
	}
	_, err := f.out.WriteAt(win.data, at)
	win.data = nil
	return err
}
