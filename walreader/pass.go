package walreader

import (
	"context"
	"sync/atomic"

	"github.com/gorewind/gorewind/pgdata"
)

// scan is the state that the workers of one Scan or Read share. It goes backwards from
// the end to a checkpoint before the fork, or to the given start.
type scan struct {
	f       Format
	segs    Segments
	fork    pgdata.LSN // start of the first diverged record; zero in a Read
	before  pgdata.LSN // the checkpoint that is wanted starts before this; the fork or earlier
	from    pgdata.LSN // start of the first record; zero in a Scan
	end     pgdata.LSN // of the last record
	visitor func() Visitor
	early   [256]bool // resource managers whose records visitors also see before the fork

	oldest atomic.Uint64 // oldest segment known to contain a checkpoint before the fork
	used   chan *changes // changes of joined segments, for reuse

	oldestJoined atomic.Uint64 // the oldest joined segment; zero: none yet
	joined       chan struct{} // receives when oldestJoined changed
}

// segmentJob is one segment to scan. The result channel has room for the
// result, so no worker waits.
type segmentJob struct {
	segment pgdata.SegNo
	result  chan *segmentScan
}

// produce hands out the segments, newest first, on both channels. How far
// the workers run ahead of the joining is limited by the capacity of inOrder, and by
// segments that are costly to open.
func (s *scan) produce(ctx context.Context, work, inOrder chan<- segmentJob) {
	defer close(work)
	defer close(inOrder)
	costly, _ := s.segs.(Costly)
	last := s.f.Geometry.SegNo(s.end - 1)
	for no := last; ; no-- {
		if s.from == 0 && costly != nil && no < last && costly.Costly(no) && !s.waitJoined(ctx, no+1) {
			return
		}
		job := segmentJob{no, make(chan *segmentScan, 1)}
		for _, c := range []chan<- segmentJob{inOrder, work} {
			select {
			case c <- job:
			case <-ctx.Done():
				return
			}
		}
		if no == 0 || s.from != 0 && no == s.f.Geometry.SegNo(s.from) {
			return
		}
	}
}

// waitJoined waits until segment no and all newer ones are joined. It returns
// false if that will not happen, for example because the checkpoint was found.
func (s *scan) waitJoined(ctx context.Context, no pgdata.SegNo) bool {
	for s.oldestJoined.Load() != uint64(no) {
		select {
		case <-s.joined:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// noteJoined wakes waitJoined after segment no was joined and older
// ones are needed.
func (s *scan) noteJoined(no pgdata.SegNo) {
	s.oldestJoined.Store(uint64(no))
	select {
	case s.joined <- struct{}{}:
	default:
	}
}

// segmentScan is a worker's result for the records that start in a segment.
type segmentScan struct {
	err error // why the segment could not be read to its end

	// For joining it with its neighbours. If no record starts in it, not even an abandoned one,
	// first is zero and only the timelines matter.
	first, last          pgdata.LSN // starts of the first and the last record
	firstPrev            pgdata.LSN // the record to which the first one points back
	next                 pgdata.LSN // start of the record after the last one, in a later segment
	abandoned            pgdata.LSN // start of an abandoned record right before next, or zero
	overwritten          pgdata.LSN // start of the record that the first one declares abandoned, or zero
	oldestTLI, newestTLI uint32     // of the pages read
	atEnd                bool       // the last record ends where WAL must end

	atFork     bool       // a record starts at the fork
	afterFork  pgdata.LSN // start of the first record after the fork, or zero
	checkpoint Checkpoint // the last one before the fork; its LSN is zero if there is none
	unknown    error      // the first special record of an unknown kind

	changes        *changes // changes from the checkpoint on, if there is one; nil in a Read
	records, bytes int64

	// The segment of the fork also has older records, so its changed blocks
	// include more than those after the fork. Nil in other segments.
	afterForkBlocks *changes

	visitor Visitor // or nil
}

// segment reads all records that start in segment no.
func (s *scan) segment(ctx context.Context, r *Reader, no pgdata.SegNo) *segmentScan {
	res := &segmentScan{}
	if s.visitor != nil {
		res.visitor = s.visitor()
	}
	if s.from == 0 {
		select {
		case res.changes = <-s.used:
		default:
			res.changes = newChanges(s.f.Geometry)
		}
		if no == s.f.Geometry.SegNo(s.fork) {
			res.afterForkBlocks = newChanges(s.f.Geometry)
		}
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
	first := s.from
	if first < begin {
		if _, err := r.pages.at(ctx, begin); err != nil {
			return err
		}
		res.oldestTLI = r.pages.timeline
		var err error
		first, err = r.firstStart(ctx, begin, min(limit, s.end)) // pages after the end may be unwritten
		res.newestTLI = r.pages.timeline
		if err != nil || first == 0 || first >= s.f.recordStart(s.end) {
			return err
		}
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

// add records one record's effects.
func (s *scan) add(rec *Record, res *segmentScan) error {
	if rec.End >= s.end {
		if rec.End > s.end {
			return &BoundaryError{At: s.end, Expected: rec.End, version: s.f.Version}
		}
		res.atEnd = true
	}
	if res.visitor != nil && (rec.LSN >= s.fork || s.early[rec.Rmgr]) {
		res.visitor.Visit(rec)
	}
	if rec.Rmgr == RmgrXLOG && rec.LSN < s.before {
		if c, ok := rec.Checkpoint(); ok {
			res.checkpoint = c
			res.records, res.bytes, res.unknown = 0, 0, nil
			res.changes.reset()
		}
	}
	res.records++
	res.bytes += int64(rec.Length)
	if res.changes == nil {
		return nil
	}
	if rec.Info&infoSpecialRel != 0 && res.unknown == nil {
		res.unknown = s.f.CheckSpecial(rec)
	}
	res.changes.addRecord(s.f, rec)
	if res.afterForkBlocks != nil && rec.LSN >= s.fork {
		res.afterForkBlocks.addBlocks(rec)
	}
	return nil
}
