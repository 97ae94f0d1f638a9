package heap

import (
	"encoding/binary"
	"fmt"

	"github.com/pierrec/lz4/v4"
)

// Headers of varlenas (varatt.h). The low bits of the first byte say which kind of
// header it is: xxxxxx00 four bytes, xxxxxx10 four bytes and compressed, xxxxxxx1 one
// byte, 00000001 a TOAST pointer.
const (
	tagOnDisk       = 18 // VARTAG_ONDISK
	pointerSize     = 18 // header, tag and a varatt_external
	compressionBits = 30 // position of the method in va_tcinfo and va_extinfo
	sizeMask        = 1<<compressionBits - 1
	maxValue        = 1 << 30 // MaxAllocSize
)

// Compression is how a value is compressed.
type Compression uint8

// The methods (access/toast_compression.h). Up to 13 there was only the first.
const (
	PGLZ Compression = 0
	LZ4  Compression = 1
)

// External is a pointer to a value in a TOAST table (struct varatt_external).
type External struct {
	RawSize uint32 // size of the value with a four-byte header
	Size    uint32 // size as stored
	Method  Compression
	ValueID uint32 // chunk_id
	Table   uint32 // oid of the TOAST table
}

// Compressed reports whether the stored value is compressed.
func (e *External) Compressed() bool { return e.Size < e.RawSize-4 }

// VarlenaSize returns the size in bytes of the varlena at the start of b, header
// included.
func VarlenaSize(b []byte) (int, error) {
	switch {
	case len(b) == 0:
		return 0, corrupt("a value after the end")
	case b[0] == 1:
		if len(b) < pointerSize || b[1] != tagOnDisk {
			return 0, corrupt("a pointer that leads to no TOAST table")
		}
		return pointerSize, nil
	case b[0]&1 == 1:
		return int(b[0] >> 1), nil
	case len(b) < 4:
		return 0, corrupt("a header of %d bytes", len(b))
	}
	n := int(binary.LittleEndian.Uint32(b) >> 2)
	if n < 4 {
		return 0, corrupt("a value of %d bytes with its header", n)
	}
	return n, nil
}

// Inline returns the content of a varlena, without its header and decompressed. If it
// is in a TOAST table, it returns the pointer instead.
func Inline(raw []byte) ([]byte, *External, error) {
	n, err := VarlenaSize(raw)
	switch {
	case err != nil:
		return nil, nil, err
	case n > len(raw):
		return nil, nil, corrupt("a value of %d bytes where %d are left", n, len(raw))
	case raw[0] == 1:
		p := raw[2:]
		info := binary.LittleEndian.Uint32(p[4:])
		e := &External{
			RawSize: binary.LittleEndian.Uint32(p), Size: info & sizeMask, Method: Compression(info >> compressionBits),
			ValueID: binary.LittleEndian.Uint32(p[8:]), Table: binary.LittleEndian.Uint32(p[12:]),
		}
		if e.RawSize < 4 || e.RawSize > maxValue || e.Size > e.RawSize-4 {
			return nil, nil, corrupt("a pointer to %d bytes of %d", e.Size, e.RawSize)
		}
		return nil, e, nil
	case raw[0]&1 == 1:
		return raw[1:n], nil, nil
	case raw[0]&3 == 0:
		return raw[4:n], nil, nil
	case n < 8:
		return nil, nil, corrupt("a compressed value of %d bytes", n)
	}
	info := binary.LittleEndian.Uint32(raw[4:])
	b, err := Decompress(Compression(info>>compressionBits), raw[8:n], int(info&sizeMask))
	return b, nil, err
}

// Assemble returns the value that was stored in a TOAST table. A compressed value is
// preceded by four bytes that repeat its size and say how it was compressed.
func (e *External) Assemble(stored []byte) ([]byte, error) {
	if uint32(len(stored)) != e.Size {
		return nil, corrupt("%d bytes of a value of %d in a TOAST table", len(stored), e.Size)
	}
	if !e.Compressed() {
		return stored, nil
	}
	if len(stored) < 4 {
		return nil, corrupt("a compressed value of %d bytes", len(stored))
	}
	info := binary.LittleEndian.Uint32(stored)
	if info&sizeMask != e.RawSize-4 || Compression(info>>compressionBits) != e.Method {
		return nil, corrupt("a value of %d bytes in a TOAST table whose pointer says %d", info&sizeMask, e.RawSize-4)
	}
	return Decompress(e.Method, stored[4:], int(e.RawSize-4))
}

// Decompress decompresses a value of size bytes.
func Decompress(method Compression, b []byte, size int) ([]byte, error) {
	// No method compresses better than to a 255th, except for single bytes.
	if size > maxValue || size > 300*len(b)+300 {
		return nil, corrupt("%d bytes compressed to %d", size, len(b))
	}
	switch method {
	case PGLZ:
		return decompressPGLZ(b, size)
	case LZ4:
		out := make([]byte, size)
		n, err := lz4.UncompressBlock(b, out)
		if err != nil || n != size {
			return nil, corrupt("a value compressed with lz4")
		}
		return out, nil
	}
	return nil, fmt.Errorf("compression method %d: %w", method, ErrCorrupt)
}

// decompressPGLZ decompresses PostgreSQL's own format (common/pg_lzcompress.c): a byte
// with eight flags, and for each flag either a byte or a match of two or three bytes. A
// match has four bits of its length and twelve bits of how far back it is; if the
// length is the maximum, another byte is added to it.
func decompressPGLZ(b []byte, size int) ([]byte, error) {
	out := make([]byte, 0, size)
	for i := 0; i < len(b) && len(out) < size; {
		flags := b[i]
		i++
		for bit := 0; bit < 8 && i < len(b) && len(out) < size; bit, flags = bit+1, flags>>1 {
			if flags&1 == 0 {
				out = append(out, b[i])
				i++
				continue
			}
			if i+2 > len(b) {
				return nil, corrupt("a value compressed with pglz ends within a match")
			}
			length, back := int(b[i]&0x0F)+3, int(b[i]&0xF0)<<4|int(b[i+1])
			i += 2
			if length == 18 {
				if i >= len(b) {
					return nil, corrupt("a value compressed with pglz ends within a match")
				}
				length += int(b[i])
				i++
			}
			if back == 0 || back > len(out) {
				return nil, corrupt("a value compressed with pglz goes back %d of %d bytes", back, len(out))
			}
			for range min(length, size-len(out)) {
				out = append(out, out[len(out)-back])
			}
		}
	}
	if len(out) != size {
		return nil, corrupt("a value compressed with pglz has %d bytes of %d", len(out), size)
	}
	return out, nil
}
