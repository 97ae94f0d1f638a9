package rewind

import (
	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// Plan is what a rewind will do and why. All that the rewind needs to know of the
// analysis is in it, so that it can be saved.
type Plan struct {
	Version *pgdata.Version
	Target  Side
	Source  Side

	// Required is false where the target can follow the source as it is; Reason
	// says why.
	Required bool
	Reason   string

	// Proven is true where the last WAL that both sides are said to share was read
	// on both and is the same. Else Unproven says why that could not be done: then
	// what the timeline histories say is believed, as pg_rewind does.
	Proven   bool
	Unproven string

	// Evidence is what shows what differs, and PassedOver which kinds that cost less
	// could not be used. Where it is not ByWAL, nothing rests on WAL of the target:
	// Proven is true, and Divergence can be zero, Lost empty.
	Evidence   Evidence
	PassedOver []PassedOver

	// Kept are the files and directories that stay because Options.KeepFunc said so, also
	// those that only the source has, and that do not come. Whoever carries out the plan
	// need not ask again.
	Kept []string

	// Resumes is true where an earlier rewind was committed and did not end:
	// Apply completes that one. Of the rest only what says where the two parted
	// is set.
	Resumes bool

	// RecoversFirst is true where the target's crash recovery is to come first: see
	// Options.ForeseeRecovery.
	RecoversFirst bool

	// Divergence is the end of the WAL that both sides share, and the timeline
	// that it lies on. It is zero where the histories are the same and no rewind is
	// required.
	Divergence         pgdata.LSN
	DivergenceTimeline pgdata.TimelineID

	// What follows is set where a rewind is required.
	Checkpoint walreader.Checkpoint // the last one before the divergence
	// Start is where the rewound server's recovery starts: the oldest of Checkpoint
	// and of the checkpoints up to which both sides' files are complete.
	Start walreader.Checkpoint
	// ConsistentAt is up to where recovery must replay at least, as far as that is
	// known before anything is copied.
	ConsistentAt pgdata.LSN
	Changed      pgdata.Changes // what the target changed since Checkpoint
	// Prepared are the transactions that WAL of before the divergence prepares and that
	// recovery replays, each with where its record starts.
	Prepared   map[uint32]pgdata.LSN
	Scan       ScanSummary
	Lost       lost.Lost   // what the rewind throws away
	NeededWAL  []NeededWAL // what the rewound server's recovery reads, in its order
	Unarchived []string    // names of WAL segments of before the divergence that wait for the target's archive_command
	Files      *filemap.Plan
	Read       int64 // bytes of the target's files that the analysis read
	Compared   int64 // bytes of each side that were compared where nothing else tells what differs
	// Damaged are blocks of the target, by path, that a comparison found different and
	// whose checksums are wrong.
	Damaged map[string]*pgdata.BlockSet
	// Following is nil where it was not tried whether the standby will be able to stream.
	Following *Following
	Slot      string   // the primary_slot_name that the configuration of the rewound server gives
	ResetSlot bool     // the source has no slot of the name that its configuration gives its standbys
	Warnings  []string // about what the rewind leaves to others
	Foreign   []string // those of them that are about settings which come with the source's files

	// Again is true where an interrupted rewind in place is begun again: this one
	// goes on in place. Suspect are the files, by path, that may be half written,
	// and Recovery is the target's own recovery.conf or recovery.done.
	Again    bool
	Suspect  map[string]bool
	Recovery map[string][]byte
}

// Side is one of the two clusters, as it was when the analysis looked at it.
type Side struct {
	Control *controlfile.Data
	State   source.State // of a source that is a running server

	// Timeline is that of the end of its WAL, and History how that came to be. They
	// are what its WAL says: a control file tells of a new timeline late.
	Timeline pgdata.TimelineID
	History  timeline.History

	// EndOfWAL is the end of what it has written, received or replayed: of the
	// target, what a server started there would replay before it asks anybody, and
	// no change of after that is in its files. FilesLow is the redo point before
	// which all changes are in its files.
	EndOfWAL pgdata.LSN
	FilesLow walreader.Checkpoint

	// Unknown is true of a target without a readable control file: what Control says is
	// the source's.
	Unknown bool

	unread error // why its last checkpoint cannot be read, so that EndOfWAL is only what its control file says
}

// ScanSummary says what was read of the target's WAL.
type ScanSummary struct {
	Records int64
	Bytes   int64
	// Segments from which WAL was read; the scan began in the middle of the first.
	FirstSegment, LastSegment pgdata.SegNo
	// Proven is the first of them of which all is proven, see walreader.VerifySegment.
	Proven pgdata.SegNo
}
