package target

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/filemap"
)

// Pieces of a few blocks cost the kernel more than what is in them: a system call
// each, and pages of the cache that are allocated, filled and written on their own. So
// what comes of a large file, and what stays of it between, is put together in memory
// and written in chunks, past the cache where the file system can do that.

// chunkSize is how much of a file is written at once, in bytes. Disks are as fast with
// it as with more.
const chunkSize = 512 << 10

// directAlignment is what direct writes ask of addresses, offsets and lengths, on every
// file system that is known.
const directAlignment = 4096

// maxWrites is how many chunks are being written at once: what keeps a disk busy.
const maxWrites = 4

// chunk is a part of a staged file that is not complete yet.
type chunk struct {
	buf  *[chunkSize + directAlignment]byte
	at   int64  // in the file
	data []byte // what is in buf, aligned
	left int64  // bytes that are still to come; guarded by the file's lock
}

var chunkBuffers = sync.Pool{New: func() any { return new([chunkSize + directAlignment]byte) }}

func newChunk(at, length int64) *chunk {
	c := &chunk{buf: chunkBuffers.Get().(*[chunkSize + directAlignment]byte), at: at, left: length}
	skip := -uintptr(unsafe.Pointer(c.buf)) % directAlignment
	c.data = c.buf[skip : skip+uintptr(length)]
	clear(c.data) // what does not come is a hole
	return c
}

func (c *chunk) free() { chunkBuffers.Put(c.buf) }

// gathers reports whether a file is put together in chunks. WAL is not: it is read
// again at once.
func gathers(e *filemap.Entry, plan *filemap.Plan) bool {
	return e.Action != filemap.Copy && e.SourceSize >= minRebuild
}

// gather puts a piece of a file into the chunks that it belongs to. read gives bytes of
// it, by their offset in the file; it is short where there are no more. What lies
// beyond the size that the source listed is not taken: n says how much was.
func (s *Staging) gather(f *file, offset, length int64, read func(into []byte, at int64) (int, error)) (n int64, err error) {
	for end := min(offset+length, f.entry.SourceSize); offset+n < end; {
		c, begun, err := s.chunkOf(f, offset+n)
		if err != nil {
			return n, err
		}
		if begun {
			if err := s.fillGaps(f, c); err != nil {
				return n, err
			}
		}
		into := c.data[offset+n-c.at:]
		got, err := read(into[:min(int64(len(into)), end-offset-n)], offset+n)
		f.got(offset+n, int64(got))
		n += int64(got)
		if werr := s.came(f, c, int64(got)); werr != nil {
			return n, werr
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		if got == 0 {
			break
		}
	}
	return n, nil
}

// chunkOf finds the chunk of an offset, or begins it.
func (s *Staging) chunkOf(f *file, offset int64) (c *chunk, begun bool, err error) {
	if err := s.writes.failed(); err != nil {
		return nil, false, err
	}
	at := offset / chunkSize * chunkSize
	f.mu.Lock()
	defer f.mu.Unlock()
	if c = f.chunks[at]; c != nil {
		return c, false, nil
	}
	c = newChunk(at, min(chunkSize, f.entry.SourceSize-at))
	if f.chunks == nil {
		f.chunks = map[int64]*chunk{}
	}
	f.chunks[at] = c
	return c, true, nil
}

// came accounts for bytes of a chunk, and has it written with the last of them.
func (s *Staging) came(f *file, c *chunk, n int64) error {
	f.mu.Lock()
	c.left -= n
	complete := c.left <= 0 && f.chunks[c.at] == c
	if complete {
		delete(f.chunks, c.at)
	}
	f.mu.Unlock()
	if !complete {
		return nil
	}
	return s.writes.start(func() error {
		defer c.free()
		return s.writeChunk(f, c.at, c.data)
	})
}

// fillGaps reads what stays of the target's file within a chunk.
func (s *Staging) fillGaps(f *file, c *chunk) error {
	if f.entry.Action == filemap.Copy {
		return nil
	}
	old := f.entry.Path
	var sum int64
	err := s.old.use(old, func() (File, error) { return s.t.disk.Open(old, os.O_RDONLY, 0) }, func(src File) error {
		for r := range f.entry.Unchanged(s.plan.Geometry, c.at, c.at+int64(len(c.data))) {
			into := c.data[r.Offset-c.at:][:r.Length]
			if n, err := src.ReadAt(into, r.Offset); n < len(into) {
				if errors.Is(err, io.EOF) {
					err = ErrChanged
				}
				return err
			}
			f.keeps(r.Offset, r.Length)
			sum += r.Length
		}
		return nil
	})
	if err != nil {
		return s.t.failed("read", old, err)
	}
	return s.came(f, c, sum)
}

// writeChunk writes to a staged file, past the cache where that can be done.
func (s *Staging) writeChunk(f *file, at int64, data []byte) error {
	write := func(to File) error { _, err := to.WriteAt(data, at); return err }
	return s.useStaged(f, func(to File) error {
		if os.Getenv("GWBUF") != "" || openDirect == 0 || len(data)%directAlignment != 0 || s.buffered.Load() {
			return write(to)
		}
		staged, err := s.stagedPath(f)
		if err != nil {
			return err
		}
		err = s.direct.use(staged, func() (File, error) { return s.t.disk.Open(staged, os.O_WRONLY|openDirect, 0) }, write)
		if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
			s.buffered.Store(true) // this file system cannot, or not so
			return write(to)
		}
		return err
	})
}

