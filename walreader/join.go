package walreader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/pgdata"
)

// join takes the segments' results, newest first, until one has the checkpoint or
// the position at which to begin.
func (s *scan) join(ctx context.Context, inOrder <-chan segmentJob) (*ScanResult, error) {
	var (
		g       = &s.f.Geometry
		newer   = &segmentScan{} // the nearest newer segment in which a record starts
		tli     = ^uint32(0)     // of the newer segment's first page
		unknown error
		total   = &ScanResult{Changes: pgdata.Changes{Blocks: pgdata.ChangedBlocks{}}, LastSegment: g.SegNo(s.end - 1)}
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
		if res.afterForkBlocks != nil {
			if !res.atFork {
				next := res.afterFork
				if next == 0 {
					next = newer.first
				}
				return nil, &BoundaryError{Fork: true, At: s.fork, Expected: next, version: s.f.Version}
			}
			total.BlocksAfterFork = countBlocks(res.afterForkBlocks.blocks, total.Changes.Blocks) // total still has only the newer segments
		}
		if total.Visitor == nil {
			total.Visitor = res.visitor
		} else {
			total.Visitor.Prepend(res.visitor)
		}
		if res.first == 0 {
			s.noteJoined(job.segment)
			continue
		}
		if err := s.joinTwo(res, newer); err != nil {
			return nil, err
		}
		if res.last == 0 { // only an abandoned record: what follows points back past it
			res.firstPrev = newer.firstPrev
		}
		newer = res
		if res.unknown != nil {
			unknown = res.unknown // the earliest counts
		}
		total.Records += res.records
		total.Bytes += res.bytes
		if s.from != 0 && job.segment == g.SegNo(s.from) {
			return total, nil
		}
		s.take(res, total)
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
		s.noteJoined(job.segment)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, s.broken(newer.first, fs.ErrNotExist, "WAL begins here, without a checkpoint before the divergence point %s",
		s.f.Version.FormatLSN(s.fork))
}

// take adds a segment's changes to the total, and releases its memory for reuse.
func (s *scan) take(res *segmentScan, total *ScanResult) {
	if res.changes == nil {
		return
	}
	total.Changes.Merge(pgdata.Changes{Blocks: res.changes.blocks, Limits: res.changes.limits.Limits})
	res.changes.reset()
	select {
	case s.used <- res.changes:
	default:
	}
	res.changes = nil
}

// countBlocks counts the blocks of both sets by relation.
func countBlocks(older, newer pgdata.ChangedBlocks) map[pgdata.RelFileLocator]int64 {
	counts := map[pgdata.RelFileLocator]int64{}
	for file, blocks := range newer {
		if more := older[file]; more != nil {
			more.Union(blocks) // its blocks are counted below
		} else {
			counts[file.Locator] += int64(blocks.Len())
		}
	}
	for file, blocks := range older {
		counts[file.Locator] += int64(blocks.Len())
	}
	return counts
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

// cannotReach is the error for a segment that could not be read. If it is missing,
// what matters is that newer points back to a record in it.
func (s *scan) cannotReach(err error, newer *segmentScan) error {
	var e *Error
	if newer.first != 0 && errors.Is(err, fs.ErrNotExist) && errors.As(err, &e) {
		e.LSN, e.previous = newer.firstPrev, true
	}
	return err
}

// broken is the error for WAL that does not continue to lsn.
func (s *scan) broken(lsn pgdata.LSN, err error, format string, args ...any) error {
	return &Error{
		LSN: lsn, Offset: int64(lsn & pgdata.LSN(s.f.Geometry.WALSegSize-1)),
		Reason: fmt.Sprintf(format, args...), Err: err, version: s.f.Version,
	}
}
