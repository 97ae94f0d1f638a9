package walreader_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"sync"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// format is that of a small cluster.
func format(version string) walreader.Format {
	return walreader.Format{
		Version: pgdata.VersionByName(version),
		Geometry: pgdata.Geometry{
			BlockSize: 8192, RelSegBlocks: 131072, WALBlockSize: 8192, WALSegSize: 1 << 20,
		},
		SystemIdentifier: 7000000000000000001,
	}
}

// spec is a record to be built.
type spec struct {
	rmgr, info  uint8
	xid, topXID uint32
	origin      uint16
	blocks      []blockSpec
	main        []byte
	body        []byte // instead of all that
}

// blockSpec is a block reference to be built.
type blockSpec struct {
	id      uint8
	flags   uint8 // has image and has data are added as needed
	locator pgdata.RelFileLocator
	block   uint32
	data    []byte
	image   []byte // nil: no image
	hole    uint16 // hole_offset
	holeLen uint16 // written if the image is compressed and has a hole
	info    uint8  // bimg_info
}

func (s spec) encode(v *pgdata.Version) []byte {
	le := binary.LittleEndian
	b := make([]byte, 24)
	le.PutUint32(b[4:], s.xid)
	b[16], b[17] = s.info, s.rmgr
	var payload []byte
	for _, r := range s.blocks {
		flags := r.flags
		if r.image != nil {
			flags |= 0x10
		}
		if len(r.data) > 0 {
			flags |= 0x20
		}
		b = append(b, r.id, flags)
		b = le.AppendUint16(b, uint16(len(r.data)))
		if r.image != nil {
			b = le.AppendUint16(b, uint16(len(r.image)))
			b = le.AppendUint16(b, r.hole)
			b = append(b, r.info)
			if r.info&v.WAL.ImageCompressed != 0 && r.info&1 != 0 {
				b = le.AppendUint16(b, r.holeLen)
			}
		}
		if flags&0x80 == 0 {
			b = le.AppendUint32(b, r.locator.Tablespace)
			b = le.AppendUint32(b, r.locator.Database)
			b = le.AppendUint32(b, r.locator.Relation)
		}
		b = le.AppendUint32(b, r.block)
		payload = append(append(payload, r.image...), r.data...)
	}
	if s.origin != 0 {
		b = le.AppendUint16(append(b, 253), s.origin)
	}
	if s.topXID != 0 {
		b = le.AppendUint32(append(b, 252), s.topXID)
	}
	switch n := len(s.main); {
	case n > 255:
		b = le.AppendUint32(append(b, 254), uint32(n))
	case n > 0:
		b = append(b, 255, uint8(n))
	}
	b = append(append(append(b, payload...), s.main...), s.body...)
	le.PutUint32(b, uint32(len(b)))
	return b
}

// seal sets the link and the CRC of an encoded record.
func seal(rec []byte, prev pgdata.LSN) []byte {
	binary.LittleEndian.PutUint64(rec[8:], uint64(prev))
	table := crc32.MakeTable(crc32.Castagnoli)
	crc := crc32.Update(crc32.Update(0, table, rec[24:]), table, rec[:20])
	binary.LittleEndian.PutUint32(rec[20:], crc)
	return rec
}

// built is a record as it stands in the WAL.
type built struct {
	LSN, End, Prev pgdata.LSN
	Length         uint32
}

// builder writes WAL into memory, beginning with a segment.
type builder struct {
	f       walreader.Format
	tli     uint32
	start   pgdata.LSN
	prev    pgdata.LSN // start of the last record
	buf     []byte     // from start
	records []built
}

// newBuilder begins with segment 1, as initdb does.
func newBuilder(f walreader.Format) *builder {
	return &builder{f: f, tli: 1, start: f.Geometry.SegStart(1)}
}

func (w *builder) pos() pgdata.LSN { return w.start + pgdata.LSN(len(w.buf)) }

func (w *builder) atPageStart() bool { return len(w.buf)%int(w.f.Geometry.WALBlockSize) == 0 }

// header begins a page.
func (w *builder) header(flags uint16, remaining uint32) {
	le := binary.LittleEndian
	lsn := w.pos()
	long := len(w.buf)%int(w.f.Geometry.WALSegSize) == 0
	if long {
		flags |= 0x02
	}
	h := le.AppendUint16(nil, w.f.Version.WAL.Magic)
	h = le.AppendUint16(h, flags)
	h = le.AppendUint32(h, w.tli)
	h = le.AppendUint64(h, uint64(lsn))
	h = le.AppendUint32(h, remaining)
	h = le.AppendUint32(h, 0)
	if long {
		h = le.AppendUint64(h, w.f.SystemIdentifier)
		h = le.AppendUint32(h, w.f.Geometry.WALSegSize)
		h = le.AppendUint32(h, w.f.Geometry.WALBlockSize)
	}
	w.buf = append(w.buf, h...)
}

// room is what is left on the page.
func (w *builder) room() int {
	size := int(w.f.Geometry.WALBlockSize)
	return size - len(w.buf)%size
}

