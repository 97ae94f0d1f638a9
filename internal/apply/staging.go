package apply

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/filemap"
)

// Staging stores what the source sends next to the target's files. It is a
// source.Sink. Until Commit, nothing else in the target changes (invariant I1).
type Staging struct {
	transfer
	t     *Target
	areas *areaMap
	opts  Options
	index *index

	blocks  []*blocksFile // one for each area that needs it
	open    fileCache     // staged files
	direct  fileCache     // staged files, opened for direct I/O
	old     fileCache     // the target's files that are rebuilt
	flush   func(File)
	copies  errgroup.Group // copying what stays in rebuilt files
	writes  writers        // writing chunks
	waiting openChunks
	done    bool // committed or discarded

	buffered atomic.Bool // no direct I/O: it is refused or useless
}

// Options say how changes are made.
type Options struct {
	Sync   SyncMode
	Exact  bool   // the source does not change: every byte that it listed must come
	Source string // its name, for the journal
}

// Stage makes the staging area for a plan, with enough space for everything that
// the source will send and that applying needs. control is the control file from
// which the plan was made.
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
	spaces, list, rebuild, err := t.stagingSpace(areas, plan, opts.Exact)
	if err != nil {
		return nil, err
	}
	if err := tooLittle(list, false); err != nil {
		return nil, err
	}
	s := &Staging{transfer: newTransfer(plan, opts.Exact, rebuild), t: t, areas: areas, opts: opts}
	s.flush = flusher(t.disk, opts.Sync)
	s.buffered.Store(opts.Sync.Off) // then the cache is faster
	s.copies.SetLimit(workers())
	if err := s.prepare(ctx, spaces); err != nil {
		s.Discard()
		return nil, err
	}
	return s, nil
}

