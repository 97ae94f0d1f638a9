package rewind

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// Phase is a phase of a rewind.
type Phase string

// The phases, in order.
const (
	PhaseInspect Phase = "inspect" // find the state of both sides
	PhaseAnalyze Phase = "analyze" // find what the target changed, and decide what to do
	PhaseStage   Phase = "stage"   // fetch from the source
	PhaseCommit  Phase = "commit"  // sync what was staged, and make sure that no server starts on the target
	PhaseApply   Phase = "apply"   // change the target's files
)

// Error is what Prepare, Apply and Resume return: the reason, and what a caller must
// know to go on.
type Error struct {
	Phase     Phase
	Condition Condition // what went wrong, as a stable name
	Action    Action    // what to do next
	// TargetUntouched: neither this run nor an interrupted one has changed the target,
	// except for crash recovery (see CrashRecovered).
	TargetUntouched bool
	// CrashRecovered: this run changed the target by crash recovery, which
	// Options.EnsureShutdown asks for, even if that failed.
	CrashRecovered bool
	// NeedsSource: the target is partly rewound in place, and finishing that needs a
	// source.
	NeedsSource bool
	Err         error
}

func (e *Error) Error() string { return textOf(e.Err, string(e.Condition)) }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Retryable reports whether the same call may succeed later with nothing to do but
// wait. False does not mean that the target is lost: see Action.
func (e *Error) Retryable() bool { return e.Action.IsWaiting() }

// BaseBackupNeeded reports whether no further attempt can succeed without
// Options.Resync, whatever else is configured or restored first.
func (e *Error) BaseBackupNeeded() bool {
	return e.Action == ActionResync || e.Action == ActionBaseBackup
}

// ExitStatus is the program's exit status: 1 if the rewind failed and the target is
// untouched, except perhaps by its crash recovery; 2 if the options were wrong; 3 if
// only a resync or a base backup can help; 4 if another run finishes the rewind.
func (e *Error) ExitStatus() int {
	switch {
	case e.BaseBackupNeeded():
		return 3
	case e.Condition == InvalidOptions: // whatever state the target is in, trying again does not help
		return 2
	case !e.TargetUntouched:
		return 4
	}
	return 1
}

// Conditions that callers can test for with errors.Is.
var (
	ErrTargetLost        = apply.ErrLost // an interrupted rewind cannot be finished: its staging area is damaged
	ErrTargetRunning     = apply.ErrRunning
	ErrTargetLocked      = apply.ErrLocked // another gorewind works on it
	ErrTargetChanged     = apply.ErrChanged
	ErrTargetNotClean    = errors.New("target server must be shut down cleanly")
	ErrNotADataDirectory = datadir.ErrNoCluster
	ErrNoControlFile     = datadir.ErrNoControlFile                                      // although it is a data directory
	ErrSourceRunning     = errors.New("source data directory must be shut down cleanly") // its server is running
	ErrSourceNotClean    = errors.New("source data directory must be shut down cleanly")
	ErrSameDirectory     = errors.New("source and target are the same data directory")
	ErrNested            = errors.New("the source and target data directories are one inside the other")
	ErrDifferentSystems  = errors.New("source and target clusters are from different systems")
	ErrIncompatible      = errors.New("clusters are not compatible with this version of pg_rewind") // that is, with each other
	ErrNoPageHints       = errors.New(`target server needs to use either data checksums or "wal_log_hints = on"`)
	ErrChecksumsDiffer   = errors.New("source and target must both have data checksums, or neither")
	ErrFullPageWrites    = errors.New("full_page_writes must be enabled in the source server")
	ErrWALLevel          = errors.New("wal_level of the source server must not be minimal")
	ErrNoHistory         = errors.New("timeline history is missing")
	ErrUnproven          = errors.New("that both sides have the same WAL before they diverged could not be proven")
	ErrCannotFollow      = errors.New("the target will not be able to follow the source")
	ErrSourceChanged     = source.ErrChanged
	ErrSourceUnavailable = source.ErrUnavailable
	ErrSourcePooled      = source.ErrPooled    // a transaction pooler is in between
	ErrSourceUntrusted   = decide.ErrUntrusted // its listing has something that no cluster has
	ErrPrivilege         = source.ErrPrivilege // the error lists all that the role lacks, and the statements that give it
	ErrPlanOutdated      = errors.New("the saved plan is not for what the two sides are now")
	ErrOptions           = errors.New("wrong options")
)

// MissingWALError says which WAL segment of the target is needed and missing. Its text
// is pg_rewind's: failover managers look for the file name in it.
type MissingWALError struct {
	Timeline pgdata.TimelineID // the one in the segment's name
	Segment  pgdata.SegNo
	Path     string // where it should be, for people
	// MayBeArchived is false if no archive is known, because neither Options nor the
	// target's configuration has a restore_command, and if Options.FetchWAL said that the
	// archive does not have the file. It is true if a command is set, even if it has just
	// failed, and if the configuration cannot be read: a failing command does not show
	// whether an archive has the file.
	MayBeArchived bool
	Err           error
}

func (e *MissingWALError) Error() string {
	return fmt.Sprintf("could not open file %q: %v", e.Path, e.Err)
}

// Unwrap returns the reason why the file could not be opened.
func (e *MissingWALError) Unwrap() error { return e.Err }

// unreadable adds to an error in reading the target's WAL which side it concerns and
// what to do.
func (a *analyzer) unreadable(err error) error {
	var wal *walreader.Error
	var missing *MissingWALError
	isWAL := errors.As(err, &wal)
	switch {
	case isWAL && errors.As(err, &missing):
		missing.MayBeArchived = a.mayBeArchived(as[*archive.NotFoundError](err))
		return &Explained{
			Err:         &reworded{missing.Error(), err},
			Consequence: strings.TrimSuffix(wal.Error(), ": "+wal.Reason),
			Hint:        a.fromWAL(),
		}
	case !judge(err).needsOther():
		return err // not about the content of WAL
	case isWAL && wal.File != "":
		return &Explained{Err: err, Detail: fmt.Sprintf("File %q: %v.", wal.File, wal.Err), Hint: a.fromWAL()}
	}
	return &Explained{Err: err, Detail: fmt.Sprintf("The WAL of the target %q is not what its histories say.", a.target.Name()), Hint: takeBase}
}

// isDamage reports whether WAL could be read but is not what it should be.
func isDamage(err error) bool {
	return errors.Is(err, walreader.ErrCorrupt) || errors.Is(err, walreader.ErrTornRecord) || errors.Is(err, walreader.ErrEndOfWAL)
}
