package walreader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gorewind/gorewind/pgdata"
)

// ScanRequest says what part of a diverged cluster's WAL to scan.
type ScanRequest struct {
	Fork pgdata.LSN // divergence point: the first record that the other cluster does not have starts here, or behind the page header
	End  pgdata.LSN // exactly the end of a record, the last that the cluster's files depend on
	Jobs int        // segments scanned at a time; zero: as many as there are processors
}

// ScanResult is what a scan found between the last common checkpoint record,
// included, and the end.
type ScanResult struct {
	Checkpoint   Checkpoint           // the last one that starts before the fork
	Blocks       pgdata.ChangedBlocks // of main forks
	Records      int64
	Bytes        int64        // of these records, without page headers
	FirstSegment pgdata.SegNo // in which Checkpoint starts
	LastSegment  pgdata.SegNo // in which the last byte before End lies
	Lost         Lost         // what stands behind the fork
}

// Scan finds the last checkpoint that starts before the fork and every block
// that was changed from there to the end, in one parallel pass: each worker
// takes a segment, newest first, and reads all records that start in it. Then
// neighbours are joined: one's last record must lead exactly to the next one's
// first, and be what that one points back to. So the records are the same, and
// as much verified, as those of one sequential reader.
//
// Older segments than that of the checkpoint may be opened ahead, but never
// cause an error. If WAL does not reach back to a checkpoint, the error wraps
// what OpenSegment returned, usually [fs.ErrNotExist]. A fork or an end that is
// not between two records is a [*BoundaryError], an unknown record that changes
// relations an [*UnknownRecordError].
func Scan(ctx context.Context, segs Segments, f Format, req ScanRequest) (*ScanResult, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	s := &scan{f: f, fork: f.recordStart(req.Fork), end: req.End}
	if s.fork >= s.end {
		return nil, fmt.Errorf("nothing to scan: WAL ends at %s, before a record could start at the divergence point %s",
			f.Version.FormatLSN(req.End), f.Version.FormatLSN(req.Fork))
	}
	jobs := req.Jobs
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}

	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	s.used = make(chan *changes, 2*jobs)
	work, inOrder := make(chan segmentJob), make(chan segmentJob, jobs)
	wg.Go(func() { s.produce(ctx, work, inOrder) })
	for range jobs {
		wg.Go(func() {
			r := NewReader(segs, f)
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

// scan is the state that the workers of one Scan share.
type scan struct {
	f         Format
	fork, end pgdata.LSN    // start of the first diverged record; end of the last
	oldest    atomic.Uint64 // segment known to hold a checkpoint before the fork
	used      chan *changes // of segments that were joined
}

// segmentJob is one segment to scan. The result channel has room for the
// result, so that no worker waits.
type segmentJob struct {
	segment pgdata.SegNo
	result  chan *segmentScan
}

// produce hands out the segments, newest first. Both channels get each; how far
// the workers run ahead of the joining is bounded by inOrder's capacity.
func (s *scan) produce(ctx context.Context, work, inOrder chan<- segmentJob) {
	defer close(work)
	defer close(inOrder)
	for no := s.f.Geometry.SegNo(s.end - 1); ; no-- {
		job := segmentJob{no, make(chan *segmentScan, 1)}
		for _, c := range []chan<- segmentJob{inOrder, work} {
			select {
			case c <- job:
			case <-ctx.Done():
				return
			}
		}
		if no == 0 {
			return
		}
	}
}

// segmentScan is what one worker knows of the records that start in a segment.
type segmentScan struct {
	err error // why the segment could not be read to its end

	// To join it with its neighbours. Without a record, abandoned ones included,
	// first is zero and only the timelines count.
	first, last          pgdata.LSN // starts of the first and the last record
	firstPrev            pgdata.LSN // what the first one points back to
	next                 pgdata.LSN // start of the record behind the last one, in a later segment
	abandoned            pgdata.LSN // start of an abandoned record right before next, or zero
	overwritten          pgdata.LSN // what the first record declares abandoned, or zero
	oldestTLI, newestTLI uint32     // of the pages read
	atEnd                bool       // the last record ends where WAL must end

	atFork     bool       // a record starts at the fork
	afterFork  pgdata.LSN // start of the first record behind the fork, or zero
	checkpoint Checkpoint // the last before the fork; LSN zero if there is none
	unknown    error      // the first special record that is not known

	changes        *changes // all that follows counts from the checkpoint, if there is one
	records, bytes int64

	lost lostScan // behind the fork
}

// segment reads all records that start in segment no.
func (s *scan) segment(ctx context.Context, r *Reader, no pgdata.SegNo) *segmentScan {
	res := &segmentScan{lost: s.newLost(no)}
	select {
	case res.changes = <-s.used:
	default:
		res.changes = newChanges(s.f.Geometry)
	}
	res.err = s.read(ctx, r, no, res)
	if res.err != nil {
		r.pages.forget()
	}
	if res.checkpoint.LSN != 0 {
		for {
			old := s.oldest.Load()
			if old >= uint64(no) || s.oldest.CompareAndSwap(old, uint64(no)) {
				break
			}
		}
	}
	return res
}

func (s *scan) read(ctx context.Context, r *Reader, no pgdata.SegNo, res *segmentScan) error {
	begin := s.f.Geometry.SegStart(no)
	limit := begin + pgdata.LSN(s.f.Geometry.WALSegSize)
	if _, err := r.pages.at(ctx, begin); err != nil {
		return err
	}
	res.oldestTLI = r.pages.timeline
	first, err := r.firstStart(ctx, begin, min(limit, s.end)) // pages behind the end may not be written
	res.newestTLI = r.pages.timeline
	if err != nil || first == 0 || first >= s.f.recordStart(s.end) {
		return err
	}
	for r.begin(first); r.pos < limit && !res.atEnd; {
		start := r.pos
		rec, err := r.step(ctx)
		if err != nil {
			return err
		}
		switch {
		case start == s.fork:
			res.atFork = true
		case start > s.fork && res.afterFork == 0:
			res.afterFork = start
		}
		if res.first == 0 {
			res.first = start
		}
		if rec == nil {
			continue
		}
		if res.last == 0 {
			res.firstPrev = rec.Prev
			if start == res.first {
				res.overwritten = rec.overwritten()
			}
		}
		res.last = start
		if err := s.add(rec, res); err != nil {
			return err
		}
	}
	res.next, res.abandoned, res.newestTLI = r.pos, r.abandoned, r.pages.timeline
	return nil
}

// add takes one record into account.
func (s *scan) add(rec *Record, res *segmentScan) error {
	if rec.End >= s.end {
		if rec.End > s.end {
			return &BoundaryError{At: s.end, Expected: rec.End, version: s.f.Version}
		}
		res.atEnd = true
	}
	if rec.Rmgr == rmgrXLOG && rec.LSN < s.fork {
		if c, ok := rec.Checkpoint(); ok {
			res.checkpoint = c
			res.records, res.bytes, res.unknown = 0, 0, nil
			res.changes.reset()
		}
	}
	res.records++
	res.bytes += int64(rec.Length)
	if rec.Info&infoSpecialRel != 0 && res.unknown == nil {
		res.unknown = s.f.CheckSpecial(rec)
	}
	for i := range rec.Blocks {
		if b := &rec.Blocks[i]; b.Fork == pgdata.MainFork {
			res.changes.add(b.Locator, b.Block)
		}
	}
	if rec.LSN >= s.fork {
		res.lost.add(rec)
	}
	return nil
}

// join takes the segments' results, newest first, until one has the checkpoint.
func (s *scan) join(ctx context.Context, inOrder <-chan segmentJob) (*ScanResult, error) {
	var (
		g       = &s.f.Geometry
		newer   = &segmentScan{} // the neighbour in which a record starts
		tli     = ^uint32(0)     // of the newer segment's first page
		unknown error
		lost    lostScan
		total   = &ScanResult{Blocks: pgdata.ChangedBlocks{}, LastSegment: g.SegNo(s.end - 1)}
	)
	for job := range inOrder {
		var res *segmentScan
		select {
		case res = <-job.result:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if res.err != nil {
			return nil, s.cannotReach(res.err, newer)
		}
		if res.newestTLI > tli {
			return nil, s.broken(g.SegStart(job.segment+1), ErrEndOfWAL, "out-of-sequence timeline ID %d (after %d)", tli, res.newestTLI)
		}
		tli = res.oldestTLI
		if job.segment == g.SegNo(s.fork) && !res.atFork {
			next := res.afterFork
			if next == 0 {
				next = newer.first
			}
			return nil, &BoundaryError{Fork: true, At: s.fork, Expected: next, version: s.f.Version}
		}
		lost.prepend(&res.lost)
		if job.segment == g.SegNo(s.fork) {
			total.Lost = lost.report(res.lost.blocks, total.Blocks) // which has the newer segments' yet
		}
		if res.first == 0 {
			continue
		}
		if err := s.joinTwo(res, newer); err != nil {
			return nil, err
		}
		if res.last == 0 { // one abandoned record: what follows points back past it
			res.firstPrev = newer.firstPrev
		}
		newer = res
		if res.unknown != nil {
			unknown = res.unknown // the earliest counts
		}
		total.Blocks.Merge(res.changes.blocks)
		s.recycle(res)
		total.Records += res.records
		total.Bytes += res.bytes
		if res.checkpoint.LSN != 0 {
			total.Checkpoint, total.FirstSegment = res.checkpoint, job.segment
			if unknown != nil {
				return nil, unknown
			}
			return total, nil
		}
		if newer.firstPrev == 0 {
			break // the very first record
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, s.broken(newer.first, fs.ErrNotExist, "WAL begins here, without a checkpoint before the divergence point %s",
		s.f.Version.FormatLSN(s.fork))
}

// recycle gives the memory of a segment that was joined to the next one.
func (s *scan) recycle(res *segmentScan) {
	res.changes.reset()
	select {
	case s.used <- res.changes:
	default:
	}
	res.changes = nil
}

// joinTwo checks that the records of older lead to those of newer.
func (s *scan) joinTwo(older, newer *segmentScan) error {
	switch {
	case newer.first == 0: // older holds the last record
		if !older.atEnd {
			return &BoundaryError{At: s.end, Expected: older.next, version: s.f.Version}
		}
	case older.next != newer.first:
		return s.broken(newer.first, ErrCorrupt, "the record before it leads to %s", s.f.Version.FormatLSN(older.next))
	case older.abandoned != newer.overwritten:
		return s.broken(newer.first, ErrCorrupt, "mismatching overwritten LSN %s -> %s",
			s.f.Version.FormatLSN(newer.overwritten), s.f.Version.FormatLSN(older.abandoned))
	case older.last != 0 && newer.firstPrev != older.last:
		return s.broken(newer.first, ErrCorrupt, "record with incorrect prev-link %s (expected %s)",
			s.f.Version.FormatLSN(newer.firstPrev), s.f.Version.FormatLSN(older.last))
	}
	return nil
}

// cannotReach is the error of a segment that could not be read. If it is missing,
// what matters is that newer points back to a record in it.
func (s *scan) cannotReach(err error, newer *segmentScan) error {
	var e *Error
	if newer.first != 0 && errors.Is(err, fs.ErrNotExist) && errors.As(err, &e) {
		e.LSN, e.previous = newer.firstPrev, true
	}
	return err
}

// broken is the error of WAL that does not go on before lsn.
func (s *scan) broken(lsn pgdata.LSN, err error, format string, args ...any) error {
	return &Error{
		LSN: lsn, Offset: int64(lsn & pgdata.LSN(s.f.Geometry.WALSegSize-1)),
		Reason: fmt.Sprintf(format, args...), Err: err, version: s.f.Version,
	}
}
