package apply

import (
	"fmt"
	"sync"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
)

// transfer keeps account of what the source sent.
type transfer struct {
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
	// gathered says that it is written in chunks.
	gathered bool
	chunks   map[int64]*chunk // by offset, until they are written
	written  pgdata.BlockSet  // their numbers
	bytes    int64            // that came
	kept     int64            // bytes that were copied from the target's file
	end      int64            // of both
	dirty    int64            // bytes since it was flushed
	// scattered says that what comes is written over what is there.
	scattered bool
}

func newTransfer(plan *filemap.Plan, exact, rebuild bool) transfer {
	r := transfer{plan: plan, exact: exact, files: map[string]*file{}, entries: map[string]*filemap.Entry{}}
	for i := range plan.Entries {
		e := &plan.Entries[i]
		if e.Blocks != nil || e.Action == filemap.Copy || e.Action == filemap.CopyTail {
			whole := staysWhole(e, plan.Geometry, rebuild)
			r.files[e.Path] = &file{entry: e, id: i, whole: whole, gathered: whole && gathers(e)}
		} else if e.Type == pgdata.Regular {
			r.entries[e.Path] = e
		}
	}
	return r
}

// A file of which more than one part in rebuildShare comes is rebuilt: the rest is copied
// beside it, and all of it is written once, in order. The pieces of others are written
// twice, and the second time to where they belong. The more there are, the more that
// costs: ARCHITECTURE.md has the measurements. Files smaller than minRebuild bytes are not
// worth it.
const (
	rebuildShare = 3
	minRebuild   = 256 << 10
)

// staysWhole reports whether a file is staged as one: because all of it is copied, or
// because it is rebuilt, if there is room for that.
func staysWhole(e *filemap.Entry, g pgdata.Geometry, rebuild bool) bool {
	return e.Action == filemap.Copy || rebuild && e.SourceSize >= minRebuild && rebuildShare*e.FetchBytes(g) > e.SourceSize
}

// ask finds the file of a piece that comes. It gives nil where the file is gone
// meanwhile.
func (r *transfer) ask(p string, offset, length int64) (*file, error) {
	f := r.files[p]
	if f == nil || !decide.Asks(f.entry, r.plan.Geometry, offset, length) {
		return nil, fmt.Errorf("the source sent %d bytes of file %q at offset %d, which were not asked for", length, p, offset)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return nil, nil
	}
	f.begun = true
	return f, nil
}

// received accounts for a piece that came, and says whether the file is to be flushed.
func (f *file) received(offset, length int64) (flush bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes += length
	return f.wrote(offset, length)
}

// copied accounts for a piece of the target's file that was copied.
func (f *file) copied(offset, length int64) (flush bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept += length
	return f.wrote(offset, length)
}

// wrote says that a file is to be flushed as soon as there is much to write, but
// not while it has holes that will be filled: the disk would get every piece
// between them on its own.
func (f *file) wrote(offset, length int64) (flush bool) {
	if length == 0 {
		return false
	}
	f.end = max(f.end, offset+length)
	f.dirty += length
	if f.dirty < flushEvery || !f.scattered && f.bytes+f.kept < f.end-flushEvery {
		return false
	}
	f.dirty = 0
	return true
}

func (r *transfer) vanish(p string) error {
	f := r.files[p]
	if f == nil {
		return fmt.Errorf("the source says that file %q is gone, which was not asked for", p)
	}
	if r.exact {
		return &SourceFileError{Path: p, Gone: true}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	return nil
}

// Skip forgets a file that the target is to be without after all: WAL that the
// source has still not written.
func (r *transfer) Skip(p string) error {
	f := r.files[p]
	if f == nil {
		return fmt.Errorf("file %q is not one that is copied", p)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	return nil
}

// Has reports whether something came of a file that is copied.
func (r *transfer) Has(p string) bool {
	f := r.files[p]
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.begun && !f.gone
}

// SourceFileError says that a file of a stopped source is not what it was when the
// source was listed. Its text is pg_rewind's where that has one.
type SourceFileError struct {
	Path     string // in the source's data directory
	Gone     bool
	Expected int64 // bytes to copy
	Copied   int64 // bytes that there were
}

func (e *SourceFileError) Error() string {
	if e.Gone {
		return fmt.Sprintf("source file %q vanished concurrently", e.Path)
	}
	return fmt.Sprintf("size of source file \"%s\" changed concurrently: %d bytes expected, %d copied", e.Path, e.Expected, e.Copied)
}

// checkComplete finds out what the source did not send.
func (r *transfer) checkComplete() error {
	for p, f := range r.files {
		switch {
		case f.gone:
		case !f.begun:
			return fmt.Errorf("the source did not send file %q: run gorewind again", p)
		}
		if want := f.entry.FetchBytes(r.plan.Geometry) + f.entry.LocalBytes; r.exact && !f.gone && f.bytes != want {
			return &SourceFileError{Path: p, Expected: want, Copied: f.bytes}
		}
	}
	return nil
}
