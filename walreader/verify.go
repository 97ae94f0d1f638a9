package walreader

import (
	"context"
	"errors"
	"io/fs"

	"github.com/gorewind/gorewind/pgdata"
)

// VerifySegment proves by its content that what segs opens as segment s is that
// segment of the cluster, written to its end, under the name of timeline tli: every
// page is of this place, none of a timeline newer than tli or older than that of the
// page before it; every record of which a part stands in it has a right CRC and
// points back to the one before. What follows an XLOG/SWITCH is padding that nobody
// reads, and not looked at; neither is the size of the file.
//
// As a rule the first bytes belong to a record of the segment before, and the last
// record ends in the next one. Both are read whole if segs opens those segments too.
// Of the one of which it says [fs.ErrNotExist] nothing is required, and only page
// headers vouch for the part of such a record that is here. Damage at a boundary is
// an error of both segments: nothing tells which of them is at fault. The error is
// an *Error.
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
		return err // also if it does not exist
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

// VerifyStart is the part of [VerifySegment] that a [Scan] did not do in the segment
// s in which it found its checkpoint: it proves the record of the segment before that
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

// PageTimeline is the timeline of the page at lsn, of which everything else that its
// header says is right.
func PageTimeline(ctx context.Context, segs Segments, f Format, lsn pgdata.LSN) (pgdata.TimelineID, error) {
	r := NewReader(segs, f)
	defer func() { _ = r.Close() }()
	if r.err != nil {
		return 0, r.err
	}
	_, err := r.pages.at(ctx, lsn)
	return pgdata.TimelineID(r.pages.timeline), err
}

// readAcross reads from one record to another one, which it is linked to. Zero is
// a record that is not there.
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
// none does. first is where the first of them starts, and before what it points back
// to: the record to which the bytes before it belong.
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
