package rewind

import (
	"iter"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// Plan is what a rewind will do and why.
type Plan struct {
	Version *pgdata.Version
	Target  Side
	Source  Side

	// Required is false where the target can follow the source as it is; Reason
	// says why.
	Required bool
	Reason   string

	// Resumes is true where an earlier rewind was committed and did not end:
	// Apply completes that one. Of the rest only what says where the two parted
	// is set.
	Resumes bool

	// Divergence is the end of the WAL that both sides share, and the timeline
	// that it lies on. It is zero on the same timeline.
	Divergence         pgdata.LSN
	DivergenceTimeline pgdata.TimelineID

	// What follows is set where a rewind is required.
	Checkpoint walreader.Checkpoint // the last one before the divergence
	Scan       ScanSummary
	Files      *filemap.Plan
}

// Side is one of the two clusters.
type Side struct {
	Control  *controlfile.Data
	Timeline pgdata.TimelineID
	History  timeline.History
	EndOfWAL pgdata.LSN // of the target
}

// ScanSummary says what was read of the target's WAL.
type ScanSummary struct {
	Records int64
	Bytes   int64
}

// ranges lists what is fetched from the source, in the plan's order: either all
// that lies in the WAL directory, or all else.
func (r *Rewind) ranges(wal bool) iter.Seq[source.Range] {
	plan := r.plan.Files
	return func(yield func(source.Range) bool) {
		for i := range plan.Entries {
			e := &plan.Entries[i]
			if plan.IsWAL(e) == wal && !entryRanges(e, int64(plan.Geometry.BlockSize), yield) {
				return
			}
		}
	}
}

// entryRanges yields the changed blocks of a file, neighbours together, and what
// its action asks for.
func entryRanges(e *filemap.Entry, blockSize int64, yield func(source.Range) bool) bool {
	if e.Blocks != nil {
		next := source.Range{Path: e.Path}
		for b := range e.Blocks.All() {
			at := int64(b) * blockSize
			if next.Offset+next.Length != at || next.Length == 0 {
				if next.Length > 0 && !yield(next) {
					return false
				}
				next.Offset, next.Length = at, 0
			}
			next.Length += blockSize
		}
		if next.Length > 0 && !yield(next) {
			return false
		}
	}
	switch e.Action {
	case filemap.Copy:
		return yield(source.Range{Path: e.Path, Length: e.Limit()})
	case filemap.CopyTail:
		return yield(source.Range{Path: e.Path, Offset: e.TargetSize, Length: e.SourceSize - e.TargetSize})
	}
	return true
}
