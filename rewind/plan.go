package rewind

import (
	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// Plan is what a rewind will do and why. It has everything that the rewind needs from
// the analysis, so that it can be saved.
type Plan struct {
	Version *pgdata.Version
	Target  Side
	Source  Side

	// Required is false if the target can follow the source as it is. Reason says why.
	Required bool
	Reason   string

	// Proven is true if the last WAL that both sides should share was read on both and is
	// the same. Otherwise Unproven says why that was not possible: then the plan relies on
	// the timeline histories, as pg_rewind does.
	Proven   bool
	Unproven string

	// Evidence is what shows what differs. PassedOver lists cheaper kinds of evidence that
	// could not be used. If Evidence is not report.ByWAL, nothing depends on WAL of the target:
	// Proven is true, and Divergence may be zero and Lost empty.
	Evidence   report.Evidence
	PassedOver []PassedOver

	// Kept lists the files and directories that stay because of Options.KeepFunc. It
	// includes those that only the source has, which are not copied. The function need not
	// be called again to carry out the plan.
	Kept []string

	// Resumes is true if an earlier rewind was committed and is not finished: Apply
	// completes that rewind. Of the other fields, only those that say where the two
	// diverged are set.
	Resumes bool

	// RecoversFirst is true if the target's crash recovery must come first: see
	// Options.ForeseeRecovery.
	RecoversFirst bool

	// Divergence is the end of the WAL that both sides share, with its timeline. It is
	// zero if the histories are the same and no rewind is required.
	Divergence         pgdata.LSN
	DivergenceTimeline pgdata.TimelineID

	// The following is set if a rewind is required.
	Checkpoint walreader.Checkpoint // the last checkpoint before the divergence
	// Start is where the rewound server's recovery starts: the oldest of Checkpoint and
	// the checkpoints up to which both sides' files are complete.
	Start walreader.Checkpoint
	// ConsistentAt is the LSN that recovery must at least reach, as far as is known before
	// anything is copied.
	ConsistentAt pgdata.LSN
	// Prepared has the transactions that are prepared by WAL from before the divergence
	// which recovery replays, each with the start of its record.
	Prepared   map[uint32]pgdata.LSN
	Scan       ScanSummary
	Lost       lost.Lost   // what the rewind discards
	NeededWAL  []NeededWAL // what the rewound server's recovery reads, in its order
	Unarchived []string    // names of WAL segments from before the divergence that the target has not archived
	Files      *filemap.Plan
	Read       int64 // bytes of the target's files that the analysis read
	Compared   int64 // bytes of each side that were compared because nothing else shows what differs
	// Damaged has the target's blocks, by path, that a comparison found to differ and that
	// have wrong checksums.
	Damaged map[string]*pgdata.BlockSet
	// Following is nil if it was not checked whether the standby will be able to stream.
	Following *Following
	Slot      string   // primary_slot_name in the rewound server's configuration
	ResetSlot bool     // the source does not have the slot that its configuration names for standbys
	Warnings  []string // about things that the operator must take care of
	Foreign   []string // the warnings that are about settings from the source's files

	// Again is true if an interrupted rewind in place is started again; this one continues
	// in place.
	Again bool

	carried carried
}

// carried is what only rewinds need of a plan: Apply, and the next run after an
// interrupted rewind in place.
type carried struct {
	Changed  pgdata.Changes    // what the target changed since Checkpoint
	Suspect  map[string]bool   // files, by path, that may be half written
	Recovery map[string][]byte // see Rewind.ownRecovery; for the next run only
}

// TargetChanges returns what the target's WAL says it changed since Checkpoint: blocks, and
// relations and databases that it created, truncated or dropped.
func (p *Plan) TargetChanges() pgdata.Changes { return p.carried.Changed }

// Side is one of the two clusters, as it was when it was analyzed.
type Side struct {
	Control *controlfile.Data
	State   source.State // set if the source is a running server

	// Timeline is the timeline at the end of the cluster's WAL, and History is its
	// history. They are taken from the WAL: a control file is late to show a new timeline.
	Timeline pgdata.TimelineID
	History  timeline.History

	// EndOfWAL is the end of the WAL that the cluster has written, received or replayed.
	// For the target, it is the end of what a server started there would replay on its
	// own; its files have no change from after that. FilesLow is the checkpoint before
	// whose redo point all changes are in its files.
	EndOfWAL pgdata.LSN
	FilesLow walreader.Checkpoint

	// Unknown is true for a target without a readable control file: Control is then the
	// source's.
	Unknown bool

	unread error // why its last checkpoint cannot be read; EndOfWAL is then only what its control file says
}

// ScanSummary says what was read of the target's WAL.
type ScanSummary struct {
	Records int64
	Bytes   int64
	// The segments from which WAL was read; the scan began somewhere inside the first.
	FirstSegment, LastSegment pgdata.SegNo
	// Proven is the first segment that is proven as a whole, see walreader.VerifySegment.
	Proven pgdata.SegNo
}
