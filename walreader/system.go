package walreader

import (
	"encoding/binary"

	"github.com/gorewind/gorewind/pgdata"
)

// SystemIdentifier is that of the cluster which wrote a WAL segment, by its first page:
// also of one that was recycled and not written to since (XLogLongPageHeaderData,
// access/xlog_internal.h). ok is false where it is no segment of this major.
func SystemIdentifier(seg Segment, v *pgdata.Version) (id uint64, ok bool) {
	var header [40]byte
	if n, _ := seg.ReadAt(header[:], 0); n < len(header) {
		return 0, false
	}
	pg := page(header[:])
	if binary.LittleEndian.Uint16(pg) != v.WAL.Magic || !pg.has(flagLongHeader) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(pg[24:]), true
}
