package walreader

import (
	"bytes"
	"context"

	"github.com/gorewind/gorewind/pgdata"
)

// FirstDifference reads two WALs in step from the record at from. It returns the start of
// the first record that is not the same in both, byte for byte, or the position at
// which one of them ends. upTo is where to stop; zero means the end of
// either. same reports that no difference was found before that: at is then upTo, or
// that end.
//
// A WAL ends where there is no complete and valid record, whatever the reason. Errors
// of other kinds are returned. Page headers, and therefore timelines, are not
// compared, nor is what was written of a record that both abandoned.
func FirstDifference(ctx context.Context, a, b Segments, f Format, from, upTo pgdata.LSN) (at pgdata.LSN, same bool, err error) {
	one, other := NewReader(a, f), NewReader(b, f)
	defer func() { _, _ = one.Close(), other.Close() }()
	if one.err != nil {
		return 0, false, one.err
	}
	one.begin(from)
	for other.begin(from); upTo == 0 || one.pos < upTo; {
		at = one.pos
		x, errX := one.step(ctx)
		if errX != nil && !isEnd(errX) {
			return 0, false, errX
		}
		y, errY := other.step(ctx)
		switch {
		case errY != nil && !isEnd(errY):
			return 0, false, errY
		case errX != nil || errY != nil:
			return at, upTo == 0, nil
		case (x == nil) != (y == nil), one.pos != other.pos, x != nil && !bytes.Equal(one.raw, other.raw):
			return at, false, nil
		}
	}
	return upTo, true, nil
}
