package rewind

import (
	"context"
	"errors"
	"io/fs"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/recovery"
	"github.com/gorewind/gorewind/internal/target"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// Condition is a stable word for what went wrong, for programs that decide on it
// and for the JSON that they read.
type Condition string

// The conditions. Next to each stands what errors.Is or errors.As finds.
const (
	Interrupted         Condition = "interrupted"          // context.Canceled, context.DeadlineExceeded
	TargetLocked        Condition = "target_locked"        // ErrTargetLocked
	TargetRunning       Condition = "target_running"       // ErrTargetRunning
	TargetChanged       Condition = "target_changed"       // ErrTargetChanged
	TargetNotClean      Condition = "target_not_clean"     // ErrTargetNotClean, and where crash recovery failed or cannot be done
	TargetLost          Condition = "target_lost"          // an interrupted rewind cannot be finished: its staging area is damaged
	SourceRunning       Condition = "source_running"       // ErrSourceRunning
	SourceNotClean      Condition = "source_not_clean"     // ErrSourceNotClean
	SourceUnavailable   Condition = "source_unavailable"   // ErrSourceUnavailable
	SourceChanged       Condition = "source_changed"       // ErrSourceChanged, *SourceFileError
	SourcePooled        Condition = "source_pooled"        // ErrSourcePooled
	SourceDamaged       Condition = "source_damaged"       // ErrSourceDamaged, *DamagedPagesError
	SourceUntrusted     Condition = "source_untrusted"     // ErrSourceUntrusted, source.ErrUntrusted, ErrUnsafePath
	MissingPrivilege    Condition = "missing_privilege"    // ErrPrivilege; the error names the statements to run
	SameDirectory       Condition = "same_directory"       // ErrSameDirectory, ErrNested
	DifferentSystems    Condition = "different_systems"    // ErrDifferentSystems
	Incompatible        Condition = "incompatible"         // ErrIncompatible
	UnsupportedVersion  Condition = "unsupported_version"  // *pgdata.UnsupportedVersionError
	DamagedControlFile  Condition = "damaged_control_file" // *controlfile.Error
	DamagedHistory      Condition = "damaged_history"      // *timeline.ParseError, ErrNoHistory
	NoPageHints         Condition = "no_page_hints"        // ErrNoPageHints
	FullPageWritesOff   Condition = "full_page_writes_off" // ErrFullPageWrites
	WALLevelMinimal     Condition = "wal_level_minimal"    // ErrWALLevel
	ChecksumsDiffer     Condition = "checksums_differ"     // ErrChecksumsDiffer
	ForkUnknown         Condition = "fork_unknown"         // ErrForkUnknown
	UnsafeReplay        Condition = "unsafe_replay"        // ErrUnsafeReplay
	Unproven            Condition = "unproven"             // ErrUnproven; only with Options.Resync
	CannotFollow        Condition = "cannot_follow"        // ErrCannotFollow; only with Options.Resync, CheckReplication or MakeSlot
	OtherTimeline       Condition = "other_timeline"       // ErrOtherTimeline
	NoCommonAncestor    Condition = "no_common_ancestor"   // timeline.ErrNoCommonAncestor
	MissingWAL          Condition = "missing_wal"          // *MissingWALError, *CannotStartError: a segment that is needed is nowhere
	DamagedWAL          Condition = "damaged_wal"          // *walreader.Error, *walreader.BoundaryError
	UnknownWALRecord    Condition = "unknown_wal_record"   // *walreader.UnknownRecordError
	ArchiveFailed       Condition = "archive_failed"       // ErrNoRestoreCommand, *FetchWALError, and where restore_command fails
	BadConfiguration    Condition = "bad_configuration"    // the target's configuration cannot be read
	NoSpace             Condition = "no_space"             // *SpaceError, and ENOSPC and EDQUOT where they are the target's
	TargetNotWritable   Condition = "target_not_writable"  // Obstacles, and fs.ErrPermission where it is the target's
	PlanOutdated        Condition = "plan_outdated"        // ErrPlanOutdated
	NothingToResume     Condition = "nothing_to_resume"    // ErrNothingToResume
	InvalidOptions      Condition = "invalid_options"      // ErrOptions
	UnexpectedCondition Condition = "unexpected"           // anything else
)

// verdict is what a condition means for whoever wants to go on.
type verdict struct {
	condition Condition
	temporary bool // the same call may succeed later
	lost      bool // only a base backup can help, or a resync
	resync    bool // other evidence than the target's WAL helps
	is        func(error) bool
}

// verdicts are looked through in their order: the first that an error is.
var verdicts = []verdict{
	{condition: Interrupted, temporary: true, is: anyOf(context.Canceled, context.DeadlineExceeded)},
	{condition: TargetLost, lost: true, is: anyOf(target.ErrLost)},
	{condition: TargetLocked, temporary: true, is: anyOf(ErrTargetLocked)},
	{condition: TargetRunning, is: anyOf(ErrTargetRunning, recovery.ErrRunning)},
	{condition: TargetChanged, is: anyOf(ErrTargetChanged)},
	{condition: TargetNotClean, resync: true, is: anyOf(ErrTargetNotClean, recovery.ErrInconsistent, recovery.ErrStillUnclean)},
	{condition: TargetNotClean, resync: true, is: as[*recovery.NotFoundError]},
	{condition: SourceRunning, is: anyOf(ErrSourceRunning)},
	{condition: SourceNotClean, is: anyOf(ErrSourceNotClean)},
	{condition: MissingPrivilege, is: anyOf(ErrPrivilege)},
	{condition: SourceUnavailable, temporary: true, is: anyOf(ErrSourceUnavailable)},
	{condition: PlanOutdated, is: anyOf(ErrPlanOutdated)},
	{condition: SourceChanged, temporary: true, is: anyOf(ErrSourceChanged)},
	{condition: SourceChanged, temporary: true, is: as[*SourceFileError]},
	{condition: SourcePooled, is: anyOf(ErrSourcePooled)},
	{condition: SourceDamaged, is: anyOf(ErrSourceDamaged)},
	{condition: SourceUntrusted, is: anyOf(ErrSourceUntrusted, source.ErrUntrusted, datadir.ErrUnsafePath)},
	{condition: SameDirectory, is: anyOf(ErrSameDirectory, ErrNested)},
	{condition: DifferentSystems, is: anyOf(ErrDifferentSystems)},
	{condition: Incompatible, is: anyOf(ErrIncompatible)},
	{condition: UnsupportedVersion, is: as[*pgdata.UnsupportedVersionError]},
	{condition: DamagedControlFile, is: as[*controlfile.Error]},
	{condition: DamagedHistory, resync: true, is: as[*timeline.ParseError]},
	{condition: DamagedHistory, resync: true, is: anyOf(ErrNoHistory)},
	{condition: NoPageHints, lost: true, resync: true, is: anyOf(ErrNoPageHints)},
	{condition: FullPageWritesOff, resync: true, is: anyOf(ErrFullPageWrites)},
	{condition: WALLevelMinimal, lost: true, resync: true, is: anyOf(ErrWALLevel)},
	{condition: ChecksumsDiffer, resync: true, is: anyOf(ErrChecksumsDiffer)},
	{condition: ForkUnknown, lost: true, resync: true, is: anyOf(ErrForkUnknown)},
	{condition: UnsafeReplay, lost: true, resync: true, is: anyOf(ErrUnsafeReplay)},
	{condition: Unproven, resync: true, is: anyOf(ErrUnproven)},
	{condition: CannotFollow, temporary: true, is: isBusyPrimary},
	{condition: CannotFollow, is: anyOf(source.ErrNoReplication, source.ErrSlotExists)},
	{condition: CannotFollow, resync: true, is: anyOf(ErrCannotFollow)},
	{condition: OtherTimeline, is: anyOf(ErrOtherTimeline)},
	{condition: NoCommonAncestor, lost: true, resync: true, is: anyOf(timeline.ErrNoCommonAncestor)},
	{condition: MissingWAL, lost: true, resync: true, is: isLostWAL},
	{condition: MissingWAL, resync: true, is: anyOf(ErrChangesUnknown)},
	{condition: DamagedWAL, lost: true, resync: true, is: func(err error) bool { return as[*walreader.Error](err) && isDamage(err) }},
	{condition: DamagedWAL, lost: true, resync: true, is: as[*walreader.BoundaryError]},
	{condition: UnknownWALRecord, resync: true, is: as[*walreader.UnknownRecordError]},
	{condition: MissingWAL, resync: true, is: func(err error) bool { return as[*MissingWALError](err) || as[*CannotStartError](err) }},
	{condition: ArchiveFailed, temporary: true, is: as[*FetchWALError]},
	{condition: ArchiveFailed, is: func(err error) bool {
		return errors.Is(err, ErrNoRestoreCommand) || as[*archive.CommandError](err) || as[*archive.NotFoundError](err)
	}},
	{condition: BadConfiguration, is: as[*pgconf.SyntaxError]},
	{condition: NoSpace, is: func(err error) bool {
		var full *target.Refusal
		return as[*SpaceError](err) || errors.As(err, &full) && full.NoRoom()
	}},
	{condition: TargetNotWritable, is: func(err error) bool { return as[Obstacles](err) || as[*target.Refusal](err) }},
	{condition: NothingToResume, is: anyOf(ErrNothingToResume)},
	{condition: InvalidOptions, is: anyOf(ErrOptions)},
	{condition: UnexpectedCondition, is: func(error) bool { return true }},
}

// isLostWAL reports whether WAL is missing that no archive can have either.
func isLostWAL(err error) bool {
	var segment *MissingWALError
	var start *CannotStartError
	switch {
	case errors.As(err, &start):
		return !start.MayBeArchived
	case errors.As(err, &segment):
		return !segment.MayBeArchived && errors.Is(err, fs.ErrNotExist)
	}
	return false
}

// isBusyPrimary reports whether a standby could not stream just now.
func isBusyPrimary(err error) bool {
	var not *source.ReplicationError
	return errors.As(err, &not) && not.Temporary
}

func anyOf(sentinels ...error) func(error) bool {
	return func(err error) bool {
		for _, s := range sentinels {
			if errors.Is(err, s) {
				return true
			}
		}
		return false
	}
}

func as[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// judge finds an error's condition.
func judge(err error) verdict {
	for _, v := range verdicts {
		if v.is(err) {
			return v
		}
	}
	return verdict{}
}

// Classify makes an *Error of one that came before Prepare, such as that of
// opening a source. It leaves an *Error as it is.
func Classify(err error) *Error {
	var already *Error
	if err == nil || errors.As(err, &already) {
		return already
	}
	v := judge(err)
	return &Error{
		Phase: Inspect, Condition: v.condition, TargetUntouched: true, Retryable: v.temporary,
		BaseBackupNeeded: v.lost, Err: explain(err),
	}
}
