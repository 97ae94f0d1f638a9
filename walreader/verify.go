package walreader

import (
	"context"
	"errors"
	"io/fs"

	"github.com/gorewind/gorewind/pgdata"
)

// VerifySegment proves by its content that what segs opens as segment s is that
// segment of the cluster, completely written, with the name of timeline tli. Every
// page belongs to its position, and none has a timeline newer than tli or older than that
// of the page before it. Every record that has a part in it has a correct CRC and
// points back to the record before it. After an XLOG/SWITCH there is only padding, which
// is not checked; nor is the size of the file.
//
// Usually the first bytes belong to a record from the previous segment, and the last
// record ends in the next one. Both are read completely if segs opens those segments too.
// If the error for such a segment is [fs.ErrNotExist], it is not required, and only page
// headers verify the part of such a record that is here. Damage at a boundary is
// an error of both segments: it is impossible to say which of them is damaged. The error
// is an *Error.
func VerifySegment(ctx context.Context, segs Segments, f Format, s pgdata.SegNo, tli pgdata.TimelineID) error {
	r := NewReader(segs, f)
	defer func() { _ = r.Close() }()
	if r.err != nil {
		return r.err
	}
	r.pages.named, r.pages.newest = s, uint32(tli)
	begin := f.Geometry.SegStart(s)
	end := begin + pgdata.LSN(f.Geometry.WALSegSize)
	if _, err := r.pages.at(ctx, begin); err != nil {
		return err // even if it does not exist
	}
	// It may have no neighbours, and no record may follow one that fills all of it.
	forgiven := func(err error) bool {
		return errors.Is(err, fs.ErrNotExist) || r.pos >= end && errors.Is(err, ErrEndOfWAL)
	}
	first, before, err := r.readStarting(ctx, begin, end)
	if err == nil || forgiven(err) {
		err = r.readAcross(ctx, before, first)
	}
	if err != nil && !forgiven(err) {
		return err
	}
	return nil
}

// VerifyStart does the part of [VerifySegment] that a [Scan] does not do in the segment
// s in which it found its checkpoint: it verifies the record from the previous segment that
// ends in this one.
func VerifyStart(ctx context.Context, segs Segments, f Format, s pgdata.SegNo) error {
	r := NewReader(segs, f)
	defer func() { _ = r.Close() }()
	if r.err != nil {
		return r.err
	}
	begin := f.Geometry.SegStart(s)
	first, before, err := r.readStarting(ctx, begin, begin)
	if err == nil {
		err = r.readAcross(ctx, before, first)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// PageTimeline is the timeline of the page at lsn. Everything else in the page's
// header must be valid.
func PageTimeline(ctx context.Context, segs Segments, f Format, lsn pgdata.LSN) (pgdata.TimelineID, error) {
	r := NewReader(segs, f)
	defer func() { _ = r.Close() }()
	if r.err != nil {
		return 0, r.err
	}
	_, err := r.pages.at(ctx, lsn)
	return pgdata.TimelineID(r.pages.timeline), err
}

// readAcross reads from one record to another one, to which it is linked. Zero means
// that there is no such record.
func (r *Reader) readAcross(ctx context.Context, from, to pgdata.LSN) (err error) {
	if from == 0 {
		return nil
	}
	for r.begin(from); err == nil && r.prev < to; {
		_, err = r.step(ctx)
	}
	return err
}

// readStarting reads all records that start in [begin, end), or the next one if
// none does. first is the start of the first of them, and before is where that one points
// back to: the record to which the preceding bytes belong.
func (r *Reader) readStarting(ctx context.Context, begin, end pgdata.LSN) (first, before pgdata.LSN, err error) {
	if first, err = r.firstStart(ctx, begin, maxLSN); err != nil {
		return 0, 0, err
	}
	for r.begin(first); r.prev == 0 || r.pos < end; {
		rec, err := r.step(ctx)
		if err != nil {
			return first, before, err
		}
		if before == 0 && rec != nil {
			before = rec.Prev
		}
	}
	return first, before, nil
}
