package walreader

import (
	"context"
	"errors"
	"io/fs"

	"github.com/gorewind/gorewind/pgdata"
)

// LastRecordEnd returns the end of the last record that ends at or before limit.
// WAL may end before limit, as it does behind the insert position of a live
// server: what was not written yet, a segment that does not exist yet included,
// does not count. Damage does: it is an error.
//
// It reads back from limit to a page on which a record starts, and from there
// forward.
func LastRecordEnd(ctx context.Context, segs Segments, f Format, limit pgdata.LSN) (pgdata.LSN, error) {
	r := NewReader(segs, f)
	defer func() { _ = r.Close() }()
	if r.err != nil {
		return 0, r.err
	}
	for lsn := limit; lsn > 0; {
		start, at, err := r.startBefore(ctx, lsn, limit)
		if err != nil {
			return 0, err
		}
		end, err := r.lastEnd(ctx, start, limit)
		if end != 0 || err != nil {
			return end, err
		}
		lsn = at
	}
	return 0, r.notWritten(limit)
}

// startBefore finds the last page before lsn on which a record starts before
// limit: that record and the page.
func (r *Reader) startBefore(ctx context.Context, lsn, limit pgdata.LSN) (start, at pgdata.LSN, err error) {
	g := &r.f.Geometry
	for lsn > 0 {
		at = g.PageStart(lsn - 1)
		segment := g.SegStart(g.SegNo(at))
		r.pos = at // for messages
		if _, err := r.pages.at(ctx, segment); err != nil {
			missing := errors.Is(err, fs.ErrNotExist) && g.SegNo(at) == g.SegNo(limit-1)
			if !missing && !errors.Is(err, ErrEndOfWAL) {
				return 0, 0, err
			}
			lsn = segment // nothing was written to all of it
			continue
		}
		pg, err := r.pages.at(ctx, at)
		switch {
		case err == nil:
			if start := r.startOn(pg, at); start != 0 && start < limit {
				return start, at, nil
			}
		case !errors.Is(err, ErrEndOfWAL):
			return 0, 0, err
		}
		lsn = at
	}
	return 0, 0, r.notWritten(limit)
}

// startOn is where the first record starts on the page at lsn, or zero if all of
// the page continues a record.
func (r *Reader) startOn(pg page, lsn pgdata.LSN) pgdata.LSN {
	start := uint64(r.f.headerSize(lsn))
	if pg.has(flagContRecord) && !pg.has(r.f.Version.WAL.OverwriteFlag) {
		start += uint64(align8(min(pg.remaining(), maxRecordSize)))
	}
	if start >= uint64(len(pg)) {
		return 0
	}
	return lsn + pgdata.LSN(start)
}

// lastEnd reads forward from start. It returns zero if no record ends before
// limit.
func (r *Reader) lastEnd(ctx context.Context, start, limit pgdata.LSN) (end pgdata.LSN, err error) {
	for r.begin(start); r.pos < limit; {
		rec, err := r.step(ctx)
		switch {
		case errors.Is(err, ErrEndOfWAL), errors.Is(err, ErrTornRecord), errors.Is(err, fs.ErrNotExist):
			return end, nil
		case err != nil:
			return 0, err
		case rec != nil && rec.End > limit:
			return end, nil
		case rec != nil:
			end = rec.End
		}
	}
	return end, nil
}

func (r *Reader) notWritten(limit pgdata.LSN) error {
	return r.pages.fail(limit, ErrEndOfWAL, "there is no record before "+r.format(limit))
}
