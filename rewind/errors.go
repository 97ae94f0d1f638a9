package rewind

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/target"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// Phase is a part of a rewind.
type Phase string

// The phases in their order.
const (
	PhaseInspect Phase = "inspect" // what state both sides are in
	PhaseAnalyze Phase = "analyze" // what the target changed, what is to be done
	PhaseStage   Phase = "stage"   // fetch from the source
	PhaseCommit  Phase = "commit"  // make sure of what was staged, and make the target unusable for a server
	PhaseApply   Phase = "apply"   // make the target what it should be
)

// Error is what Prepare, Apply and Resume return: the reason with what a caller must
// know to go on.
type Error struct {
	Phase     Phase
	Condition Condition // what went wrong, in a stable word
	Action    Action    // what to do now
	// TargetUntouched: the rewind changed nothing, in this run or an interrupted one: the
	// target is as it was, unless CrashRecovered.
	TargetUntouched bool
	// CrashRecovered: the target's crash recovery, which Options.EnsureShutdown asks for,
	// changed it in this run, even if that failed.
	CrashRecovered bool
	// NeedsSource: the target is half rewound in place, and what finishes it takes a source.
	NeedsSource bool
	Err         error
}

func (e *Error) Error() string { return textOf(e.Err, string(e.Condition)) }

// Unwrap gives the reason.
func (e *Error) Unwrap() error { return e.Err }

// Retryable reports whether the same call may succeed later, without anybody doing
// anything but waiting. That it is false does not say that the target is lost: see
// Action.
func (e *Error) Retryable() bool { return e.Action.IsWaiting() }

// BaseBackupNeeded reports whether no further attempt can succeed without
// Options.Resync, whatever is set or brought back before it.
func (e *Error) BaseBackupNeeded() bool {
	return e.Action == ActionResync || e.Action == ActionBaseBackup
}

// ExitStatus is that with which the program ends: 1 failed, and the target is
// untouched, but perhaps for its crash recovery; 2 the options were wrong; 3 only a
// resync or a base backup can help; 4 a further run finishes the rewind.
func (e *Error) ExitStatus() int {
	switch {
	case e.BaseBackupNeeded():
		return 3
	case e.Condition == InvalidOptions: // whatever the target is, the same again does not help
		return 2
	case !e.TargetUntouched:
		return 4
	}
	return 1
}

// Conditions that callers test for with errors.Is.
var (
	ErrTargetLost        = target.ErrLost // an interrupted rewind cannot be finished: its staging area is damaged
	ErrTargetRunning     = target.ErrRunning
	ErrTargetLocked      = target.ErrLocked // another gorewind works on it
	ErrTargetChanged     = target.ErrChanged
	ErrTargetNotClean    = errors.New("target server must be shut down cleanly")
	ErrNotADataDirectory = datadir.ErrNoCluster
	ErrNoControlFile     = datadir.ErrNoControlFile                                      // but it is a data directory
	ErrSourceRunning     = errors.New("source data directory must be shut down cleanly") // its server runs
	ErrSourceNotClean    = errors.New("source data directory must be shut down cleanly")
	ErrSameDirectory     = errors.New("source and target are the same data directory")
	ErrNested            = errors.New("source and target data directories lie one inside the other")
	ErrDifferentSystems  = errors.New("source and target clusters are from different systems")
	ErrIncompatible      = errors.New("clusters are not compatible with this version of pg_rewind") // of each other, that is
	ErrNoPageHints       = errors.New(`target server needs to use either data checksums or "wal_log_hints = on"`)
	ErrChecksumsDiffer   = errors.New("source and target must both have data checksums, or neither")
	ErrFullPageWrites    = errors.New("full_page_writes must be enabled in the source server")
	ErrWALLevel          = errors.New("wal_level of the source server must not be minimal")
	ErrNoHistory         = errors.New("timeline history is missing")
	ErrUnproven          = errors.New("that both sides have the same WAL before they parted could not be proven")
	ErrCannotFollow      = errors.New("the target will not be able to follow the source")
	ErrSourceChanged     = source.ErrChanged
	ErrSourceUnavailable = source.ErrUnavailable
	ErrSourcePooled      = source.ErrPooled     // a pooler of transactions is in between
	ErrSourceUntrusted   = filemap.ErrUntrusted // it lists what no cluster has
	ErrPrivilege         = source.ErrPrivilege  // the error lists all that the role lacks, and the statements that give it
	ErrPlanOutdated      = errors.New("the saved plan is not for what the two sides are now")
	ErrOptions           = errors.New("wrong options")
)

// SpaceError says that a file system has too little room.
type SpaceError = target.SpaceError

// SourceFileError says that a file of a stopped source changed while it was copied.
type SourceFileError = target.SourceFileError

// Obstacles are all the reasons at once why a target cannot be rewound as it is:
// what cannot be written, what has no room.
type Obstacles = target.Obstacles

// MissingWALError says which WAL segment of the target is needed and not there.
// Its text is pg_rewind's: failover managers find the file's name in it.
type MissingWALError struct {
	Timeline pgdata.TimelineID
	Segment  pgdata.SegNo
	Path     string
	// MayBeArchived is false where the target's configuration has no
	// restore_command, so that nobody knows of an archive. It is true where one is
	// set, even if it just failed, and where the configuration cannot be read:
	// whether an archive has a file cannot be told from commands that fail.
	MayBeArchived bool
	Err           error
}

func (e *MissingWALError) Error() string {
	return fmt.Sprintf("could not open file %q: %v", e.Path, e.Err)
}

// Unwrap gives the reason that the file could not be opened.
func (e *MissingWALError) Unwrap() error { return e.Err }

// unreadable says of an error of the target's WAL whose it is and what to do.
func (a *analyzer) unreadable(err error) error {
	var wal *walreader.Error
	var missing *MissingWALError
	isWAL := errors.As(err, &wal)
	switch {
	case isWAL && errors.As(err, &missing):
		missing.MayBeArchived = a.mayBeArchived()
		return &Explained{
			Err:         &reworded{missing.Error(), err},
			Consequence: strings.TrimSuffix(wal.Error(), ": "+wal.Reason),
			Hint:        a.fromWAL(),
		}
	case !judge(err).needsOther():
		return err // is not about what WAL holds
	case isWAL && wal.File != "":
		return &Explained{Err: err, Detail: fmt.Sprintf("File %q: %v.", wal.File, wal.Err), Hint: a.fromWAL()}
	}
	return &Explained{Err: err, Detail: fmt.Sprintf("The WAL of the target %q is not what its histories say.", a.target.Name()), Hint: takeBase}
}

// isDamage reports whether WAL was readable, but not what it should be.
func isDamage(err error) bool {
	return errors.Is(err, walreader.ErrCorrupt) || errors.Is(err, walreader.ErrTornRecord) || errors.Is(err, walreader.ErrEndOfWAL)
}
