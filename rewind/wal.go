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

// walNames determines under which timelines' names a WAL segment may be found, in the
// order in which to try them, and remembers under which name it was found.
type walNames struct {
	geo     pgdata.Geometry
	history timeline.History
	// any: also look in the file of an older timeline if that of the newest does not
	// exist, as a server does (XLogFileReadAnyTLI, xlogrecovery.c). Otherwise look only in
	// the file of the newest timeline, as pg_rewind does.
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

// openedAs returns the timeline under whose name a segment was opened, or zero.
func (n walNames) openedAs(s pgdata.SegNo) pgdata.TimelineID {
	n.found.mu.Lock()
	defer n.found.mu.Unlock()
	return n.found.as[s]
}

// tracingWAL opens segments and reports afterwards which timeline's file was opened.
type tracingWAL interface {
	walreader.Segments
	openedAs(s pgdata.SegNo) pgdata.TimelineID
}

// targetWAL opens the target's segments along a history.
type targetWAL struct {
	walNames
	dir     *datadir.Dir
	version *pgdata.Version
	archive *walArchive // for segments that the directory no longer has; may be nil
	// archived, if not zero, is the only segment for which the archive is asked.
	archived pgdata.SegNo
}

func (a *analyzer) targetWAL(h timeline.History) targetWAL {
	return targetWAL{walNames: walNames{geo: a.geo, history: h}, dir: a.target.Dir, version: a.version, archive: a.archive}
}

// own returns the target's WAL without the archive.
func (w targetWAL) own() targetWAL { w.archive = nil; return w }

func (w targetWAL) ofAny() targetWAL { w.walNames = w.walNames.ofAny(); return w }

// path returns where segment s should be.
func (w targetWAL) path(s pgdata.SegNo) string {
	return w.version.WALPath(w.geo.WALFileName(w.history.TimelineOf(w.geo, s), s))
}

// asks reports whether the archive is asked for a segment.
func (w targetWAL) asks(s pgdata.SegNo) bool {
	return w.archive != nil && (w.archived == 0 || w.archived == s)
}

// Costly reports whether restore_command has to restore a segment.
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

// notedSegment counts the bytes that are read from a segment.
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
	// archive, if not nil, is asked for what the source no longer has.
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
	ctx   context.Context // of the call that opened the segment, which also reads it
	wal   sourceWAL
	no    pgdata.SegNo
	path  string
	known bool     // path is where the segment is
	local *os.File // set if an archive restored it
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
			// After a switch to the next segment there is nothing; otherwise it is a recycled
			// file.
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

// isThere reports whether what was read begins with the page that should be there. A
// recycled file has a different page there, or none.
func (s *sourceSegment) isThere(b []byte, off int64) bool {
	if off%int64(s.wal.geo.WALBlockSize) != 0 || len(b) < pageAddress+8 {
		return true // the read does not start at a page, so it cannot be checked
	}
	at := s.wal.geo.SegStart(s.no) + pgdata.LSN(off)
	return pgdata.LSN(binary.LittleEndian.Uint64(b[pageAddress:])) == at
}

// pageAddress is the offset in a WAL page of its own address (xlp_pageaddr,
// XLogPageHeaderData).
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
