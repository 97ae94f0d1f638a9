package apply

import (
	"errors"
	"io"
	"os"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// Writing single blocks is expensive: each takes a system call, and page cache pages
// that are allocated, filled and written one by one. So a large file is assembled in
// memory from what is sent and what stays, and written in chunks, with direct I/O if
// the file system can do that.

// chunkSize is how much of a file is written at once, in bytes. Larger writes are no
// faster.
const chunkSize = 512 << 10

// directAlignment is the alignment, in bytes, that direct I/O requires of offsets and
// lengths on all known file systems. It requires it of addresses, too: Go aligns
// allocations as large as a chunk to pages. If it ever does not, direct writes are
// refused and made through the cache.
const directAlignment = 4096

// maxWrites is how many chunks are written at once, enough to keep a disk busy.
const maxWrites = 4

// maxOpen is how many incomplete chunks are kept: more than all connections fill at
// once. If there are more, the oldest is written incomplete, and its later pieces are
// written one by one.
const maxOpen = 128

// chunk is a part of a staged file that is not complete yet.
type chunk struct {
	file *file
	buf  *[chunkSize]byte
	at   int64  // in the file
	data []byte // the used part of buf

	filling sync.Mutex // guards data

	// The file's lock guards these.
	have  []filemap.Span // the parts that are filled, in order, adjacent ones combined
	users int            // how many goroutines are about to fill a part
}

var chunkBuffers = sync.Pool{New: func() any { return new([chunkSize]byte) }}

func newChunk(f *file, at int64) *chunk {
	buf := chunkBuffers.Get().(*[chunkSize]byte)
	return &chunk{file: f, buf: buf, at: at, data: buf[:min(chunkSize, f.entry.SourceSize-at)]}
}

// add notes that a part is filled. It may have been filled before.
func (c *chunk) add(part filemap.Span) {
	if part.Length == 0 {
		return
	}
	start, end := part.Offset, part.Offset+part.Length
	from := sort.Search(len(c.have), func(i int) bool { return c.have[i].Offset+c.have[i].Length >= start })
	to := from
	for ; to < len(c.have) && c.have[to].Offset <= end; to++ {
		start, end = min(start, c.have[to].Offset), max(end, c.have[to].Offset+c.have[to].Length)
	}
	c.have = slices.Replace(c.have, from, to, filemap.Span{Offset: start, Length: end - start})
}

// complete reports whether everything is filled and nobody is about to change it.
func (c *chunk) complete() bool {
	return c.users == 0 && len(c.have) == 1 && c.have[0].Length == int64(len(c.data))
}

// done removes a chunk from its file's open chunks: it is about to be written.
func (c *chunk) done() {
	delete(c.file.chunks, c.at)
	c.file.written.Add(numberOf(c.at))
}

// numberOf returns the number of the chunk that contains an offset.
func numberOf(at int64) pgdata.BlockNumber { return pgdata.BlockNumber(at / chunkSize) }

func (c *chunk) free() { chunkBuffers.Put(c.buf) }

// gathers reports whether a file is assembled in chunks: a large one that is not
// copied completely.
func gathers(e *filemap.Entry) bool {
	return e.Action != filemap.Copy && e.SourceSize >= minRebuild
}

// gather puts a piece of a file into its chunks. read reads bytes of the piece, by their
// offset in the file; fewer if it ends. write writes bytes whose chunk was already
// written, because there were too many chunks or the source sent something twice. n is how
// many bytes there were.
func (s *Staging) gather(f *file, offset, length int64, read func(into []byte, at int64) (int, error), write func(to File, at, length int64) (int64, error)) (n int64, err error) {
	for n < length {
		c, begun, err := s.chunkOf(f, offset+n)
		if err != nil {
			return n, err
		}
		if c == nil {
			at := offset + n
			part := min(length-n, chunkSize-at%chunkSize)
			wrote, err := s.writeWhole(f, at, func(to File) (int64, error) { return write(to, at, part) })
			if n += wrote; err != nil || wrote < part {
				return n, err
			}
			continue
		}
		if begun {
			err = s.fillGaps(f, c)
		}
		var got int
		if err == nil {
			into := c.data[offset+n-c.at:]
			c.filling.Lock() // the source may send the same part twice at the same time
			got, err = read(into[:min(int64(len(into)), length-n)], offset+n)
			c.filling.Unlock()
		}
		part := filemap.Span{Offset: offset + n, Length: int64(got)}
		f.received(part.Offset, part.Length)
		n += part.Length
		if werr := s.leave(f, c, part); werr != nil {
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

// chunkOf returns the chunk of an offset, and begins it if necessary. c is nil if the
// chunk was already written.
func (s *Staging) chunkOf(f *file, offset int64) (c *chunk, begun bool, err error) {
	if err := s.writes.failed(); err != nil {
		return nil, false, err
	}
	if c, begun = f.chunkAt(offset / chunkSize * chunkSize); begun {
		err = s.makeRoom(c)
	}
	return c, begun, err
}

func (f *file) chunkAt(at int64) (c *chunk, begun bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.written.Has(numberOf(at)) {
		return nil, false
	}
	c = f.chunks[at]
	if c == nil {
		if f.chunks == nil {
			f.chunks = map[int64]*chunk{}
		}
		c, begun = newChunk(f, at), true
		f.chunks[at] = c
	}
	c.users++
	return c, begun
}

// makeRoom adds an incomplete chunk. If there are too many, it writes the oldest.
func (s *Staging) makeRoom(c *chunk) error {
	oldest := s.waiting.add(c)
	if oldest == nil {
		return nil
	}
	return s.writes.start(func() error { return s.writeChunk(oldest.file, oldest) })
}

// openChunks are the incomplete chunks, oldest first.
type openChunks struct {
	mu  sync.Mutex
	all []*chunk
}

// add adds a chunk. If there are too many, it returns the oldest that is not in
// use, which must be written.
func (o *openChunks) add(c *chunk) (oldest *chunk) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, c)
	if len(o.all) <= maxOpen {
		return nil
	}
	i := slices.IndexFunc(o.all, (*chunk).leaveUnused)
	if i < 0 {
		return nil
	}
	oldest = o.all[i]
	o.all = slices.Delete(o.all, i, i+1)
	return oldest
}

func (o *openChunks) remove(c *chunk) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.all, c); i >= 0 {
		o.all = slices.Delete(o.all, i, i+1)
	}
}

