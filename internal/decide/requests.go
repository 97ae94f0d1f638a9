package decide

import (
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// minCopy is the least number of bytes that are requested of a copied file: small files that
// grew since they were listed arrive complete.
const minCopy = 1 << 20

// Limit is the offset up to which bytes of the file may be requested from the source. A
// running server may write the unwritten rest of a WAL segment in the meantime.
func Limit(e *filemap.Entry) int64 {
	if e.Action == filemap.Copy {
		return max(e.SourceSize, minCopy)
	}
	return e.SourceSize
}

// Asks reports whether the plan requests these bytes of the file from the source.
func Asks(e *filemap.Entry, g pgdata.Geometry, offset, length int64) bool {
	if offset < 0 || offset > Limit(e) || length > Limit(e)-offset {
		return false
	}
	if e.Action == filemap.Copy || e.Action == filemap.CopyTail && offset >= e.TailStart(g) {
		return true
	}
	size := int64(g.BlockSize)
	for b := offset / size; b*size < offset+length; b++ {
		if e.Blocks == nil || !e.Blocks.Has(pgdata.BlockNumber(b)) {
			return false
		}
	}
	return true
}
