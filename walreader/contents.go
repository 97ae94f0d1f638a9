package walreader

import (
	"encoding/binary"

	"github.com/gorewind/gorewind/pgdata"
)

// BlockContent is what a record contains for a block.
type BlockContent struct {
	Data  []byte // nil if there is none, for example because an image makes it unnecessary
	Image PageImage
}

// PageImage is a full-page image as stored in the WAL: without the hole in the
// page, which consists of zeros, and possibly compressed.
type PageImage struct {
	Bytes       []byte // nil if there is no image
	HoleOffset  uint16
	HoleLength  uint16
	Compression ImageCompression
}

// ImageCompression is how an image is compressed.
type ImageCompression uint8

// The methods. Up to 14 only pglz existed.
const (
	NotCompressed ImageCompression = iota
	PGLZ
	LZ4
	Zstd
)

// Contents returns what a record contains for each of its blocks, in the
// order of Blocks, as slices of the record. It parses the record's headers again,
// because the scan does not need the contents.
func (f Format) Contents(rec *Record, into []BlockContent) []BlockContent {
	into = into[:0]
	if len(rec.Blocks) == 0 || len(rec.raw) < recordHeaderSize {
		return into
	}
	wal := &f.Version.WAL
	var lengths [2 * (maxBlockID + 1)]int // of each block's image, and of its data
	var total int
	p := rec.raw[recordHeaderSize:]
	// decodeBody checked that all of this is complete.
	for len(into) < len(rec.Blocks) {
		switch p[0] {
		case blockIDOrigin:
			p = p[3:]
			continue
		case blockIDTopXID:
			p = p[5:]
			continue
		}
		flags, c := p[1], BlockContent{}
		n := len(into)
		lengths[2*n+1] = int(binary.LittleEndian.Uint16(p[2:]))
		p = p[4:]
		if flags&blockHasImage != 0 {
			c.Image, lengths[2*n], p = parseImage(p, wal, f.Geometry.BlockSize)
		}
		if flags&blockSameRel == 0 {
			p = p[12:]
		}
		p = p[4:]
		total += lengths[2*n] + lengths[2*n+1]
		into = append(into, c)
	}
	payload := rec.raw[len(rec.raw)-len(rec.MainData)-total:]
	for i := range into {
		image, data := lengths[2*i], lengths[2*i+1]
		if image > 0 {
			into[i].Image.Bytes = payload[:image:image]
		}
		if payload = payload[image:]; data > 0 {
			into[i].Data = payload[:data:data]
		}
		payload = payload[data:]
	}
	return into
}

// parseImage reads an image's header, and returns the length of its bytes.
func parseImage(p []byte, wal *pgdata.WALFormat, blockSize uint32) (i PageImage, length int, rest []byte) {
	info := p[4]
	length, i.HoleOffset = int(binary.LittleEndian.Uint16(p)), binary.LittleEndian.Uint16(p[2:])
	p = p[5:]
	switch {
	case info&wal.ImageCompressed == 0:
		i.HoleLength = uint16(int(blockSize) - length)
		return i, length, p
	case info&wal.ImagePGLZ != 0:
		i.Compression = PGLZ
	case info&wal.ImageLZ4 != 0:
		i.Compression = LZ4
	default:
		i.Compression = Zstd
	}
	if info&imageHasHole != 0 {
		i.HoleLength = binary.LittleEndian.Uint16(p)
		p = p[2:]
	}
	return i, length, p
}
