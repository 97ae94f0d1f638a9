package walreader

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/gorewind/gorewind/pgdata"
)

// Reader reads WAL records. It is not safe for concurrent use. It keeps one
// segment open until [Reader.Close].
type Reader struct {
	f     Format
	err   error // why nothing can be read
	pages pages
	rec   Record // the record read last
	raw   []byte // that record as stored in the WAL, without page headers
	tli   uint32 // the timeline of the page it starts on
	buf   []byte // that record, if it crosses pages; reused
	file  string // the segment in which that record starts, if it crosses pages

	// The position of step.
	pos       pgdata.LSN // start of the next record
	prev      pgdata.LSN // start of the one before it; zero if unknown
	first     bool       // nothing was read since begin
	abandoned pgdata.LSN // start of the record that the last step skipped, or zero
	resume    pgdata.LSN // set by read: the page that overwrites the rest of the record, or zero
}

// keepBuffer is the most bytes of a large record's buffer that are kept for the next one.
const keepBuffer = 4 << 20

// NewReader returns a reader of the WAL that segs opens. If the format is invalid, the
// first call that reads returns the error.
func NewReader(segs Segments, f Format) *Reader {
	return &Reader{f: f, err: f.validate(), pages: pages{segs: segs, f: f}}
}

// Close closes the open segment. The reader can be used again.
func (r *Reader) Close() error { return r.pages.close() }

// ReadRecord reads the record that starts at at, or after the page header if at
// is the start of a page. The record is valid until the next call. Of its link
// to the previous record only the direction is checked. For an abandoned record the
// error is ErrTornRecord. Errors have type *Error.
func (r *Reader) ReadRecord(ctx context.Context, at pgdata.LSN) (*Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	r.begin(at)
	if err := r.read(ctx); err != nil {
		return nil, r.failed(err)
	}
	return &r.rec, nil
}

// Records yields the records that start in [from, to), in order, without
// abandoned ones. If to is zero, it reads to the end of the WAL. There must be a
// record at from, or after the page header if from is the start of a page.
// Every record must point back to the one before it. A yielded record is valid
// until the next step. An error ends the sequence. If to is zero, it always ends
// with an error, which wraps ErrEndOfWAL in the normal case.
func (r *Reader) Records(ctx context.Context, from, to pgdata.LSN) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		if r.err != nil {
			yield(nil, r.err)
			return
		}
		r.begin(from)
		for to == 0 || r.pos < to {
			rec, err := r.step(ctx)
			if err != nil {
				yield(nil, r.failed(err))
				return
			}
			if rec != nil && !yield(rec, nil) {
				return
			}
		}
	}
}

// FindNextRecord returns the start of the first record at or after from. from
// may be anywhere on a written page, even inside a record: page headers
// show where that ends.
func (r *Reader) FindNextRecord(ctx context.Context, from pgdata.LSN) (pgdata.LSN, error) {
	if r.err != nil {
		return 0, r.err
	}
	at, err := r.firstStart(ctx, r.f.Geometry.PageStart(from), maxLSN)
	if err != nil {
		return 0, r.failed(err)
	}
	if at == 0 {
		r.pos = from
		return 0, r.corrupt("impossible WAL location")
	}
	if err := r.beginLinked(ctx, at, r.f.Geometry.PageStart(at)); err != nil {
		return 0, r.failed(err)
	}
	for {
		rec, err := r.step(ctx)
		if err != nil {
			return 0, r.failed(err)
		}
		if rec != nil && rec.LSN >= from {
			return rec.LSN, nil
		}
	}
}

// failed discards buffered data: a server may still be writing this WAL, and
// a caller that tries again wants to see it.
func (r *Reader) failed(err error) error {
	r.pages.forget()
	return err
}

// begin makes at the position from which the next record is read.
func (r *Reader) begin(at pgdata.LSN) {
	r.pos, r.prev, r.first, r.abandoned = r.f.recordStart(at), 0, true, 0
}

// beginLinked makes start, the first record that starts on a page, the position from which
// the next record is read, and reads those before it, from an earlier page of the
// segment on. So its back link is checked, too: after the end of what a standby
// received, a page can continue with the old content of a recycled file. Errors in
// earlier records do not matter to the reader of this one.
func (r *Reader) beginLinked(ctx context.Context, start, page pgdata.LSN) error {
	var (
		g      = &r.f.Geometry
		before pgdata.LSN
	)
	for first := g.SegStart(g.SegNo(page)); before == 0 && page > first; {
		page -= pgdata.LSN(g.WALBlockSize)
		r.pos = page // for messages
		pg, err := r.pages.at(ctx, page)
		switch {
		case err == nil:
			before = r.startOn(pg, page)
		case isEnd(err):
			page = first
		default:
			return r.at(err)
		}
	}
	if before != 0 {
		for r.begin(before); r.pos < start; {
			if _, err := r.step(ctx); err != nil {
				if !isEnd(err) {
					return err
				}
				break
			}
		}
		if r.pos == start {
			return nil
		}
	}
	r.begin(start)
	return nil
}

