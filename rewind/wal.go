package rewind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// targetWAL opens the segments of a data directory that lie on a history.
type targetWAL struct {
	dir     *datadir.Dir
	version *pgdata.Version
	geo     pgdata.Geometry
	history timeline.History
	archive *walArchive // for what the directory does not have any more; may be nil
}

// path is where segment s is to be found.
func (w targetWAL) path(s pgdata.SegNo) string {
	return w.version.WALPath(w.geo.WALFileName(w.history.TimelineOf(w.geo, s), s))
}

func (w targetWAL) OpenSegment(ctx context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	tli, p := w.history.TimelineOf(w.geo, s), w.path(s)
	f, err := w.dir.Open(p)
	if errors.Is(err, fs.ErrNotExist) && w.archive != nil {
		var notFound *archive.NotFoundError
		seg, rerr := w.openRestored(ctx, tli, s)
		if !errors.As(rerr, &notFound) {
			return seg, rerr
		}
		err = &MissingWALError{Timeline: tli, Segment: s, Path: w.dir.Join(p), Err: fmt.Errorf("%w, and %w", datadir.Reason(errors.Unwrap(err)), rerr)}
		return nil, err
	}
	if err != nil {
		return nil, &MissingWALError{Timeline: tli, Segment: s, Path: w.dir.Join(p), Err: datadir.Reason(errors.Unwrap(err))}
	}
	return f, nil
}

// sourceWAL reads the segments of a source.
type sourceWAL struct {
	src     source.Source
	version *pgdata.Version
	geo     pgdata.Geometry
	history timeline.History
}

func (w sourceWAL) OpenSegment(ctx context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	tli := w.history.TimelineOf(w.geo, s)
	return &sourceSegment{ctx: ctx, src: w.src, path: w.version.WALPath(w.geo.WALFileName(tli, s))}, nil
}

type sourceSegment struct {
	ctx  context.Context // of the call that opened it, which also reads it
	src  source.Source
	path string
}

func (s *sourceSegment) ReadAt(p []byte, off int64) (int, error) {
	b, err := source.ReadRange(s.ctx, s.src, source.Range{Path: s.path, Offset: off, Length: int64(len(p))})
	n := copy(p, b)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (s *sourceSegment) Name() string { return s.path }
func (s *sourceSegment) Close() error { return nil }
