package target

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path"
	"sync"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// Staging collects what the source sends, beside the target's files. It is a
// source.Sink. Until Commit nothing else of the target changes (invariant I1).
type Staging struct {
	received
	t     *Target
	areas *areaMap
	opts  Options
	index *index

	blocks []*appendFile // of each area, where needed
	open   handles
	done   bool // committed or discarded
}

// Options say how changes are made.
type Options struct {
	Sync   SyncMode
	Exact  bool   // the source does not change: every byte that it listed must come
	Source string // its name, for whoever finds the journal
}

// Stage makes the staging area for a plan, in which there is then room for all
// that the source will send and for all that applying it needs. control is the
// control file that the plan was made from.
func (t *Target) Stage(ctx context.Context, plan *filemap.Plan, control []byte, opts Options) (*Staging, error) {
	if err := t.checkUnchanged(control); err != nil {
		return nil, err
	}
	if err := t.cleanUp(); err != nil {
		return nil, err
	}
	areas, err := newAreaMap(t, plan)
	if err != nil {
		return nil, err
	}
	s := &Staging{received: newReceived(plan, opts.Exact), t: t, areas: areas, opts: opts}
	rooms := areas.room(plan)
	if err := t.checkSpace(areas.areas, rooms, false); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, rooms); err != nil {
		s.Discard()
		return nil, err
	}
	return s, nil
}

func (s *Staging) prepare(ctx context.Context, rooms []room) error {
	if err := s.areas.make(); err != nil {
		return err
	}
	f, err := newAppendFile(s.t.disk, indexPath)
	if err != nil {
		return s.t.failed("create", indexPath, err)
	}
	s.index = &index{file: f}
	s.blocks = make([]*appendFile, len(s.areas.areas))
	for i, r := range rooms {
		if err := ctx.Err(); err != nil {
			return err
		}
		a := s.areas.areas[i]
		if r.blocks > 0 {
			if s.blocks[i], err = newAppendFile(s.t.disk, a.blocks()); err != nil {
				return s.t.failed("create", a.blocks(), err)
			}
		}
		if r.later > 0 {
			if err := s.t.reserve(a.reserve(), r.later); err != nil {
				return err
			}
		}
	}
	return nil
}

// reserve holds room for what applying adds to files.
func (t *Target) reserve(p string, size int64) error {
	f, err := t.disk.Open(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		err = errors.Join(t.disk.Reserve(f, size), f.Close())
	}
	if err != nil {
		return t.failed("reserve room in", p, err)
	}
	return nil
}

// WriteAt stages what the source sent of a file.
func (s *Staging) WriteAt(p string, data []byte, offset int64) error {
	f, err := s.take(p, data, offset)
	if err != nil || f == nil {
		return err
	}
	area, err := s.areas.find(path.Dir(p))
	if err != nil {
		return err
	}
	one := piece{id: uint32(f.id), length: uint32(len(data)), offset: offset, at: offset, crc: crc32.Checksum(data, castagnoli)}
	if f.whole {
		err = s.writeWhole(f, s.areas.areas[area].staged(f.id), data, offset)
	} else if len(data) > 0 {
		if one.at, err = s.blocks[area].append(data); err != nil {
			err = s.t.failed("write", s.areas.areas[area].blocks(), err)
		}
	}
	if err != nil || len(data) == 0 {
		return err
	}
	if err := s.index.add(one); err != nil {
		return s.t.failed("write", indexPath, err)
	}
	return nil
}

// writeWhole writes to a staged file, which already has the mode of the file
// that it will replace.
func (s *Staging) writeWhole(f *file, staged string, data []byte, offset int64) error {
	err := s.open.use(staged, func() (File, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.made {
			return s.t.disk.Open(staged, os.O_WRONLY, 0)
		}
		mode, err := s.t.modeOf(f.entry.Path)
		if err != nil {
			return nil, err
		}
		out, err := s.t.disk.Open(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return nil, err
		}
		f.made = true
		if err := s.t.disk.Chmod(staged, mode); err != nil { // gives back what the umask took away
			return nil, errors.Join(err, out.Close())
		}
		if err := s.rebuild(f, out); err != nil {
			return nil, errors.Join(err, out.Close())
		}
		return out, nil
	}, func(out File) error {
		if len(data) == 0 {
			return nil
		}
		_, err := out.WriteAt(data, offset)
		return err
	})
	if err != nil {
		return s.t.failed("write", staged, err)
	}
	return nil
}