// step reads the record at pos and moves on. If that record was abandoned, step
// moves to the page that overwrites its rest and returns nil.
func (r *Reader) step(ctx context.Context) (*Record, error) {
	if err := r.read(ctx); err != nil {
		if r.resume == 0 || r.abandoned != 0 {
			return nil, err
		}
		r.first, r.abandoned = false, r.pos
		r.pos = r.f.recordStart(r.resume)
		return nil, nil
	}
	r.first, r.abandoned = false, 0
	r.prev = r.rec.LSN
	r.pos = r.f.recordStart(r.rec.End)
	return &r.rec, nil
}

// read reads the record at pos into rec.
func (r *Reader) read(ctx context.Context) error {
	r.resume = 0
	rec := &r.rec
	rec.LSN = r.pos
	pg, err := r.pages.at(ctx, r.f.Geometry.PageStart(r.pos))
	if err != nil {
		return r.at(err)
	}
	tli := pg.timeline()
	var (
		off        = int(r.pos & pgdata.LSN(len(pg)-1))
		header     = r.f.headerSize(r.pages.lsn)
		overwrites = off == header && pg.has(r.f.Version.WAL.OverwriteFlag)
	)
	switch {
	case off < header || off%8 != 0:
		return r.corrupt("invalid record offset at %s: expected a multiple of 8 that is at least %d, got %d", r.lsn(), header, off)
	case off == header && pg.has(flagContRecord):
		return r.corrupt("contrecord is requested by %s", r.lsn())
	}
	total := binary.LittleEndian.Uint32(pg[off:])
	if total < recordHeaderSize {
		e := r.corrupt("invalid record length at %s: expected at least %d, got %d", r.lsn(), recordHeaderSize, total)
		if total == 0 {
			e.Err = ErrEndOfWAL
		}
		return e
	}
	if total > maxRecordSize {
		return r.corrupt("invalid record length at %s: expected at most %d, got %d", r.lsn(), maxRecordSize, total)
	}
	raw := pg[off:]
	if len(raw) >= recordHeaderSize {
		if reason := rec.decodeHeader(raw, r.prev, r.f.Version); reason != "" {
			return r.corrupt("%s at %s", reason, r.lsn())
		}
	}
	if int(total) <= len(raw) {
		raw = raw[:total]
		rec.End = r.pos + pgdata.LSN(align8(total))
	} else {
		split := len(raw) < recordHeaderSize
		if raw, err = r.assemble(ctx, raw, total); err != nil {
			return err
		}
		if split {
			if reason := rec.decodeHeader(raw, r.prev, r.f.Version); reason != "" {
				return r.corrupt("%s at %s", reason, r.lsn())
			}
		}
	}
	if !checksum(raw) {
		return r.corrupt("incorrect resource manager data checksum in record at %s", r.lsn())
	}
	if reason := rec.decodeBody(raw, &r.f.Version.WAL, r.f.Geometry.BlockSize); reason != "" {
		return r.corrupt("%s at %s", reason, r.lsn())
	}
	r.raw, r.tli = raw, tli
	if rec.Rmgr != RmgrXLOG && !overwrites {
		return nil
	}
	if rec.isSwitch() {
		size := pgdata.LSN(r.f.Geometry.WALSegSize)
		rec.End = (rec.End + size - 1) &^ (size - 1)
	}
	return r.checkOverwrite(overwrites)
}

