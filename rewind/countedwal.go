package rewind

import (
	"context"
	"sync/atomic"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// countedWAL counts the bytes that are read from segments.
type countedWAL struct {
	walreader.Segments
	bytes atomic.Int64
}

func (w *countedWAL) OpenSegment(ctx context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	seg, err := w.Segments.OpenSegment(ctx, s)
	if err != nil {
		return nil, err
	}
	return &countedSegment{seg, &w.bytes}, nil
}

// Costly reports what the wrapped segments report.
func (w *countedWAL) Costly(s pgdata.SegNo) bool {
	costly, can := w.Segments.(walreader.Costly)
	return can && costly.Costly(s)
}

type countedSegment struct {
	walreader.Segment
	bytes *atomic.Int64
}

func (s *countedSegment) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.Segment.ReadAt(p, off)
	s.bytes.Add(int64(n))
	return n, err
}
