package walreader

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gorewind/gorewind/pgdata"
)

// Segments opens WAL segment files. Which timeline's file holds a segment is
// the caller's knowledge: the segment in which a timeline ends is read from the
// file of the younger one.
type Segments interface {
	// OpenSegment opens segment s. The error wraps [fs.ErrNotExist] if it does not
	// exist. It must be safe for concurrent use.
	OpenSegment(ctx context.Context, s pgdata.SegNo) (Segment, error)
}

// Segment is an open WAL segment file; an [*os.File] is one.
type Segment interface {
	io.ReaderAt
	io.Closer
	Name() string // for messages
}

// Format is what a reader must know about the cluster that wrote the WAL.
type Format struct {
	Version          *pgdata.Version
	Geometry         pgdata.Geometry
	SystemIdentifier uint64 // zero: do not check
}

func (f Format) validate() error {
	if f.Version == nil {
		return errors.New("cannot read WAL of an unknown PostgreSQL version")
	}
	return f.Geometry.Validate()
}

// Page header (XLogPageHeaderData and XLogLongPageHeaderData,
// access/xlog_internal.h). The first page of every segment has the long one.
const (
	shortHeaderSize = 24
	longHeaderSize  = 40

	flagContRecord = 0x0001 // the page begins with the rest of a record
	flagLongHeader = 0x0002
)

// headerSize is the size of the header of the page at lsn.
func (f *Format) headerSize(lsn pgdata.LSN) int {
	if f.firstOfSegment(lsn) {
		return longHeaderSize
	}
	return shortHeaderSize
}

func (f *Format) firstOfSegment(lsn pgdata.LSN) bool {
	return lsn&pgdata.LSN(f.Geometry.WALSegSize-1) == 0
}

// recordStart is the start of the record that follows one ending at lsn: lsn itself,
// or the end of the page header if lsn is the start of a page.
func (f *Format) recordStart(lsn pgdata.LSN) pgdata.LSN {
	if lsn&pgdata.LSN(f.Geometry.WALBlockSize-1) == 0 {
		lsn += pgdata.LSN(f.headerSize(lsn))
	}
	return lsn
}

// recordEnd is the end of the record that is followed by one starting at lsn: lsn itself,
// or the start of the page if lsn is right after a page header.
func (f *Format) recordEnd(lsn pgdata.LSN) pgdata.LSN {
	if at := f.Geometry.PageStart(lsn); lsn == at+pgdata.LSN(f.headerSize(at)) {
		return at
	}
	return lsn
}

// page is a WAL page whose header was validated.
type page []byte

func (p page) flags() uint16        { return binary.LittleEndian.Uint16(p[2:]) }
func (p page) timeline() uint32     { return binary.LittleEndian.Uint32(p[4:]) }
func (p page) remaining() uint32    { return binary.LittleEndian.Uint32(p[16:]) }
func (p page) has(flag uint16) bool { return p.flags()&flag != 0 }

// chunkSize is how many bytes are read at once: a multiple of every WAL block size and
// a divisor of every segment size, and small enough for a processor's cache.
const chunkSize = 256 << 10

// maxLSN prevents overflows in arithmetic on positions.
const maxLSN = pgdata.LSN(1) << 62

// pages finds and validates WAL pages.
type pages struct {
	segs Segments
	f    Format

	seg   Segment // open, its first page validated; or nil
	segNo pgdata.SegNo
	buf   []byte     // one chunk of seg; reused
	start pgdata.LSN // of buf[0]
	n     int        // number of valid bytes in buf

	page     page       // the page validated last, or nil
	lsn      pgdata.LSN // of page
	latest   pgdata.LSN // the page whose timeline was seen last
	timeline uint32

	named  pgdata.SegNo // the segment in which no page may have a newer timeline
	newest uint32       // than this; zero: any
}

// at returns the page that starts at lsn, valid until the next call. Errors have
// type *Error with the LSN of the page.
func (p *pages) at(ctx context.Context, lsn pgdata.LSN) (page, error) {
	pg, err := p.peek(ctx, lsn)
	if err != nil {
		_ = p.close() // its first page may be invalid, and may be written later
		return nil, err
	}
	p.page, p.lsn = pg, lsn
	return pg, nil
}