// assemble collects a record of which only first is on its first page. The
// buffer grows with the data that was found, not with the length in the header.
func (r *Reader) assemble(ctx context.Context, first []byte, total uint32) ([]byte, error) {
	if cap(r.buf) > keepBuffer {
		r.buf = nil
	}
	r.file = r.pages.seg.Name()
	var (
		buf      = append(r.buf[:0], first...)
		lsn      = r.f.Geometry.PageStart(r.pos)
		want     = total - uint32(len(first))
		pageSize = pgdata.LSN(r.f.Geometry.WALBlockSize)
	)
	for want > 0 {
		lsn += pageSize
		pg, err := r.pages.at(ctx, lsn)
		if err != nil {
			return nil, r.torn(err)
		}
		switch {
		case pg.has(r.f.Version.WAL.OverwriteFlag):
			r.resume = lsn
			return nil, r.at(r.pages.fail(lsn, ErrTornRecord, "record was abandoned and overwritten at "+r.format(lsn)))
		case !pg.has(flagContRecord):
			return nil, r.at(r.noContRecord(lsn))
		case pg.remaining() != want:
			return nil, r.at(r.badContRecord(lsn, pg.remaining(), want))
		}
		rest := pg[r.f.headerSize(lsn):]
		if int(want) <= len(rest) {
			r.rec.End = lsn + pgdata.LSN(r.f.headerSize(lsn)) + pgdata.LSN(align8(want))
			rest = rest[:want]
		}
		buf = append(buf, rest...)
		r.buf = buf
		want -= uint32(len(rest))
	}
	return buf, nil
}

// checkOverwrite checks an OVERWRITE_CONTRECORD against what was read before it:
// it must be the first record of the page that overwrites, and name the record that
// was abandoned.
func (r *Reader) checkOverwrite(overwrites bool) error {
	lsn := r.rec.overwritten()
	switch {
	case !overwrites && lsn == 0:
		return nil
	case !overwrites || lsn == 0:
		return r.corrupt("page flags and record type disagree on whether the record at %s overwrites an abandoned one", r.lsn())
	case r.first && lsn < r.pos, lsn == r.abandoned:
		return nil
	}
	return r.corrupt("mismatching overwritten LSN %s -> %s in record at %s", r.format(lsn), r.format(r.abandoned), r.lsn())
}

// firstStart finds the start of the first record on the page at lsn or a later
// one, skipping the rest of a record that started before. It returns zero if
// no record starts before limit.
func (r *Reader) firstStart(ctx context.Context, lsn, limit pgdata.LSN) (pgdata.LSN, error) {
	pageSize := pgdata.LSN(r.f.Geometry.WALBlockSize)
	for known, want := false, uint32(0); lsn < limit; lsn += pageSize {
		r.pos = lsn // for messages
		pg, err := r.pages.at(ctx, lsn)
		if err != nil {
			if known && want > 0 {
				return 0, r.torn(err)
			}
			return 0, r.at(err)
		}
		header := r.f.headerSize(lsn)
		remaining := uint32(0)
		if pg.has(flagContRecord) {
			remaining = pg.remaining()
		}
		switch {
		case pg.has(r.f.Version.WAL.OverwriteFlag):
			return lsn + pgdata.LSN(header), nil
		case known && want > 0 && remaining == 0:
			return 0, r.noContRecord(lsn)
		case known && remaining != want || pg.has(flagContRecord) && (remaining == 0 || remaining > maxRecordSize):
			return 0, r.badContRecord(lsn, remaining, want)
		}
		room := uint32(len(pg) - header)
		if align8(remaining) < room {
			return lsn + pgdata.LSN(header) + pgdata.LSN(align8(remaining)), nil
		}
		known, want = true, remaining-min(remaining, room)
	}
	return 0, nil
}

func align8(n uint32) uint32 { return (n + 7) &^ 7 }

func (r *Reader) format(lsn pgdata.LSN) string { return r.f.Version.FormatLSN(lsn) }

func (r *Reader) lsn() string { return r.format(r.pos) }

// at turns the error of a page into that of the record at pos.
func (r *Reader) at(err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		e.LSN = r.pos
	}
	return err
}

// torn turns the error of a page that continues the record at pos into that of the
// record: if nothing was written there, the record is torn.
func (r *Reader) torn(err error) error {
	if e := (*Error)(nil); errors.As(err, &e) && errors.Is(e.Err, ErrEndOfWAL) {
		e.Err = ErrTornRecord
	}
	return r.at(err)
}

// corrupt makes the error for the record at pos.
func (r *Reader) corrupt(format string, args ...any) *Error {
	e := r.pages.fail(r.pos, ErrCorrupt, fmt.Sprintf(format, args...))
	if e.File == "" { // the record continues in another segment
		e.File = r.file
	}
	return e
}

// noContRecord and badContRecord are errors of the page at lsn, which should
// continue a record.
func (r *Reader) noContRecord(lsn pgdata.LSN) *Error {
	return r.pages.fail(lsn, ErrCorrupt, "there is no contrecord flag at "+r.format(lsn))
}

func (r *Reader) badContRecord(lsn pgdata.LSN, got, want uint32) *Error {
	return r.pages.fail(lsn, ErrCorrupt, fmt.Sprintf("invalid contrecord length %d (expected %d) at %s", got, want, r.format(lsn)))
}
