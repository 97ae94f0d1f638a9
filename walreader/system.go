package walreader

import (
	"encoding/binary"

	"github.com/gorewind/gorewind/pgdata"
)

// SystemIdentifier is the system identifier of the cluster that wrote a WAL segment, from
// its first page. That works also for a recycled segment that was not written to since
// (XLogLongPageHeaderData, access/xlog_internal.h). ok is false if it is not a segment of
// this major.
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