// peek is at for callers that go backwards page by page: an invalid page does not discard
// what was read around it.
func (p *pages) peek(ctx context.Context, lsn pgdata.LSN) (page, error) {
	if p.page != nil && lsn == p.lsn {
		return p.page, nil
	}
	p.page = nil
	if err := p.open(ctx, lsn); err != nil {
		return nil, err
	}
	return p.load(ctx, lsn, chunkSize)
}

// probe is peek for callers that read nothing else around the page.
func (p *pages) probe(ctx context.Context, lsn pgdata.LSN) (page, error) {
	p.page = nil
	if err := p.open(ctx, lsn); err != nil {
		return nil, err
	}
	return p.load(ctx, lsn, int(p.f.Geometry.WALBlockSize))
}

// open makes seg the segment of lsn. If a segment is entered in its middle, its first page
// is validated as well: only that page identifies the file.
func (p *pages) open(ctx context.Context, lsn pgdata.LSN) error {
	s := p.f.Geometry.SegNo(lsn)
	if p.seg != nil && s == p.segNo {
		return nil
	}
	_ = p.close() // it was only read
	if lsn >= maxLSN {
		return p.fail(lsn, ErrCorrupt, "impossible WAL location")
	}
	seg, err := p.segs.OpenSegment(ctx, s)
	if err != nil {
		return p.fail(lsn, err, err.Error())
	}
	p.seg, p.segNo = seg, s
	if p.f.firstOfSegment(lsn) {
		return nil // the first page is validated next
	}
	if _, err := p.load(ctx, p.f.Geometry.SegStart(s), int(p.f.Geometry.WALBlockSize)); err != nil {
		_ = p.close()
		return err
	}
	return nil
}

// load validates the page at lsn of the open segment. If it is not in the buffer, size
// bytes around it are read.
func (p *pages) load(ctx context.Context, lsn pgdata.LSN, size int) (page, error) {
	blockSize := int(p.f.Geometry.WALBlockSize)
	if lsn < p.start || lsn >= p.start+pgdata.LSN(p.n) {
		if err := ctx.Err(); err != nil {
			return nil, p.fail(lsn, err, err.Error())
		}
		if p.buf == nil {
			p.buf = make([]byte, chunkSize)
		}
		p.n = 0
		p.start = lsn &^ pgdata.LSN(size-1)
		n, err := p.seg.ReadAt(p.buf[:size], p.offset(p.start))
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, p.fail(lsn, err, err.Error())
		}
		p.n = n
	}
	i := int(lsn - p.start)
	if i+blockSize > p.n {
		size := p.offset(p.start) + int64(p.n)
		p.n = 0
		return nil, p.fail(lsn, ErrCorrupt, fmt.Sprintf("WAL segment %s is too short: %d bytes instead of %d",
			p.seg.Name(), size, p.f.Geometry.WALSegSize))
	}
	pg := page(p.buf[i : i+blockSize : i+blockSize])
	if reason, err := p.check(pg, lsn); err != nil {
		return nil, p.fail(lsn, err, fmt.Sprintf("%s in WAL segment %s, LSN %s, offset %d",
			reason, p.seg.Name(), p.f.Version.FormatLSN(lsn), p.offset(lsn)))
	}
	return pg, nil
}

