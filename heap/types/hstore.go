package types

import (
	"encoding/binary"
	"fmt"
)

// Bits of hstore's header and of its entries (contrib/hstore/hstore.h).
const (
	hstoreNew   = 0x80000000
	hstoreCount = 0x0FFFFFFF
	hstoreNull  = 0x40000000
	hstoreEnd   = 0x3FFFFFFF
)

// hstore formats a number of pairs, the end offsets of each key and value, and these
// texts. Values written before 9.0 have another format, which is not supported.
func hstore(_ *Printer, dst, b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, corrupt("an hstore of %d bytes", len(b))
	}
	header := binary.LittleEndian.Uint32(b)
	if header&hstoreNew == 0 {
		return nil, fmt.Errorf("an hstore from before PostgreSQL 9.0: %w", ErrUnknown)
	}
	count := int64(header & hstoreCount)
	if 8*count > int64(len(b)-4) {
		return nil, corrupt("an hstore of %d pairs in %d bytes", count, len(b))
	}
	texts, at := b[4+8*count:], 0
	next := func(i int64) (text []byte, null bool, err error) {
		entry := binary.LittleEndian.Uint32(b[4+4*i:])
		end := int(entry & hstoreEnd)
		if end < at || end > len(texts) {
			return nil, false, corrupt("a text from %d to %d of %d bytes of an hstore", at, end, len(texts))
		}
		text, at = texts[at:end], end
		return text, entry&hstoreNull != 0, nil
	}
	for i := range count {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		key, _, err := next(2 * i)
		if err != nil {
			return nil, err
		}
		value, null, err := next(2*i + 1)
		if err != nil {
			return nil, err
		}
		dst = append(appendBackslashed(append(dst, '"'), key), `"=>`...)
		if null {
			dst = append(dst, "NULL"...)
		} else {
			dst = append(appendBackslashed(append(dst, '"'), value), '"')
		}
	}
	return dst, nil
}

// appendBackslashed puts backslashes before quotes and backslashes.
func appendBackslashed(dst, text []byte) []byte {
	for _, c := range text {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return dst
}