// writeRest writes the chunks that did not become complete, because the source's file
// was shorter than it had been, and gives files the length that they have.
func (s *Staging) writeRest() error {
	for _, f := range s.files {
		if !f.gathered || f.gone || !f.made && len(f.chunks) == 0 {
			continue
		}
		for at, c := range f.chunks {
			if n := min(int64(len(c.data)), f.end-at); n > 0 {
				if err := s.writeChunk(f, at, c.data[:n]); err != nil {
					return err
				}
			}
			c.free()
		}
		clear(f.chunks)
		if f.end >= f.entry.SourceSize {
			continue
		}
		if err := s.useStaged(f, func(to File) error { return to.Truncate(f.end) }); err != nil {
			return err
		}
	}
	return nil
}

// copyUntouched copies what stays of the target's file in the chunks of which nothing
// comes.
func (s *Staging) copyUntouched(f *file, out File) error {
	src, err := s.t.disk.Open(f.entry.Path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	size := f.entry.SourceSize
	for at, end := int64(0), int64(0); at < size; at = end + chunkSize {
		for end = at; end < size && s.untouched(f.entry, end); {
			end = min(end+chunkSize, size)
		}
		for at < end {
			n, err := s.t.disk.CopyRange(out, at, src, at, min(end-at, flushEvery))
			if err != nil {
				return err
			}
			if n == 0 {
				return ErrChanged
			}
			if f.keeps(at, n) {
				s.flush(out)
			}
			at += n
		}
	}
	return nil
}

// untouched reports whether all of the chunk at an offset stays as the target has it.
func (s *Staging) untouched(e *filemap.Entry, at int64) bool {
	length := min(chunkSize, e.SourceSize-at)
	for r := range e.Unchanged(s.plan.Geometry, at, at+length) {
		return r.Length == length
	}
	return false
}

// writers are those who write chunks while others come.
type writers struct {
	group errgroup.Group
	once  sync.Once
	first atomic.Pointer[error]
}

// start waits until there is somebody to do it.
func (w *writers) start(write func() error) error {
	w.once.Do(func() { w.group.SetLimit(maxWrites) })
	w.group.Go(func() error {
		err := write()
		if err != nil {
			w.first.CompareAndSwap(nil, &err)
		}
		return err
	})
	return w.failed()
}

// failed is the first error so far.
func (w *writers) failed() error {
	if err := w.first.Load(); err != nil {
		return *err
	}
	return nil
}

func (w *writers) wait() error { return w.group.Wait() }