func (s *Staging) prepare(ctx context.Context, spaces []areaSpace) error {
	if err := s.areas.make(); err != nil {
		return err
	}
	var err error
	if s.index, err = newIndex(s.t.disk, indexPath); err != nil {
		s.index = nil
		return s.t.failed("create", indexPath, err)
	}
	s.blocks = make([]*blocksFile, len(s.areas.areas))
	for i, r := range spaces {
		if err := ctx.Err(); err != nil {
			return err
		}
		a := s.areas.areas[i]
		if r.blocks > 0 {
			if s.blocks[i], err = newBlocksFile(s.t.disk, a.blocks()); err != nil {
				s.blocks[i] = nil
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

// reserve reserves space for what applying adds to files.
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

// WriteAt stages what the source sent of a file, in pieces that are not longer than the
// index allows.
func (s *Staging) WriteAt(p string, data []byte, offset int64) error {
	for len(data) > flushEvery {
		if err := s.writeAt(p, data[:flushEvery], offset); err != nil {
			return err
		}
		data, offset = data[flushEvery:], offset+flushEvery
	}
	return s.writeAt(p, data, offset)
}

func (s *Staging) writeAt(p string, data []byte, offset int64) error {
	f, area, err := s.wanted(p, offset, int64(len(data)))
	if err != nil || f == nil {
		return err
	}
	one := piece{id: uint32(f.id), offset: offset, at: offset, length: uint32(len(data)), crc: crc32.Checksum(data, castagnoli)}
	write := func(to File, at, length int64) (int64, error) {
		n, err := to.WriteAt(data[at-offset:][:length], at)
		return int64(n), err
	}
	switch {
	case f.gathered:
		_, err = s.gather(f, offset, int64(len(data)), func(into []byte, at int64) (int, error) { return copy(into, data[at-offset:]), nil }, write)
	case f.whole:
		_, err = s.writeWhole(f, offset, func(to File) (int64, error) { return write(to, offset, int64(len(data))) })
	case len(data) > 0:
		b := s.blocks[area]
		if one.at, err = b.append(data); err != nil {
			return s.t.failed("write", s.areas.areas[area].blocks(), err)
		}
		s.blockReceived(f, b, offset, int64(len(data)))
	}
	if err != nil {
		return err
	}
	return s.note(one)
}

// CopyFrom stages bytes of a local file of the source, and returns how many it had:
// 0 if the file ends before. They have no CRC: the fsync before the commit and the
// staged file's size vouch for them.
func (s *Staging) CopyFrom(p string, from *os.File, offset, length int64) (int64, error) {
	var sum int64
	for sum < length {
		want := min(length-sum, flushEvery)
		n, err := s.copyFrom(p, from, offset+sum, want)
		if sum += n; err != nil || n < want {
			return sum, err
		}
	}
	return sum, nil
}

func (s *Staging) copyFrom(p string, from *os.File, offset, length int64) (n int64, err error) {
	f, area, err := s.wanted(p, offset, length)
	if err != nil || f == nil {
		return 0, err
	}
	one := piece{id: uint32(f.id), offset: offset, at: offset, unread: true}
	write := func(to File, at, length int64) (int64, error) { return s.t.disk.CopyRange(to, at, from, at, length) }
	switch {
	case f.gathered:
		n, err = s.gather(f, offset, length, from.ReadAt, write)
	case f.whole:
		n, err = s.writeWhole(f, offset, func(to File) (int64, error) { return write(to, offset, length) })
	default:
		b := s.blocks[area]
		one.at = b.take(length)
		if n, err = s.t.disk.CopyRange(b.f, one.at, from, offset, length); err != nil {
			err = s.t.failed("write", s.areas.areas[area].blocks(), err)
		}
		s.blockReceived(f, b, offset, n)
	}
	if err != nil || n == 0 {
		return n, err
	}
	one.length = uint32(n)
	return n, s.note(one)
}

// wanted returns the file of a piece and the area in which it is staged. f is nil
// if the source has dropped the file meanwhile.
func (s *Staging) wanted(p string, offset, length int64) (f *file, area int, err error) {
	if f, err = s.ask(p, offset, length); err != nil || f == nil {
		return nil, 0, err
	}
	area, err = s.areas.find(path.Dir(p))
	return f, area, err
}

// writeWhole writes a piece to its place in a file that is staged whole, and returns
// how many bytes it had.
func (s *Staging) writeWhole(f *file, offset int64, write func(File) (int64, error)) (n int64, err error) {
	err = s.useStaged(f, func(to File) (err error) {
		n, err = write(to)
		if f.received(offset, n) {
			s.flush(to)
		}
		return err
	})
	return n, err
}

// useStaged calls write with a staged file.
func (s *Staging) useStaged(f *file, write func(File) error) error {
	staged, err := s.stagedPath(f)
	if err != nil {
		return err
	}
	if err := s.open.use(staged, func() (File, error) { return s.openStaged(f, staged) }, write); err != nil {
		return s.t.failed("write", staged, err)
	}
	return nil
}

// blockReceived accounts for a piece that lies among the blocks.
func (s *Staging) blockReceived(f *file, b *blocksFile, offset, n int64) {
	f.received(offset, n)
	if b.wrote(n) {
		s.flush(b.f)
	}
}

// note adds a piece to the index.
func (s *Staging) note(one piece) error {
	if one.length == 0 {
		return nil
	}
	if err := s.index.add(one); err != nil {
		return s.t.failed("write", indexPath, err)
	}
	return nil
}

// openStaged opens a staged file. The first time, it creates it with the mode of
// the file that it will replace, and starts to copy what stays from that file.
func (s *Staging) openStaged(f *file, staged string) (File, error) {
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
	if errors.Is(err, fs.ErrExist) { // left by a run whose list of areas was lost
		if err = s.t.disk.Remove(staged); err == nil {
			out, err = s.t.disk.Open(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		}
	}
	if err != nil {
		return nil, err
	}
	f.made = true
	if err = s.t.chmod(staged, mode); err == nil { // restores what the umask took away
		err = s.t.keepAttributes(f.entry.Path, staged)
	}
	if size := f.entry.SourceSize - f.entry.Unwritten; err == nil && size >= minAllocate {
		s.t.disk.Allocate(out, size)
	}
	if err == nil && (f.gathered || s.plan.IsSegment(f.entry)) {
		// No server reads a short WAL segment: what the source has not written becomes a
		// hole. Chunks are written in any order, and direct writes that extend a file wait
		// for each other.
		err = out.Truncate(f.entry.SourceSize)
	}
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	if f.entry.Action != filemap.Copy {
		s.copies.Go(func() error { return s.useStaged(f, func(out File) error { return s.copyUntouched(f, out) }) })
	}
	return out, nil
}

// Vanished forgets a file that the source dropped while it was being read. Replay
// does not need it: the source's WAL has the drop.
func (s *Staging) Vanished(p string) error { return s.markGone(p) }

// ReadFile reads a small file as it will be after the rewind.
func (s *Staging) ReadFile(p string) ([]byte, error) {
	at, err := s.place(p)
	if err != nil {
		return nil, err
	}
	return s.t.ReadFile(at)
}

// Open opens a file that is staged whole or does not change, as it will be after
// the rewind.
func (s *Staging) Open(p string) (*os.File, error) {
	at, err := s.place(p)
	if err != nil {
		return nil, err
	}
	return s.t.Open(at)
}

// place returns where a file is now.
func (s *Staging) place(p string) (string, error) {
	f := s.files[p]
	if f == nil || !f.whole {
		if e := s.entries[p]; e != nil && e.Action == filemap.Remove {
			return "", fmt.Errorf("file %q: %w", s.t.Join(p), fs.ErrNotExist)
		}
		return p, nil
	}
	if f.gone || !f.made {
		return "", fmt.Errorf("file %q: %w", s.t.Join(p), fs.ErrNotExist)
	}
	return s.stagedPath(f)
}

// stagedPath returns where a file is staged.
func (s *Staging) stagedPath(f *file) (string, error) {
	area, err := s.areas.find(path.Dir(f.entry.Path))
	if err != nil {
		return "", err
	}
	return s.areas.areas[area].staged(f.id), nil
}

// Discard removes the staging area, unless the rewind was committed.
func (s *Staging) Discard() {
	if s.done {
		return
	}
	s.done = true
	_ = s.close()
	_ = s.t.dropStaging() // otherwise the next run does it
}

func (s *Staging) close() error {
	errs := []error{s.writes.wait(), s.copies.Wait(), s.open.close(), s.direct.close(), s.old.close()}
	if s.index != nil {
		errs = append(errs, s.index.f.Close())
	}
	for _, b := range s.blocks {
		if b != nil {
			errs = append(errs, b.close())
		}
	}
	return errors.Join(errs...)
}

// steps returns the steps that remain to be done, with the places of what was
// staged.
func (s *Staging) steps() ([]Step, error) {
	steps := s.transfer.steps(s.areas)
	for i := range steps {
		step := &steps[i]
		if step.Do != Replace && step.Do != Write && step.Do != Truncate {
			continue
		}
		var err error
		if step.Area, err = s.areas.find(path.Dir(string(step.Path))); err != nil {
			return nil, err
		}
		if step.Do == Replace && step.Staged == "" {
			step.Staged = name(s.areas.areas[step.Area].staged(step.ID))
		}
	}
	return steps, nil
}
