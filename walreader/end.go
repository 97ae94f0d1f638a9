package walreader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/pgdata"
)

// End is the end of a cluster's WAL.
type End struct {
	LSN      pgdata.LSN        // end of the last record
	Last     pgdata.LSN        // its start
	Timeline pgdata.TimelineID // of the page it starts on
	Why      error             // why it ends there: an *Error
}

// EndOfWAL reads forward from the record at from, typically the control file's
// checkpoint, until no complete record follows. Every back link is checked, including
// that of the first record after from, so that a stale record of a recycled
// segment is not taken for a continuation. Errors that are not about the content of
// the WAL (I/O, context) are returned, and so is any error about the record at from, which
// must exist.
func EndOfWAL(ctx context.Context, segs Segments, f Format, from pgdata.LSN) (End, error) {
	r := NewReader(segs, f)
	defer func() { _ = r.Close() }()
	if r.err != nil {
		return End{}, r.err
	}
	var end End
	for r.begin(from); ; {
		rec, err := r.step(ctx)
		switch {
		case err == nil && rec != nil:
			end = End{LSN: rec.End, Last: rec.LSN, Timeline: pgdata.TimelineID(r.tli)}
		case err == nil: // abandoned
		case end.Last == 0 || !isEnd(err):
			return End{}, err
		default:
			end.Why = err
			return end, nil
		}
	}
}

// isEnd reports whether a record could not be read because of the WAL's content:
// nothing, an incomplete record, invalid data, or a missing segment. Servers
// treat each as the end.
func isEnd(err error) bool {
	return errors.Is(err, ErrEndOfWAL) || errors.Is(err, ErrTornRecord) || errors.Is(err, ErrCorrupt) || errors.Is(err, fs.ErrNotExist)
}

// LastRecordEnd returns the end of the last record that ends at or before limit.
// WAL may end before limit, as it does before the insert position of a live
// server. Unwritten WAL, including a segment that does not exist yet,
// is ignored. Damage is an error.
//
// It reads backwards from limit to a page on which a record starts, and from there
// forward. If no record ends within the length of the longest record, it gives up,
// because the given limit may be wrong.
func LastRecordEnd(ctx context.Context, segs Segments, f Format, limit pgdata.LSN) (pgdata.LSN, error) {
	end, sure, err := lastRecordEnd(ctx, segs, f, limit, true)
	if !sure && ctx.Err() == nil {
		end, _, err = lastRecordEnd(ctx, segs, f, limit, false)
	}
	return end, err
}

// lastRecordEnd implements LastRecordEnd. With leaps it skips the empty rest of a segment
// without reading it. The result is then sure only if nothing was skipped, or if a switch
// to the next segment ends what it found: only after a switch is the whole rest of a
// segment empty if a part of it is. Elsewhere there may be a hole where a disk lost data.
func lastRecordEnd(ctx context.Context, segs Segments, f Format, limit pgdata.LSN, leaps bool) (end pgdata.LSN, sure bool, err error) {
	r := &backwards{Reader: NewReader(segs, f), leaps: leaps}
	defer func() { _ = r.Close() }()
	if r.err != nil {
		return 0, true, r.err
	}
	end, err = r.lastRecordEnd(ctx, limit)
	return end, !r.leapt || r.switched, err
}

// backwards is a reader that searches for the end of WAL.
type backwards struct {
	*Reader
	leaps    bool // skip what is empty
	leapt    bool
	switched bool // the last record read is a switch to the next segment
}

func (r *backwards) lastRecordEnd(ctx context.Context, limit pgdata.LSN) (pgdata.LSN, error) {
	f := &r.f
	floor := limit - min(limit, maxRecordSize+unwrittenSegments*pgdata.LSN(f.Geometry.WALSegSize))
	lsn, unfinished := limit, 0
	empty := int(unwrittenSegments * f.Geometry.WALSegSize / f.Geometry.WALBlockSize)
	for unfinished < maxUnfinished && empty > 0 {
		if lsn == 0 {
			return 0, r.notWritten(limit)
		}
		start, at, err := r.startBefore(ctx, lsn, floor, limit)
		if err != nil {
			return 0, err
		}
		if err := r.beginLinked(ctx, start, at); err != nil {
			return 0, err
		}
		end, begun, err := r.lastEnd(ctx, limit)
		if end != 0 || err != nil {
			return end, err
		}
		if lsn = at; begun {
			unfinished++
		} else {
			empty--
			lsn = r.emptyFrom(ctx, at)
		}
	}
	return 0, r.pages.fail(limit, ErrCorrupt, fmt.Sprintf("no record ends on %d pages before %s on which one starts", unfinished, r.format(limit)))
}