// add writes a record.
func (w *builder) add(s spec) built {
	if w.atPageStart() {
		w.header(0, 0)
	}
	lsn := w.pos()
	rec := seal(s.encode(w.f.Version), w.prev)
	w.write(rec, -1)
	w.buf = append(w.buf, make([]byte, -len(w.buf)&7)...)
	if s.rmgr == 0 && s.info&0xF0 == 0x40 {
		w.buf = append(w.buf, make([]byte, -len(w.buf)&int(w.f.Geometry.WALSegSize-1))...)
	}
	b := built{LSN: lsn, End: w.pos(), Prev: w.prev, Length: uint32(len(rec))}
	w.records = append(w.records, b)
	w.prev = lsn
	return b
}

// write writes record bytes over the pages they need, but begins at most pages
// new ones, unless that is negative.
func (w *builder) write(rec []byte, pages int) {
	for {
		n := min(len(rec), w.room())
		w.buf = append(w.buf, rec[:n]...)
		rec = rec[n:]
		if len(rec) == 0 || pages == 0 {
			return
		}
		pages--
		w.header(1, uint32(len(rec)))
	}
}

// abandon writes a record only up to the end of a page, pages after the one it
// starts on, and lets an OVERWRITE_CONTRECORD follow.
func (w *builder) abandon(s spec, pages int) (abandoned pgdata.LSN, overwrite built) {
	if w.atPageStart() {
		w.header(0, 0)
	}
	abandoned = w.pos()
	w.write(seal(s.encode(w.f.Version), w.prev), pages)
	return abandoned, w.overwrite(abandoned)
}

// overwrite begins a page that overwrites the rest of a record.
func (w *builder) overwrite(abandoned pgdata.LSN) built {
	w.header(w.f.Version.WAL.OverwriteFlag, 0)
	main := binary.LittleEndian.AppendUint64(nil, uint64(abandoned))
	return w.add(spec{info: 0xD0, main: append(main, make([]byte, 8)...)})
}

// checkpoint is a checkpoint record.
func (w *builder) checkpoint(info uint8, redo pgdata.LSN) built {
	main := make([]byte, w.f.Version.WAL.CheckPointSize)
	binary.LittleEndian.PutUint64(main, uint64(redo))
	binary.LittleEndian.PutUint32(main[8:], w.tli)
	binary.LittleEndian.PutUint32(main[12:], w.tli)
	return w.add(spec{info: info, main: main})
}

// fill adds records until exactly left bytes of the page are.
func (w *builder) fill(left int) {
	if w.atPageStart() {
		w.header(0, 0)
	}
	const smallest = 32 // header, main data header, padding
	for {
		gap := w.room() - left
		switch {
		case gap == 0, left == 0 && w.atPageStart():
			return
		case gap < 0:
			w.add(message(w.room() + 4000))
		case gap > 4000+smallest:
			w.add(message(4000))
		case gap < smallest:
			panic(fmt.Sprintf("cannot fill a gap of %d bytes", gap))
		default:
			w.add(message(gap))
		}
	}
}

// segments cuts what was written into files; the rest of the last one is zero.
func (w *builder) segments() *memSegments {
	m := &memSegments{f: w.f, files: map[pgdata.SegNo][]byte{}}
	size := int(w.f.Geometry.WALSegSize)
	for i := 0; i < len(w.buf); i += size {
		file := make([]byte, size)
		copy(file, w.buf[i:])
		m.files[w.f.Geometry.SegNo(w.start)+pgdata.SegNo(i/size)] = file
	}
	return m
}

// message is a record of exactly size bytes without block references.
func message(size int) spec {
	s := spec{rmgr: 21, xid: 700}
	switch {
	case size >= 24+5+256:
		s.main = make([]byte, size-24-5)
	case size > 24+2+255: // neither kind of main data header fits: use a block's data
		s.blocks = []blockSpec{{locator: heapTable, data: make([]byte, size-24-20)}}
	case size > 24+2:
		s.main = make([]byte, size-24-2)
	}
	for i := range s.main {
		s.main[i] = byte(i)
	}
	return s
}

var heapTable = pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 16384}

// insert is a small record that changes one block.
func insert(l pgdata.RelFileLocator, block uint32) spec {
	return spec{
		rmgr: 10, xid: 700, main: []byte{1, 0, 8},
		blocks: []blockSpec{{locator: l, block: block, data: []byte("tuple data of some length")}},
	}
}

// memSegments are segments in memory.
type memSegments struct {
	f     walreader.Format
	files map[pgdata.SegNo][]byte

	mu     sync.Mutex
	opened []pgdata.SegNo
	open   int
}

func (m *memSegments) OpenSegment(_ context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := m.f.Geometry.WALFileName(1, s)
	file, ok := m.files[s]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	m.opened = append(m.opened, s)
	m.open++
	return &memSegment{bytes.NewReader(file), name, m}, nil
}

type memSegment struct {
	*bytes.Reader
	name string
	m    *memSegments
}

func (s *memSegment) Name() string { return s.name }

func (s *memSegment) Close() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.open--
	return nil
}

// at is what stands at lsn.
func (m *memSegments) at(lsn pgdata.LSN) []byte {
	return m.files[m.f.Geometry.SegNo(lsn)][lsn%pgdata.LSN(m.f.Geometry.WALSegSize):]
}
