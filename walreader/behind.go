package walreader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/pgdata"
)

// segmentsAfterEnd is how many segments after the end are searched.
const segmentsAfterEnd = 2

// CheckNothingBehind looks for complete records after the end that [EndOfWAL] found. A
// server writes WAL in order, so after a crash there are none. If there is one, the invalid
// data at the end is damage, and pages may contain changes from later records. The error is
// an [*Error] that wraps ErrCorrupt. The old content of a recycled segment belongs to other
// positions, so it does not count.
func CheckNothingBehind(ctx context.Context, segs Segments, f Format, end End) error {
	r := NewReader(segs, f)
	defer func() { _ = r.Close() }()
	if r.err != nil {
		return r.err
	}
	g := &f.Geometry
	limit := g.SegStart(g.SegNo(end.LSN) + segmentsAfterEnd)
	for at := g.PageStart(end.LSN) + pgdata.LSN(g.WALBlockSize); at < limit; {
		if err := ctx.Err(); err != nil {
			return err
		}
		pg, err := r.pages.peek(ctx, at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			at = g.SegStart(g.SegNo(at) + 1)
			continue
		case err != nil && !isEnd(err):
			return err
		case err == nil:
			if start := r.startOn(pg, at); start != 0 {
				rec, err := r.ReadRecord(ctx, start)
				if err == nil && rec.Prev >= end.Last {
					return r.pages.fail(end.LSN, ErrCorrupt, fmt.Sprintf("there is no valid record, but one follows at %s", r.format(start)))
				}
				if err != nil && !isEnd(err) {
					return err
				}
			}
		}
		at += pgdata.LSN(g.WALBlockSize)
	}
	return nil
}
