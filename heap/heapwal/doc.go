// Package heapwal reads what WAL records of the Heap and Heap2 resource managers say of
// rows (access/heapam_xlog.h): which rows were inserted, updated and deleted, where,
// and what the record has of the old and new versions. It also restores page images,
// which have the rest.
//
// A new row is in its record, or in the page image that replaced it. The record of an
// update may leave out the beginning and the end of the new row if they are the same as
// in the old version: [Row.Complete] restores them.
// version: [Row.Complete] puts them back.
package heapwal

import (
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/walreader"
)

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), heap.ErrCorrupt)
}

// images restores page images. Decompressors are created on first use.
type images struct {
	blockSize int
	zstd      *zstd.Decoder
}

// restore returns the page of an image.
func (r *images) restore(i *walreader.PageImage) (heap.Page, error) {
	packed := r.blockSize - int(i.HoleLength)
	offset := int(i.HoleOffset)
	if packed < 0 || offset > packed {
		return nil, corrupt("a page image with a hole of %d bytes at %d", i.HoleLength, offset)
	}
	b, err := r.unpack(i, packed)
	if err == nil && len(b) != packed {
		err = corrupt("a page image of %d bytes instead of %d", len(b), packed)
	}
	if err != nil {
		return nil, err
	}
	page := make(heap.Page, r.blockSize)
	copy(page, b[:offset])
	copy(page[offset+int(i.HoleLength):], b[offset:])
	return page, page.Check()
}

func (r *images) unpack(i *walreader.PageImage, size int) (_ []byte, err error) {
	switch i.Compression {
	case walreader.NotCompressed:
		return i.Bytes, nil
	case walreader.PGLZ:
		return heap.Decompress(heap.PGLZ, i.Bytes, size)
	case walreader.LZ4:
		return heap.Decompress(heap.LZ4, i.Bytes, size)
	case walreader.Zstd:
		if r.zstd == nil {
			if r.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<20)); err != nil {
				return nil, err
			}
		}
		out, err := r.zstd.DecodeAll(i.Bytes, make([]byte, 0, size))
		if err != nil {
			return nil, corrupt("a page image compressed with zstd")
		}
		return out, nil
	}
	return nil, corrupt("a page image compressed in way %d", i.Compression)
}
