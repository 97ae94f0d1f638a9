package rewind

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// walNames tells under which timelines' names the WAL of a segment may be, in the
// order in which it is looked for, and remembers under which it was found.
type walNames struct {
	geo     pgdata.Geometry
	history timeline.History
	// any: as a server looks for it (XLogFileReadAnyTLI, xlogrecovery.c), in the file
	// of an older timeline, too, where the newer one's does not exist. Else in the
	// newest one's only, as pg_rewind does.
	any   bool
	found *foundNames
}

type foundNames struct {
	mu sync.Mutex
	as map[pgdata.SegNo]pgdata.TimelineID
}

func (n walNames) ofAny() walNames {
	n.any, n.found = true, &foundNames{as: map[pgdata.SegNo]pgdata.TimelineID{}}
	return n
}

func (n walNames) of(s pgdata.SegNo) []pgdata.TimelineID {
	if !n.any {
		return []pgdata.TimelineID{n.history.TimelineOf(n.geo, s)}
	}
	var list []pgdata.TimelineID
	for _, e := range slices.Backward(n.history) {
		if n.geo.SegNo(e.Begin) <= s {
			list = append(list, e.TLI)
		}
	}
	return list
}

func (n walNames) note(s pgdata.SegNo, tli pgdata.TimelineID) {
	if n.found != nil {
		n.found.mu.Lock()
		defer n.found.mu.Unlock()
		n.found.as[s] = tli
	}
}

// openedAs is the timeline under whose name a segment was opened, or zero.
func (n walNames) openedAs(s pgdata.SegNo) pgdata.TimelineID {
	n.found.mu.Lock()
	defer n.found.mu.Unlock()
	return n.found.as[s]
}

// tracingWAL opens segments and tells afterwards whose they were.
type tracingWAL interface {
	walreader.Segments
	openedAs(s pgdata.SegNo) pgdata.TimelineID
}

// targetWAL opens the target's segments that lie on a history.
type targetWAL struct {
	walNames
	dir     *datadir.Dir
	version *pgdata.Version
	archive *walArchive // for what the directory does not have any more; may be nil
	// archived, if not zero, is the only segment for which the archive is asked.
	archived pgdata.SegNo
}

func (a *analyzer) targetWAL(h timeline.History) targetWAL {
	return targetWAL{walNames: walNames{geo: a.geo, history: h}, dir: a.target.Dir, version: a.version, archive: a.archive}
}

// own is without the archive.
func (w targetWAL) own() targetWAL { w.archive = nil; return w }

func (w targetWAL) ofAny() targetWAL { w.walNames = w.walNames.ofAny(); return w }

// path is where segment s is to be found.
func (w targetWAL) path(s pgdata.SegNo) string {
	return w.version.WALPath(w.geo.WALFileName(w.history.TimelineOf(w.geo, s), s))
}

// asks reports whether the archive is asked for a segment.
func (w targetWAL) asks(s pgdata.SegNo) bool {
	return w.archive != nil && (w.archived == 0 || w.archived == s)
}

// Costly tells segments that restore_command has to bring back.
func (w targetWAL) Costly(s pgdata.SegNo) bool {
	if !w.asks(s) {
		return false
	}
	_, err := w.dir.Lstat(w.path(s))
	return err != nil
}

