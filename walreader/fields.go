package walreader

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// fields reads a struct field by field. If the data is too short, it returns zeros and
// remembers that.
type fields struct {
	rest []byte
	bad  bool
}

// take returns the next n bytes, or nil.
func (f *fields) take(n uint64) []byte {
	if n > uint64(len(f.rest)) {
		f.rest, f.bad = nil, true
		return nil
	}
	b := f.rest[:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) uint32() uint32 {
	if b := f.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// array reads a count, and returns the bytes of that many elements of a size.
func (f *fields) array(size int) []byte {
	return f.take(uint64(f.uint32()) * uint64(size))
}

// text reads a string up to its terminating zero byte, which must be there.
func (f *fields) text() []byte {
	n := bytes.IndexByte(f.rest, 0)
	if n < 0 {
		f.rest, f.bad = nil, true
		return nil
	}
	return f.take(uint64(n) + 1)[:n]
}

func (f *fields) locator() pgdata.RelFileLocator {
	return pgdata.RelFileLocator{Tablespace: f.uint32(), Database: f.uint32(), Relation: f.uint32()}
}

// postgresEpoch is the epoch of a TimestampTz, 2000-01-01, in
// microseconds of Unix time (datatype/timestamp.h).
const postgresEpoch = 946_684_800 * 1_000_000

// timestamp reads a TimestampTz. It returns the zero time if there is none or it is
// implausible: before 1970, or after the year 9999, which JSON cannot represent.
func (f *fields) timestamp() time.Time {
	b := f.take(8)
	if b == nil {
		return time.Time{}
	}
	t := int64(binary.LittleEndian.Uint64(b))
	const last = 252_455_616_000 * 1_000_000 // 10000-01-01
	if t < -postgresEpoch || t >= last {
		f.bad = true
		return time.Time{}
	}
	return time.UnixMicro(t + postgresEpoch).UTC()
}
