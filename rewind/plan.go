package rewind

import (
	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/pgdata"
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
	Lost       lost.Lost   // what the rewind throws away
	NeededWAL  []NeededWAL // what the rewound server's recovery reads, in its order
	Files      *filemap.Plan
	Warnings   []string // about what the rewind leaves to others
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
	// Segments from which WAL was read; the scan began in the middle of the first.
	FirstSegment, LastSegment pgdata.SegNo
}
