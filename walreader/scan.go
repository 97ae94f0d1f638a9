package walreader

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/gorewind/gorewind/pgdata"
)

// ScanRequest says which part of a diverged cluster's WAL to scan.
type ScanRequest struct {
	Fork pgdata.LSN // divergence point: the first record that the other cluster does not have starts here, or after the page header
	End  pgdata.LSN // exactly the end of a record, the last one that the cluster's files depend on
	// Before, if not zero, asks for an older checkpoint: one that starts before it.
	Before pgdata.LSN
	Jobs   int // segments scanned at a time; zero: one per processor

	// Visitor, if not nil, makes a visitor for each segment, possibly concurrently.
	// The visitors see every record before End in the segments that were read; in
	// the oldest one also those before the checkpoint.
	Visitor func() Visitor
	// BeforeFork, if not nil, lists the resource managers whose records visitors also see
	// before the fork. Those records can be by far the most.
	BeforeFork []uint8
}

// ScanResult is what a scan found from the last common checkpoint record on,
// including that record, to the end.
type ScanResult struct {
	Checkpoint   Checkpoint     // the last one that starts before the fork
	Changes      pgdata.Changes // of main forks
	Records      int64
	Bytes        int64        // of these records, without page headers
	FirstSegment pgdata.SegNo // the segment in which Checkpoint starts
	LastSegment  pgdata.SegNo // the segment of the last byte before End

	// BlocksAfterFork counts, for every relation, the distinct blocks of its main
	// fork that records at or after the fork changed.
	BlocksAfterFork map[pgdata.RelFileLocator]int64

	Visitor Visitor // all visitors, joined; nil if none was requested
}

// Scan finds the last checkpoint that starts before the fork and every block
// that was changed from there to the end, in one parallel pass: each worker
// takes a segment, newest first, and reads all records that start in it. Then
// neighbours are joined: the last record of one must lead exactly to the first record of
// the next, which must point back to it. So the records are the same as those of one
// sequential reader, and verified just as much.
//
// Segments older than the checkpoint's may be opened ahead, but never
// cause an error; [Costly] ones are not opened ahead. If WAL does not reach back to a
// checkpoint, the error wraps what OpenSegment returned, usually
// [fs.ErrNotExist]. If the fork or the end is not between two records, it is a
// [*BoundaryError]; for an unknown record that changes relations it is an
// [*UnknownRecordError].
func Scan(ctx context.Context, segs Segments, f Format, req ScanRequest) (*ScanResult, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	s := &scan{f: f, segs: segs, fork: f.recordStart(req.Fork), end: req.End, visitor: req.Visitor}
	for id := range s.early {
		s.early[id] = req.BeforeFork == nil || slices.Contains(req.BeforeFork, uint8(id))
	}
	if s.before = s.fork; req.Before != 0 {
		s.before = min(s.before, req.Before)
	}
	if s.fork >= s.end {
		return nil, fmt.Errorf("nothing to scan: WAL ends at %s, before a record could start at the divergence point %s",
			f.Version.FormatLSN(req.End), f.Version.FormatLSN(req.Fork))
	}
	return s.run(ctx, req.Jobs)
}

// ReadRequest says which part of the WAL to read.
type ReadRequest struct {
	From    pgdata.LSN // a record starts here, or after the page header
	To      pgdata.LSN // exactly the end of a record, or where the next one starts
	Jobs    int        // segments read at a time; zero: one per processor
	Visitor func() Visitor
}

// ReadResult is the result of Read.
type ReadResult struct {
	Records int64
	Bytes   int64   // of these records, without page headers
	Visitor Visitor // all visitors, joined; nil if none was requested
}

// Read reads all records in [From, To) in parallel, joined and verified as [Scan]
// does. Visitors see only these. Of the first record's back link only the
// direction is checked. If From equals To, nothing is read.
func Read(ctx context.Context, segs Segments, f Format, req ReadRequest) (*ReadResult, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	s := &scan{f: f, segs: segs, from: f.recordStart(req.From), end: f.recordEnd(req.To), visitor: req.Visitor}
	switch to := f.recordStart(req.To); {
	case s.from == to:
		res := &ReadResult{}
		if req.Visitor != nil {
			res.Visitor = req.Visitor()
		}
		return res, nil
	case s.from > to:
		return nil, fmt.Errorf("nothing to read: %s lies before %s", f.Version.FormatLSN(req.To), f.Version.FormatLSN(req.From))
	}
	total, err := s.run(ctx, req.Jobs)
	if err != nil {
		return nil, err
	}
	return &ReadResult{Records: total.Records, Bytes: total.Bytes, Visitor: total.Visitor}, nil
}

// Costly is implemented by Segments of which some are expensive to open, for example
// because restore_command must retrieve them.
type Costly interface {
	// Costly reports whether segment s is expensive to open. A scan opens such a segment
	// only if it is needed: when all newer ones are joined and none had the checkpoint. It
	// must be safe for concurrent use.
	Costly(s pgdata.SegNo) bool
}

// run reads the segments on several processors and joins them.
func (s *scan) run(ctx context.Context, jobs int) (*ScanResult, error) {
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	s.used = make(chan *changes, 2*jobs)
	s.joined = make(chan struct{}, 1)
	work, inOrder := make(chan segmentJob), make(chan segmentJob, jobs)
	wg.Go(func() { s.produce(ctx, work, inOrder) })
	for range jobs {
		wg.Go(func() {
			r := NewReader(s.segs, s.f)
			defer func() { _ = r.Close() }()
			for job := range work {
				if uint64(job.segment) >= s.oldest.Load() {
					job.result <- s.segment(ctx, r, job.segment)
				}
			}
		})
	}
	return s.join(ctx, inOrder)
}
