package walreader

import (
	"context"
	"errors"

	"github.com/gorewind/gorewind/pgdata"
)

// VerifySegment proves by its content that a file is WAL segment s of the cluster,
// written to its end: every page is of this segment, and every record that starts
// in it is right, but for one that goes on in the next segment. The error is an
// *Error.
func VerifySegment(ctx context.Context, seg Segment, s pgdata.SegNo, f Format) error {
	r := NewReader(oneSegment{seg, s}, f)
	defer func() { _ = r.Close() }()
	if r.err != nil {
		return r.err
	}
	begin := f.Geometry.SegStart(s)
	end := begin + pgdata.LSN(f.Geometry.WALSegSize)
	first, err := r.firstStart(ctx, begin, end)
	if err != nil || first == 0 {
		return err
	}
	for r.begin(first); r.pos < end; {
		if _, err := r.step(ctx); errors.Is(err, errOtherSegment) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

var errOtherSegment = errors.New("it goes on in another segment")

// oneSegment has one segment, which it does not close.
type oneSegment struct {
	Segment
	no pgdata.SegNo
}

func (o oneSegment) OpenSegment(_ context.Context, s pgdata.SegNo) (Segment, error) {
	if s != o.no {
		return nil, errOtherSegment
	}
	return o, nil
}

// Close leaves the segment to whoever opened it.
func (oneSegment) Close() error { return nil }