// In the WAL that servers write, only the last record can lack an end, and it can be
// overwritten once. What they have not written yet is the rest of a segment, and
// the next one. In the rest of a segment after a switch, all pages can have
// headers.
const (
	maxUnfinished     = 8
	unwrittenSegments = 2
)

// emptyFrom is the start, in its segment, of the empty or unwritten pages up to the page at
// lsn. After a switch to the next segment that can be all of it, which is not worth
// reading over a network.
func (r *backwards) emptyFrom(ctx context.Context, lsn pgdata.LSN) pgdata.LSN {
	g := &r.f.Geometry
	size := pgdata.LSN(g.WALBlockSize)
	written := g.SegStart(g.SegNo(lsn))
	for r.leaps && written < lsn {
		middle := written + (lsn-written)/2/size*size
		pg, err := r.pages.probe(ctx, middle)
		if errors.Is(err, ErrEndOfWAL) || err == nil && !pg.has(flagContRecord) && allZero(pg[r.f.headerSize(middle):]) {
			lsn, r.leapt = middle, true
		} else { // if it is damaged, reading it will show that
			written = middle + size
		}
	}
	return lsn
}

// startBefore finds the last page before lsn, but not before floor, on which a record
// starts before limit. It returns that record and the page.
func (r *backwards) startBefore(ctx context.Context, lsn, floor, limit pgdata.LSN) (start, at pgdata.LSN, err error) {
	g := &r.f.Geometry
	checked := pgdata.LSN(1) // the segment whose beginning was checked; no segment begins at 1
	for lsn > 0 {
		if lsn < floor {
			return 0, 0, r.pages.fail(limit, ErrCorrupt, fmt.Sprintf("no record starts between %s and %s", r.format(lsn), r.format(limit)))
		}
		at = g.PageStart(lsn - 1)
		segment := g.SegStart(g.SegNo(at))
		r.pos = at // for messages
		var err error
		if segment != checked {
			_, err = r.pages.at(ctx, segment)
		}
		if err != nil {
			missing := errors.Is(err, fs.ErrNotExist) && g.SegNo(at) == g.SegNo(limit-1)
			if !missing && !errors.Is(err, ErrEndOfWAL) {
				return 0, 0, err
			}
			lsn = segment // nothing was written to any of it
			continue
		}
		checked = segment
		pg, err := r.pages.peek(ctx, at)
		switch {
		case err == nil:
			if start := r.startOn(pg, at); start != 0 && start < limit {
				return start, at, nil
			}
		case !errors.Is(err, ErrEndOfWAL):
			return 0, 0, err
		default:
			at = r.emptyFrom(ctx, at)
		}
		lsn = at
	}
	return 0, 0, r.notWritten(limit)
}

// startOn is the start of the first record on the page at lsn, or zero if all of
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

// lastEnd reads on. It returns zero if no record ends before limit, and then also whether
// one begins.
func (r *backwards) lastEnd(ctx context.Context, limit pgdata.LSN) (end pgdata.LSN, begun bool, err error) {
	for r.pos < limit {
		rec, err := r.step(ctx)
		if rec != nil {
			r.switched = rec.isSwitch()
		}
		switch {
		case errors.Is(err, ErrEndOfWAL), errors.Is(err, ErrTornRecord), errors.Is(err, fs.ErrNotExist):
			return end, !errors.Is(err, ErrEndOfWAL), nil
		case err != nil:
			return 0, false, err
		case rec != nil && rec.End > limit:
			return end, true, nil
		case rec != nil:
			end = rec.End
		}
	}
	return end, true, nil
}

func (r *Reader) notWritten(limit pgdata.LSN) error {
	return r.pages.fail(limit, ErrEndOfWAL, "there is no record before "+r.format(limit))
}