func (w targetWAL) OpenSegment(ctx context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	var first error
	for _, tli := range w.of(s) {
		f, err := w.dir.Open(w.version.WALPath(w.geo.WALFileName(tli, s)))
		if err == nil {
			w.note(s, tli)
			return &notedSegment{f, w.dir}, nil
		}
		if first == nil {
			first = err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	tli, p := w.history.TimelineOf(w.geo, s), w.path(s)
	why := datadir.Reason(errors.Unwrap(first))
	if errors.Is(first, fs.ErrNotExist) && w.asks(s) {
		restored, err := w.archive.restore(ctx, w.geo.WALFileName(tli, s))
		var notFound *archive.NotFoundError
		switch {
		case err == nil:
			w.note(s, tli)
			return w.dir.Open(restored)
		case !errors.As(err, &notFound):
			return nil, err
		}
		why = fmt.Errorf("%w, and %w", why, err)
	}
	return nil, &MissingWALError{Timeline: tli, Segment: s, Path: w.dir.Join(p), Err: why}
}

// notedSegment has the bytes counted that are read of it.
type notedSegment struct {
	*os.File
	dir *datadir.Dir
}

func (s *notedSegment) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.File.ReadAt(p, off)
	s.dir.CountRead(n)
	return n, err
}

// sourceWAL reads the segments of a source.
type sourceWAL struct {
	walNames
	src     source.Source
	version *pgdata.Version
	// archive, if not nil, is asked for what the source has no more.
	archive func(ctx context.Context, name string) (*os.File, error)
}

func (a *analyzer) sourceWAL(h timeline.History) sourceWAL {
	return sourceWAL{walNames: walNames{geo: a.geo, history: h}, src: a.source, version: a.version}
}

func (w sourceWAL) ofAny() sourceWAL { w.walNames = w.walNames.ofAny(); return w }

func (w sourceWAL) OpenSegment(ctx context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	return &sourceSegment{ctx: ctx, wal: w, no: s, path: w.version.WALPath(w.geo.WALFileName(w.history.TimelineOf(w.geo, s), s))}, nil
}

type sourceSegment struct {
	ctx   context.Context // of the call that opened it, which also reads it
	wal   sourceWAL
	no    pgdata.SegNo
	path  string
	known bool     // path is where it is
	local *os.File // where an archive brought it back
}

func (s *sourceSegment) ReadAt(p []byte, off int64) (int, error) {
	if s.local != nil {
		return s.local.ReadAt(p, off)
	}
	if s.known {
		return s.read(p, off)
	}
	var n int
	var err error
	for _, tli := range s.wal.of(s.no) {
		s.path = s.wal.version.WALPath(s.wal.geo.WALFileName(tli, s.no))
		n, err = s.read(p, off)
		if err == nil && s.wal.any && !s.isThere(p[:n], off) {
			// Behind a switch to the next segment there is nothing; else it is a recycled file.
			first := make([]byte, pageAddress+8)
			if _, ferr := s.read(first, 0); ferr != nil || !s.isThere(first, 0) {
				n, err = 0, fmt.Errorf("file %q is not yet written: %w", s.path, fs.ErrNotExist)
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			s.known = true
			s.wal.note(s.no, tli)
			return n, err
		}
	}
	if s.wal.archive == nil {
		return n, err
	}
	for _, tli := range s.wal.of(s.no) {
		f, rerr := s.wal.archive(s.ctx, s.wal.geo.WALFileName(tli, s.no))
		if rerr == nil {
			s.local = f
			return f.ReadAt(p, off)
		}
		if !errors.Is(rerr, fs.ErrNotExist) {
			return 0, rerr
		}
	}
	return n, err
}

// isThere reports whether what was read begins with the page that is to be there. A
// file that was recycled has others, or none.
func (s *sourceSegment) isThere(b []byte, off int64) bool {
	if off%int64(s.wal.geo.WALBlockSize) != 0 || len(b) < pageAddress+8 {
		return true // which cannot be told
	}
	at := s.wal.geo.SegStart(s.no) + pgdata.LSN(off)
	return pgdata.LSN(binary.LittleEndian.Uint64(b[pageAddress:])) == at
}

// pageAddress is where a WAL page says which one it is (xlp_pageaddr, XLogPageHeaderData).
const pageAddress = 8

func (s *sourceSegment) read(p []byte, off int64) (int, error) {
	b, err := source.ReadRange(s.ctx, s.wal.src, source.Range{Path: s.path, Offset: off, Length: int64(len(p))})
	n := copy(p, b)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (s *sourceSegment) Name() string { return s.path }

func (s *sourceSegment) Close() error {
	if s.local != nil {
		return s.local.Close()
	}
	return nil
}