// rebuild copies what stays of the target's file to the staged one.
func (s *Staging) rebuild(f *file, out File) error {
	if f.entry.Action == filemap.Copy {
		return nil
	}
	src, err := s.t.disk.Open(f.entry.Path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	for r := range f.entry.Unchanged(s.plan.Geometry) {
		if err := s.t.disk.CopyRange(out, src, r.Offset, r.Length); err != nil {
			return err
		}
		f.end = max(f.end, r.Offset+r.Length)
	}
	return nil
}

// Vanished forgets a file that the source dropped while it was being read: what
// the source's WAL says of it makes do without.
func (s *Staging) Vanished(p string) error { return s.vanish(p) }

// ReadFile reads a small file as it will be after the rewind.
func (s *Staging) ReadFile(p string) ([]byte, error) {
	f := s.files[p]
	if f == nil || !f.whole {
		if e := s.entries[p]; e != nil && e.Action == filemap.Remove {
			return nil, fmt.Errorf("file %q: %w", s.t.Join(p), fs.ErrNotExist)
		}
		return s.t.ReadFile(p)
	}
	if f.gone || !f.made {
		return nil, fmt.Errorf("file %q: %w", s.t.Join(p), fs.ErrNotExist)
	}
	area, err := s.areas.find(path.Dir(p))
	if err != nil {
		return nil, err
	}
	return s.t.ReadFile(s.areas.areas[area].staged(f.id))
}

// Discard removes the staging area, unless the rewind was committed.
func (s *Staging) Discard() {
	if s.done {
		return
	}
	s.done = true
	_ = s.close()
	_ = s.t.dropStaging() // else the next run does it
}

func (s *Staging) close() error {
	errs := []error{s.open.close()}
	if s.index != nil {
		errs = append(errs, s.index.file.f.Close())
	}
	for _, b := range s.blocks {
		if b != nil {
			errs = append(errs, b.f.Close())
		}
	}
	return errors.Join(errs...)
}

// steps says what is to be done with what was staged.
func (s *Staging) steps() ([]Step, error) {
	var steps []Step
	for i := range s.plan.Entries {
		e := &s.plan.Entries[i]
		step := Step{Path: name(e.Path), ID: i, Link: name(e.Link)}
		f := s.files[e.Path]
		switch {
		case f != nil && f.gone, e.Action == filemap.Remove:
			step.Do = Remove
		case e.Action == filemap.Create && e.Type == pgdata.Directory:
			step.Do = Mkdir
		case e.Action == filemap.Create:
			step.Do = Symlink
		case f != nil && f.whole:
			step.Do, step.Size = Replace, f.end
		case e.Action == filemap.Restore:
			step.Do, step.Size, step.Staged = Replace, e.SourceSize, name(s.areas.restored(e.Path))
		case e.Action == filemap.Truncate:
			step.Do, step.Size = Truncate, e.SourceSize
		case e.Action == filemap.CopyTail, e.Blocks != nil:
			step.Do = Write
		default:
			continue
		}
		if step.Do == Replace || step.Do == Write || step.Do == Truncate {
			var err error
			if step.Area, err = s.areas.find(path.Dir(e.Path)); err != nil {
				return nil, err
			}
			if f != nil && f.whole {
				step.Staged = name(s.areas.areas[step.Area].staged(i))
			}
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// received keeps account of what the source sent.
type received struct {
	plan    *filemap.Plan
	exact   bool
	files   map[string]*file // what the source may send
	entries map[string]*filemap.Entry
}

// file is what came of a file so far.
type file struct {
	entry *filemap.Entry
	id    int
	mu    sync.Mutex
	begun bool // something came, if only the news that it is empty
	gone  bool // the source has it no more
	made  bool // the staged file exists
	whole bool // it is staged as a file, and not in pieces
	bytes int64
	end   int64 // of what came
}

func newReceived(plan *filemap.Plan, exact bool) received {
	r := received{plan: plan, exact: exact, files: map[string]*file{}, entries: map[string]*filemap.Entry{}}
	for i := range plan.Entries {
		e := &plan.Entries[i]
		if e.Blocks != nil || e.Action == filemap.Copy || e.Action == filemap.CopyTail {
			r.files[e.Path] = &file{entry: e, id: i, whole: staysWhole(e, plan.Geometry)}
		} else if e.Type == pgdata.Regular {
			r.entries[e.Path] = e
		}
	}
	return r
}

// minRebuild is the size from which on it is worth a file of its own to write
// what changes once and not twice.
const minRebuild = 256 << 10

// staysWhole reports whether a file is staged as one: because all of it is
// copied, or because most of it is, and then the rest with it.
func staysWhole(e *filemap.Entry, g pgdata.Geometry) bool {
	return e.Action == filemap.Copy || e.SourceSize >= minRebuild && 2*e.FetchBytes(g) > e.SourceSize
}

// take accounts for a piece. It gives nil where the file is gone meanwhile.
func (r *received) take(p string, data []byte, offset int64) (*file, error) {
	f := r.files[p]
	if f == nil || !f.entry.Asks(r.plan.Geometry, offset, int64(len(data))) {
		return nil, fmt.Errorf("the source sent %d bytes of file %q at offset %d, which were not asked for", len(data), p, offset)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return nil, nil
	}
	f.begun = true
	f.bytes += int64(len(data))
	if len(data) > 0 {
		f.end = max(f.end, offset+int64(len(data)))
	}
	return f, nil
}

func (r *received) vanish(p string) error {
	f := r.files[p]
	if f == nil {
		return fmt.Errorf("the source says that file %q is gone, which was not asked for", p)
	}
	if r.exact {
		return changedSource(p)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	return nil
}

// changedSource is the error of a file that is not what a stopped source listed.
func changedSource(p string) error {
	return fmt.Errorf("file %q of the source changed while gorewind was running: leave the source alone and run gorewind again", p)
}

// checkComplete finds out what the source did not send.
func (r *received) checkComplete() error {
	for p, f := range r.files {
		switch {
		case f.gone:
		case !f.begun:
			return fmt.Errorf("the source did not send file %q: run gorewind again", p)
		case r.exact && f.bytes != f.entry.FetchBytes(r.plan.Geometry):
			return changedSource(p)
		}
	}
	return nil
}

// failed says what could not be done with which file.
func (t *Target) failed(what, p string, err error) error {
	return fmt.Errorf("could not %s %q: %w", what, t.Join(p), datadir.Reason(err))
}
