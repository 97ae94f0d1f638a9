// Package waltest builds WAL for tests, record by record, of any major and with
// whatever is wrong that a test needs.
package waltest

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

// Format is that of a small cluster.
func Format(version string) walreader.Format {
	return walreader.Format{
		Version: pgdata.VersionByName(version),
		Geometry: pgdata.Geometry{
			BlockSize: 8192, RelSegBlocks: 131072, WALBlockSize: 8192, WALSegSize: 1 << 20,
		},
		SystemIdentifier: 7000000000000000001,
	}
}

// Record is a record to be built.
type Record struct {
	Rmgr, Info  uint8
	XID, TopXID uint32
	Origin      uint16
	Blocks      []Block
	Main        []byte
	Body        []byte // instead of all that
}

// Block is a block reference to be built.
type Block struct {
	ID      uint8
	Flags   uint8 // has image and has data are added as needed
	Locator pgdata.RelFileLocator
	Block   uint32
	Data    []byte
	Image   []byte // nil: no image
	Hole    uint16 // hole_offset
	HoleLen uint16 // written if the image is compressed and has a hole
	Info    uint8  // bimg_info
}

// Encode makes bytes of it. Link and CRC are still to be set, see [Seal].
func (s Record) Encode(v *pgdata.Version) []byte {
	le := binary.LittleEndian
	b := make([]byte, 24)
	le.PutUint32(b[4:], s.XID)
	b[16], b[17] = s.Info, s.Rmgr
	var payload []byte
	for _, r := range s.Blocks {
		flags := r.Flags
		if r.Image != nil {
			flags |= 0x10
		}
		if len(r.Data) > 0 {
			flags |= 0x20
		}
		b = append(b, r.ID, flags)
		b = le.AppendUint16(b, uint16(len(r.Data)))
		if r.Image != nil {
			b = le.AppendUint16(b, uint16(len(r.Image)))
			b = le.AppendUint16(b, r.Hole)
			b = append(b, r.Info)
			if r.Info&v.WAL.ImageCompressed != 0 && r.Info&1 != 0 {
				b = le.AppendUint16(b, r.HoleLen)
			}
		}
		if flags&0x80 == 0 {
			b = le.AppendUint32(b, r.Locator.Tablespace)
			b = le.AppendUint32(b, r.Locator.Database)
			b = le.AppendUint32(b, r.Locator.Relation)
		}
		b = le.AppendUint32(b, r.Block)
		payload = append(append(payload, r.Image...), r.Data...)
	}
	if s.Origin != 0 {
		b = le.AppendUint16(append(b, 253), s.Origin)
	}
	if s.TopXID != 0 {
		b = le.AppendUint32(append(b, 252), s.TopXID)
	}
	switch n := len(s.Main); {
	case n > 255:
		b = le.AppendUint32(append(b, 254), uint32(n))
	case n > 0:
		b = append(b, 255, uint8(n))
	}
	b = append(append(append(b, payload...), s.Main...), s.Body...)
	le.PutUint32(b, uint32(len(b)))
	return b
}

// Seal sets the link and the CRC of an encoded record.
func Seal(rec []byte, prev pgdata.LSN) []byte {
	binary.LittleEndian.PutUint64(rec[8:], uint64(prev))
	table := crc32.MakeTable(crc32.Castagnoli)
	crc := crc32.Update(crc32.Update(0, table, rec[24:]), table, rec[:20])
	binary.LittleEndian.PutUint32(rec[20:], crc)
	return rec
}

// Built is a record as it stands in the WAL.
type Built struct {
	LSN, End, Prev pgdata.LSN
	Length         uint32
}

// Builder writes WAL into memory, beginning with a segment.
type Builder struct {
	Format  walreader.Format
	TLI     uint32
	Start   pgdata.LSN
	Prev    pgdata.LSN // start of the last record
	Buf     []byte     // from Start
	Records []Built
}

// NewBuilder begins with segment 1, as initdb does.
func NewBuilder(f walreader.Format) *Builder {
	return &Builder{Format: f, TLI: 1, Start: f.Geometry.SegStart(1)}
}

// Pos is where the next record or page header goes.
func (w *Builder) Pos() pgdata.LSN { return w.Start + pgdata.LSN(len(w.Buf)) }

func (w *Builder) atPageStart() bool { return len(w.Buf)%int(w.Format.Geometry.WALBlockSize) == 0 }

// Header begins a page.
func (w *Builder) Header(flags uint16, remaining uint32) {
	le := binary.LittleEndian
	lsn := w.Pos()
	long := len(w.Buf)%int(w.Format.Geometry.WALSegSize) == 0
	if long {
		flags |= 0x02
	}
	h := le.AppendUint16(nil, w.Format.Version.WAL.Magic)
	h = le.AppendUint16(h, flags)
	h = le.AppendUint32(h, w.TLI)
	h = le.AppendUint64(h, uint64(lsn))
	h = le.AppendUint32(h, remaining)
	h = le.AppendUint32(h, 0)
	if long {
		h = le.AppendUint64(h, w.Format.SystemIdentifier)
		h = le.AppendUint32(h, w.Format.Geometry.WALSegSize)
		h = le.AppendUint32(h, w.Format.Geometry.WALBlockSize)
	}
	w.Buf = append(w.Buf, h...)
}

// SpaceOnPage is what is left on the page.
func (w *Builder) SpaceOnPage() int {
	size := int(w.Format.Geometry.WALBlockSize)
	return size - len(w.Buf)%size
}

