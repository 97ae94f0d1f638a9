package apply

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
)

// piece is a part of a file that the source sent: where it belongs, and where it is
// in its area's blocks file. If the file is staged whole, it is in the staged file,
// at the same offset.
type piece struct {
	id     uint32 // the step's ID
	length uint32
	offset int64 // in the target's file
	at     int64 // in the blocks file
	crc    uint32
	// unread says that the bytes were never in memory, so there is no crc.
	unread bool
}

const (
	pieceSize  = 32
	unreadFlag = 1 // in a piece's last field
)

func (p *piece) encode(b []byte) {
	binary.LittleEndian.PutUint32(b[0:], p.id)
	binary.LittleEndian.PutUint32(b[4:], p.length)
	binary.LittleEndian.PutUint64(b[8:], uint64(p.offset))
	binary.LittleEndian.PutUint64(b[16:], uint64(p.at))
	binary.LittleEndian.PutUint32(b[24:], p.crc)
	var flags uint32
	if p.unread {
		flags = unreadFlag
	}
	binary.LittleEndian.PutUint32(b[28:], flags)
}

func (p *piece) decode(b []byte) {
	p.id = binary.LittleEndian.Uint32(b[0:])
	p.length = binary.LittleEndian.Uint32(b[4:])
	p.offset = int64(binary.LittleEndian.Uint64(b[8:]))
	p.at = int64(binary.LittleEndian.Uint64(b[16:]))
	p.crc = binary.LittleEndian.Uint32(b[24:])
	p.unread = binary.LittleEndian.Uint32(b[28:]) == unreadFlag
}

// writeBuffer is how much is buffered before it is written, in bytes.
const writeBuffer = 1 << 20

// appender writes to the end of a file.
type appender struct {
	f  File
	at int64
}

func (a *appender) Write(b []byte) (int, error) {
	n, err := a.f.WriteAt(b, a.at)
	a.at += int64(n)
	return n, err
}

// blocksFile stores pieces from several goroutines. Small ones are written
// together.
type blocksFile struct {
	f     File
	dirty atomic.Int64 // bytes since it was flushed

	mu    sync.Mutex
	end   int64 // of all places that were assigned
	at    int64 // the offset of buf
	buf   []byte
	spare []byte // or nil
}

// blocksBuffer is how much is buffered of small pieces, in bytes.
const blocksBuffer = 256 << 10

func newBlocksFile(d Disk, p string) (*blocksFile, error) {
	f, err := d.Open(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return &blocksFile{f: f}, err
}

// take assigns a place to length bytes.
func (b *blocksFile) take(length int64) (at int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end += length
	return b.end - length
}

// append assigns a place to data and writes it there, now or later.
func (b *blocksFile) append(data []byte) (at int64, err error) {
	if len(data) > blocksBuffer/4 {
		at = b.take(int64(len(data)))
		_, err = b.f.WriteAt(data, at)
		return at, err
	}
	at, full, fullAt := b.collect(data)
	if len(full) > 0 {
		_, err = b.f.WriteAt(full, fullAt)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.spare = full
	}
	return at, err
}

// collect adds data to the buffer. If the buffer was full, it returns the old one,
// which must be written.
func (b *blocksFile) collect(data []byte) (at int64, full []byte, fullAt int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.buf)+len(data) > cap(b.buf) {
		full, fullAt = b.buf, b.at
		if b.buf, b.spare = b.spare[:0], nil; b.buf == nil {
			b.buf = make([]byte, 0, blocksBuffer)
		}
		b.at = b.end
		b.end += blocksBuffer
	}
	b.buf = append(b.buf, data...)
	return b.at + int64(len(b.buf)-len(data)), full, fullAt
}

// close writes what is buffered.
func (b *blocksFile) close() error {
	_, err := b.f.WriteAt(b.buf, b.at)
	b.buf = nil
	return errors.Join(err, b.f.Close())
}

// wrote counts written bytes, and reports whether the file should be flushed.
func (b *blocksFile) wrote(length int64) (flush bool) {
	if b.dirty.Add(length) < flushEvery {
		return false
	}
	b.dirty.Store(0)
	return true
}

// index lists the pieces in the order of their arrival.
type index struct {
	mu      sync.Mutex
	f       File
	buf     *bufio.Writer
	records int64
	crc     uint32
}

func newIndex(d Disk, p string) (*index, error) {
	f, err := d.Open(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return &index{f: f, buf: bufio.NewWriterSize(&appender{f: f}, writeBuffer)}, err
}

func (x *index) add(p piece) error {
	var b [pieceSize]byte
	p.encode(b[:])
	x.mu.Lock()
	defer x.mu.Unlock()
	x.records++
	x.crc = crc32.Update(x.crc, castagnoli, b[:])
	_, err := x.buf.Write(b[:])
	return err
}

func (x *index) flush() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.buf.Flush()
}

// readIndex calls use for every piece, after the CRC of the whole index was
// checked.
func readIndex(d Disk, p string, records int64, crc uint32, use func(piece) error) error {
	f, err := d.Open(p, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errDamaged, err)
	} else if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	pass := func(visit func([]byte) error) error {
		r := bufio.NewReaderSize(io.NewSectionReader(f, 0, records*pieceSize), writeBuffer)
		var b [pieceSize]byte
		for range records {
			if _, err := io.ReadFull(r, b[:]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return errDamaged
			} else if err != nil {
				return err
			}
			if err := visit(b[:]); err != nil {
				return err
			}
		}
		return nil
	}
	var sum uint32
	if err := pass(func(b []byte) error { sum = crc32.Update(sum, castagnoli, b); return nil }); err != nil {
		return err
	}
	if sum != crc {
		return errDamaged
	}
	return pass(func(b []byte) error {
		var p piece
		p.decode(b)
		return use(p)
	})
}