// leaveUnused removes a chunk from its file, unless it is in use or already removed.
func (c *chunk) leaveUnused() bool {
	c.file.mu.Lock()
	defer c.file.mu.Unlock()
	if c.users > 0 || c.file.chunks[c.at] != c {
		return false
	}
	c.done()
	return true
}

// leave notes that a part of a chunk is filled. With the last part, it writes the
// chunk.
func (s *Staging) leave(f *file, c *chunk, part filemap.Span) error {
	f.mu.Lock()
	c.users--
	c.add(part)
	complete := c.complete()
	if complete {
		c.done()
	}
	f.mu.Unlock()
	if !complete {
		return nil
	}
	s.waiting.remove(c)
	return s.writes.start(func() error { return s.writeChunk(f, c) })
}

// fillGaps fills the parts of a chunk that stay from the target's file.
func (s *Staging) fillGaps(f *file, c *chunk) error {
	old := f.entry.Path
	err := s.old.use(old, func() (File, error) { return s.t.disk.Open(old, os.O_RDONLY, 0) }, func(src File) error {
		for r := range f.entry.Unchanged(s.plan.Geometry, c.at, c.at+int64(len(c.data))) {
			into := c.data[r.Offset-c.at:][:r.Length]
			if n, err := src.ReadAt(into, r.Offset); n < len(into) {
				if errors.Is(err, io.EOF) {
					err = ErrChanged
				}
				return err
			}
			f.copied(r.Offset, r.Length)
			f.mu.Lock()
			c.add(r)
			f.mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return s.t.failed("read", old, err)
	}
	return nil
}

// writeChunk writes the filled parts of a chunk, which nobody uses any more, and
// frees it.
func (s *Staging) writeChunk(f *file, c *chunk) error {
	defer c.free()
	for _, part := range c.have {
		if err := s.writePart(f, c.data[part.Offset-c.at:][:part.Length], part.Offset); err != nil {
			return err
		}
	}
	return nil
}

// writePart writes to a staged file, with direct I/O if possible.
func (s *Staging) writePart(f *file, data []byte, at int64) error {
	write := func(to File) error { _, err := to.WriteAt(data, at); return err }
	return s.useStaged(f, func(to File) error {
		if openDirect == 0 || at%directAlignment != 0 || len(data)%directAlignment != 0 || s.buffered.Load() {
			return write(to)
		}
		staged, err := s.stagedPath(f)
		if err != nil {
			return err
		}
		err = s.direct.use(staged, func() (File, error) { return s.t.disk.Open(staged, os.O_WRONLY|openDirect, 0) }, write)
		if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
			s.buffered.Store(true) // this file system has no direct I/O, or needs another alignment
			return write(to)
		}
		return err
	})
}

// writeRest writes the chunks that remained incomplete because the source's file had
// become shorter, and truncates files to their final length. That length is only known
// when all copying has ended; and opening a file for the first time, even to write a
// chunk, starts its copying.
func (s *Staging) writeRest() error {
	if err := s.writes.wait(); err != nil {
		return err
	}
	var came []*file
	for _, f := range s.files {
		if !f.gathered || f.gone || !f.begun {
			continue
		}
		came = append(came, f)
		for _, c := range f.chunks {
			if err := s.writeChunk(f, c); err != nil {
				return err
			}
		}
		if f.made {
			continue
		}
		if err := s.useStaged(f, func(File) error { return nil }); err != nil {
			return err
		}
	}
	if err := s.copies.Wait(); err != nil {
		return err
	}
	for _, f := range came {
		if f.end >= f.entry.SourceSize {
			continue
		}
		if err := s.useStaged(f, func(to File) error { return to.Truncate(f.end) }); err != nil {
			return err
		}
	}
	return nil
}

// copyUntouched copies the chunks of the target's file that do not change.
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
			if f.copied(at, n) {
				s.flush(out)
			}
			at += n
		}
	}
	return nil
}

// untouched reports whether the whole chunk at an offset is the same in the target's
// file.
func (s *Staging) untouched(e *filemap.Entry, at int64) bool {
	length := min(chunkSize, e.SourceSize-at)
	for r := range e.Unchanged(s.plan.Geometry, at, at+length) {
		return r.Length == length
	}
	return false
}

// writers write chunks while others are filled.
type writers struct {
	group errgroup.Group
	once  sync.Once
	first atomic.Pointer[error]
}

// start starts a write, as soon as fewer than maxWrites are running.
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

// failed returns the first error so far.
func (w *writers) failed() error {
	if err := w.first.Load(); err != nil {
		return *err
	}
	return nil
}

func (w *writers) wait() error { return w.group.Wait() }