// check validates a page header in PostgreSQL's order (XLogReaderValidatePageHeader).
func (p *pages) check(pg page, lsn pgdata.LSN) (reason string, err error) {
	var (
		wal     = &p.f.Version.WAL
		magic   = binary.LittleEndian.Uint16(pg)
		flags   = pg.flags()
		address = pgdata.LSN(binary.LittleEndian.Uint64(pg[8:]))
	)
	if magic != wal.Magic {
		reason = fmt.Sprintf("invalid magic number %04X", magic)
		if allZero(pg) {
			return reason, ErrEndOfWAL
		}
		return reason, ErrCorrupt
	}
	if g := &p.f.Geometry; flags&^wal.PageFlags == 0 && flags&flagLongHeader != 0 && address < lsn && address == g.SegStart(g.SegNo(lsn)) {
		// It is the first page of a segment that was renamed to this one: see below.
		return fmt.Sprintf("unexpected pageaddr %s", p.f.Version.FormatLSN(address)), ErrEndOfWAL
	}
	if flags&^wal.PageFlags != 0 || (flags&flagLongHeader != 0) != p.f.firstOfSegment(lsn) {
		return fmt.Sprintf("invalid info bits %04X", flags), ErrCorrupt
	}
	if flags&flagLongHeader != 0 {
		sysid := binary.LittleEndian.Uint64(pg[24:])
		segSize := binary.LittleEndian.Uint32(pg[32:])
		blockSize := binary.LittleEndian.Uint32(pg[36:])
		switch {
		case p.f.SystemIdentifier != 0 && sysid != p.f.SystemIdentifier:
			return fmt.Sprintf("WAL file is from different database system: its system identifier is %d, the control file's is %d",
				sysid, p.f.SystemIdentifier), ErrCorrupt
		case segSize != p.f.Geometry.WALSegSize:
			return fmt.Sprintf("incorrect segment size %d in page header", segSize), ErrCorrupt
		case blockSize != p.f.Geometry.WALBlockSize:
			return fmt.Sprintf("incorrect XLOG_BLCKSZ %d in page header", blockSize), ErrCorrupt
		}
	}
	if address != lsn {
		reason = fmt.Sprintf("unexpected pageaddr %s", p.f.Version.FormatLSN(address))
		// Old content is not damage. A recycled segment was renamed as a whole, so its
		// pages keep their offsets. And a promotion fills the rest of its first
		// segment with copies of the page that it wrote last.
		g := &p.f.Geometry
		if (address^lsn)&pgdata.LSN(g.WALSegSize-1) == 0 || address < lsn && g.SegNo(address) == g.SegNo(lsn) {
			return reason, ErrEndOfWAL
		}
		return reason, ErrCorrupt
	}
	tli := pg.timeline()
	if lsn > p.latest && tli < p.timeline {
		// An abandoned timeline had written the page to its own
		// segment with this number, before the file was recycled.
		return fmt.Sprintf("out-of-sequence timeline ID %d (after %d)", tli, p.timeline), ErrEndOfWAL
	}
	if p.newest != 0 && tli > p.newest && p.f.Geometry.SegNo(lsn) == p.named {
		return fmt.Sprintf("timeline ID %d, newer than %d,", tli, p.newest), ErrCorrupt
	}
	p.latest, p.timeline = lsn, tli
	return "", nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// offset is the offset of lsn in its segment file.
func (p *pages) offset(lsn pgdata.LSN) int64 {
	return int64(lsn & pgdata.LSN(p.f.Geometry.WALSegSize-1))
}

// fail makes the error for a position in the WAL.
func (p *pages) fail(lsn pgdata.LSN, err error, reason string) *Error {
	e := &Error{LSN: lsn, Offset: p.offset(lsn), Reason: reason, Err: err, version: p.f.Version}
	if p.seg != nil && p.segNo == p.f.Geometry.SegNo(lsn) {
		e.File = p.seg.Name()
	}
	return e
}

// forget discards buffered data, so that WAL written since then is seen.
func (p *pages) forget() { p.page, p.n = nil, 0 }

func (p *pages) close() error {
	p.forget()
	if p.seg == nil {
		return nil
	}
	seg := p.seg
	p.seg = nil
	return seg.Close()
}

// CheckSegment checks by its first page whether a file is WAL segment s of
// the cluster. The error is an *Error.
func CheckSegment(ctx context.Context, seg Segment, s pgdata.SegNo, f Format) error {
	if err := f.validate(); err != nil {
		return err
	}
	p := pages{f: f, seg: seg, segNo: s}
	_, err := p.load(ctx, f.Geometry.SegStart(s), int(f.Geometry.WALBlockSize))
	return err
}
