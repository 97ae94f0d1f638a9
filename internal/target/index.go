package target

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
)

// piece is a part of a file that the source sent: where it belongs, and where
// it lies in its area's blocks file. Of a file that is staged whole it lies where
// it belongs, in the staged file.
type piece struct {
	id     uint32 // of the step
	length uint32
	offset int64 // in the target's file
	at     int64 // in the blocks file
	crc    uint32
}

const pieceSize = 32

func (p *piece) encode(b []byte) {
	binary.LittleEndian.PutUint32(b[0:], p.id)
	binary.LittleEndian.PutUint32(b[4:], p.length)
	binary.LittleEndian.PutUint64(b[8:], uint64(p.offset))
	binary.LittleEndian.PutUint64(b[16:], uint64(p.at))
	binary.LittleEndian.PutUint32(b[24:], p.crc)
	binary.LittleEndian.PutUint32(b[28:], 0)
}

func (p *piece) decode(b []byte) {
	p.id = binary.LittleEndian.Uint32(b[0:])
	p.length = binary.LittleEndian.Uint32(b[4:])
	p.offset = int64(binary.LittleEndian.Uint64(b[8:]))
	p.at = int64(binary.LittleEndian.Uint64(b[16:]))
	p.crc = binary.LittleEndian.Uint32(b[24:])
}

// writeBuffer is how much is collected before it is written.
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

// appendFile is an append-only file that several goroutines write to.
type appendFile struct {
	mu  sync.Mutex
	f   File
	buf *bufio.Writer
	end int64
}

func newAppendFile(d Disk, p string) (*appendFile, error) {
	f, err := d.Open(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &appendFile{f: f, buf: bufio.NewWriterSize(&appender{f: f}, writeBuffer)}, nil
}

// append gives where the data lies.
func (a *appendFile) append(b []byte) (at int64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at = a.end
	n, err := a.buf.Write(b)
	a.end += int64(n)
	return at, err
}

func (a *appendFile) flush() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.buf.Flush()
}

// index lists the pieces in the order in which they came.
type index struct {
	file    *appendFile
	mu      sync.Mutex
	records int64
	crc     uint32
}

func (x *index) add(p piece) error {
	var b [pieceSize]byte
	p.encode(b[:])
	x.mu.Lock()
	defer x.mu.Unlock()
	x.records++
	x.crc = crc32.Update(x.crc, castagnoli, b[:])
	_, err := x.file.append(b[:])
	return err
}

// readIndex calls use for every piece, after all of them were found to be as
// they were written.
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