// Add writes a record.
func (w *Builder) Add(s Record) Built {
	if w.atPageStart() {
		w.Header(0, 0)
	}
	lsn := w.Pos()
	rec := Seal(s.Encode(w.Format.Version), w.Prev)
	w.write(rec, -1)
	w.Buf = append(w.Buf, make([]byte, -len(w.Buf)&7)...)
	if s.Rmgr == 0 && s.Info&0xF0 == 0x40 {
		w.Buf = append(w.Buf, make([]byte, -len(w.Buf)&int(w.Format.Geometry.WALSegSize-1))...)
	}
	b := Built{LSN: lsn, End: w.Pos(), Prev: w.Prev, Length: uint32(len(rec))}
	w.Records = append(w.Records, b)
	w.Prev = lsn
	return b
}

// write writes record bytes over the pages they need, but begins at most pages
// new ones, unless that is negative.
func (w *Builder) write(rec []byte, pages int) {
	for {
		n := min(len(rec), w.SpaceOnPage())
		w.Buf = append(w.Buf, rec[:n]...)
		rec = rec[n:]
		if len(rec) == 0 || pages == 0 {
			return
		}
		pages--
		w.Header(1, uint32(len(rec)))
	}
}

// Abandon writes a record only up to the end of a page, pages after the one it
// starts on, and lets an OVERWRITE_CONTRECORD follow.
func (w *Builder) Abandon(s Record, pages int) (abandoned pgdata.LSN, overwrite Built) {
	if w.atPageStart() {
		w.Header(0, 0)
	}
	abandoned = w.Pos()
	w.write(Seal(s.Encode(w.Format.Version), w.Prev), pages)
	return abandoned, w.Overwrite(abandoned)
}

// Overwrite begins a page that overwrites the rest of a record.
func (w *Builder) Overwrite(abandoned pgdata.LSN) Built {
	w.Header(w.Format.Version.WAL.OverwriteFlag, 0)
	main := binary.LittleEndian.AppendUint64(nil, uint64(abandoned))
	return w.Add(Record{Info: 0xD0, Main: append(main, make([]byte, 8)...)})
}

// Checkpoint is a checkpoint record.
func (w *Builder) Checkpoint(info uint8, redo pgdata.LSN) Built {
	main := make([]byte, w.Format.Version.WAL.CheckPointSize)
	binary.LittleEndian.PutUint64(main, uint64(redo))
	binary.LittleEndian.PutUint32(main[8:], w.TLI)
	binary.LittleEndian.PutUint32(main[12:], w.TLI)
	return w.Add(Record{Info: info, Main: main})
}

// Fill adds records until exactly left bytes of the page are.
func (w *Builder) Fill(left int) {
	if w.atPageStart() {
		w.Header(0, 0)
	}
	const smallest = 32 // header, main data header, padding
	for {
		gap := w.SpaceOnPage() - left
		switch {
		case gap == 0, left == 0 && w.atPageStart():
			return
		case gap < 0:
			w.Add(Message(w.SpaceOnPage() + 4000))
		case gap > 4000+smallest:
			w.Add(Message(4000))
		case gap < smallest:
			panic(fmt.Sprintf("cannot fill a gap of %d bytes", gap))
		default:
			w.Add(Message(gap))
		}
	}
}

// Segments cuts what was written into files; the rest of the last one is zero.
func (w *Builder) Segments() *Segments {
	m := &Segments{Format: w.Format, Files: map[pgdata.SegNo][]byte{}}
	size := int(w.Format.Geometry.WALSegSize)
	for i := 0; i < len(w.Buf); i += size {
		file := make([]byte, size)
		copy(file, w.Buf[i:])
		m.Files[w.Format.Geometry.SegNo(w.Start)+pgdata.SegNo(i/size)] = file
	}
	return m
}

// Message is a record of exactly size bytes without block references.
func Message(size int) Record {
	s := Record{Rmgr: 21, XID: 700}
	switch {
	case size >= 24+5+256:
		s.Main = make([]byte, size-24-5)
	case size > 24+2+255: // neither kind of main data header fits: use a block's data
		s.Blocks = []Block{{Locator: HeapTable, Data: make([]byte, size-24-20)}}
	case size > 24+2:
		s.Main = make([]byte, size-24-2)
	}
	for i := range s.Main {
		s.Main[i] = byte(i)
	}
	return s
}

// HeapTable is a relation.
var HeapTable = pgdata.RelFileLocator{Tablespace: 1663, Database: 5, Relation: 16384}

// Insert is a small record that changes one block.
func Insert(l pgdata.RelFileLocator, block uint32) Record {
	return Record{
		Rmgr: 10, XID: 700, Main: []byte{1, 0, 8},
		Blocks: []Block{{Locator: l, Block: block, Data: []byte("tuple data of some length")}},
	}
}

// Segments are segments in memory.
type Segments struct {
	Format walreader.Format
	Files  map[pgdata.SegNo][]byte

	mu     sync.Mutex
	Opened []pgdata.SegNo // in the order in which they were
	Open   int            // how many are
}

// OpenSegment opens one that is there.
func (m *Segments) OpenSegment(_ context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := m.Format.Geometry.WALFileName(1, s)
	file, ok := m.Files[s]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	m.Opened = append(m.Opened, s)
	m.Open++
	return &memSegment{bytes.NewReader(file), name, m}, nil
}

type memSegment struct {
	*bytes.Reader
	name string
	m    *Segments
}

func (s *memSegment) Name() string { return s.name }

func (s *memSegment) Close() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.Open--
	return nil
}

// At is what stands at lsn.
func (m *Segments) At(lsn pgdata.LSN) []byte {
	return m.Files[m.Format.Geometry.SegNo(lsn)][lsn%pgdata.LSN(m.Format.Geometry.WALSegSize):]
}
