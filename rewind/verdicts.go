package rewind

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/recovery"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// verdict says what an error means for a caller who wants to continue.
type verdict struct {
	condition Condition
	action    Action // if the target is unchanged and Options.Resync was not given
	resync    bool   // evidence other than the target's WAL helps
	is        func(error) bool
	hint      string // what to do, if the error itself does not say
}

// needsOther reports whether no further attempt of the same kind can succeed.
func (v verdict) needsOther() bool { return v.action == ActionResync || v.action == ActionBaseBackup }

// Hints that several errors share.
const (
	again     = "Run gorewind again."
	checkDirs = "Check that both are the ones that you mean."
)

// verdicts are tried in this order; the first match counts. So an error that may be
// wrapped by another comes after that one.
var verdicts = []verdict{
	{Interrupted, ActionRetry, false, anyOf(context.Canceled, context.DeadlineExceeded), again},
	{TargetLost, ActionBaseBackup, false, anyOf(ErrTargetLost), takeBase},
	{TargetLocked, ActionRetry, false, anyOf(ErrTargetLocked), ""},
	{TargetRunning, ActionFix, false, anyOf(ErrTargetRunning, recovery.ErrRunning), "Stop it, and run gorewind again."},
	{TargetChanged, ActionFix, false, anyOf(ErrTargetChanged), ""},
	{TargetNotClean, ActionFix, true, either(anyOf(ErrTargetNotClean, recovery.ErrInconsistent, recovery.ErrStillUnclean), as[*recovery.NotFoundError]), stopAgain},
	{SourceRunning, ActionFix, false, anyOf(ErrSourceRunning), "Stop it, or give the running server as Options.Source."},
	{SourceNotClean, ActionFix, false, anyOf(ErrSourceNotClean), stopAgain},

	{CannotFollow, ActionRetry, false, isBusyPrimary, ""},
	{CannotFollow, ActionFix, false, anyOf(source.ErrNoReplication, source.ErrSlotExists), "Correct that on the source, or in Options.PrimaryConnInfo."},
	{CannotFollow, ActionFix, true, anyOf(ErrCannotFollow), "Bring that WAL back to the source or an archive, or take a base backup."},

	{MissingPrivilege, ActionFix, false, anyOf(ErrPrivilege), ""},
	{SourceStarting, ActionRetryWithSource, false, anyOf(source.ErrNotReady), ""},
	{TooManyConnections, ActionRetryWithSource, false, anyOf(source.ErrTooManyConnections), ""},
	{WrongKindOfSource, ActionRetryWithSource, false, anyOf(source.ErrWrongKind), ""}, // it may be promoted yet
	{UnknownHost, ActionRetryWithSource, false, both(anyOf(source.ErrUnknownHost), anyOf(source.ErrUnavailable)), ""},
	{UnknownHost, ActionFix, false, anyOf(source.ErrUnknownHost), ""},
	{SourceUnreachable, ActionRetryWithSource, false, anyOf(source.ErrUnreachable), ""},
	{WrongPassword, ActionFix, false, anyOf(source.ErrWrongPassword), ""},
	{NoPassword, ActionFix, false, anyOf(source.ErrNoPassword), ""},
	{ConnectionNotAllowed, ActionFix, false, anyOf(source.ErrNotAllowed), ""},
	{NoSuchDatabase, ActionFix, false, anyOf(source.ErrNoDatabase), ""},
	{NoSuchRole, ActionFix, false, anyOf(source.ErrNoRole), ""},
	{TLSFailed, ActionFix, false, anyOf(source.ErrNoTLS, source.ErrTLS), ""},
	{BadConnString, ActionFix, false, anyOf(source.ErrConnString), ""},
	{SourceUnavailable, ActionRetryWithSource, false, anyOf(ErrSourceUnavailable), ""},
	{PlanOutdated, ActionFix, false, anyOf(ErrPlanOutdated), "Make a new plan, or run without one."},
	{SourceChanged, ActionRetry, false, either(anyOf(ErrSourceChanged), as[*apply.SourceFileError], as[*SourceFileError]), again},
	{SourcePooled, ActionFix, false, anyOf(ErrSourcePooled), "Connect to the server itself."},
	{SourceDamaged, ActionFix, false, anyOf(ErrSourceDamaged), "Repair the source, take another one, or copy these pages as they are with Options.NoVerifyChecksums."},
	{SourceUntrusted, ActionFix, false, anyOf(ErrSourceUntrusted, source.ErrUntrusted, datadir.ErrUnsafePath), "Find out what answers there before you run gorewind again."},
	{SameDirectory, ActionFix, false, anyOf(ErrSameDirectory, ErrNested), "Give two different directories."},
	{MissingControlFile, ActionFix, false, both(ofSource, anyOf(ErrNoControlFile)), "Take another source."},
	{MissingControlFile, ActionResync, true, anyOf(ErrNoControlFile), "Bring it back from a backup, or resync with Options.Resync, by a comparison of all files, or take a base backup."},
	{NotADataDirectory, ActionFix, false, anyOf(ErrNotADataDirectory), "Give the data directory of a PostgreSQL cluster."},
	{DifferentSystems, ActionFix, false, anyOf(ErrDifferentSystems), checkDirs},
	{Incompatible, ActionFix, false, anyOf(ErrIncompatible, controlfile.ErrPlatform), checkDirs},
	{UnsupportedVersion, ActionFix, false, as[*pgdata.UnsupportedVersionError], "Take a gorewind that knows this version."},
	{DamagedControlFile, ActionFix, false, both(ofSource, as[*controlfile.Error]), "Take another source."},
	{DamagedControlFile, ActionResync, true, as[*controlfile.Error], "Bring it back from a backup, or resync with Options.Resync, by a comparison of all files, or take a base backup."},
	{DamagedHistory, ActionFix, true, either(anyOf(ErrNoHistory), as[*timeline.ParseError]), "Copy it there from an archive or another server of the cluster."},
	{NoPageHints, ActionResync, true, anyOf(ErrNoPageHints), takeBase},
	{FullPageWritesOff, ActionFix, true, anyOf(ErrFullPageWrites), "Set full_page_writes = on on the source, and run gorewind again after a checkpoint."},
	{WALLevelMinimal, ActionResync, true, anyOf(ErrWALLevel), takeBase},
	{ChecksumsDiffer, ActionFix, true, anyOf(ErrChecksumsDiffer), "Switch them with pg_checksums on one of them."},
	{ForkUnknown, ActionResync, true, anyOf(ErrForkUnknown), takeBase},
	{UnsafeReplay, ActionResync, true, anyOf(ErrUnsafeReplay), takeBase},
	{Unproven, ActionResync, true, anyOf(ErrUnproven), takeBase},
	{OtherTimeline, ActionFix, false, anyOf(ErrOtherTimeline), "Remove the history of that timeline from the archive, or take the source that is on it."},
	{NoCommonAncestor, ActionResync, true, anyOf(timeline.ErrNoCommonAncestor), takeBase},
	{ArchiveFailed, ActionRetry, false, either(isPassingFailure, as[*archive.FetchError], as[*FetchWALError]), ""},
	{ArchiveFailed, ActionFix, false, anyOf(ErrNoRestoreCommand), "Set it in the target's configuration, or give Options.RestoreCommand."},
	{ArchiveFailed, ActionFix, false, as[*archive.CommandError], ""}, // which says where to correct it
	{MissingWAL, ActionResync, true, isLostWAL, takeBase},
	{MissingWAL, ActionResync, true, anyOf(ErrChangesUnknown), takeBase},
	{DamagedWAL, ActionResync, true, isDamagedWAL, takeBase},
	{DamagedWAL, ActionResync, true, as[*walreader.BoundaryError], takeBase},
	{UnknownWALRecord, ActionResync, true, as[*walreader.UnknownRecordError], "Take a gorewind that knows it, or a base backup."},
	{MissingWAL, ActionFix, true, either(as[*MissingWALError], as[*CannotStartError]), "Copy it there from an archive, else take a base backup."},
	{ArchiveFailed, ActionFix, false, as[*archive.NotFoundError], ""},
	{BadConfiguration, ActionFix, false, either(as[*pgconf.SyntaxError], as[*pgconf.SeveralTargetsError]), ""},
	{NoSpace, ActionFix, false, isFull, "Free room there, and run gorewind again."},
	{TargetNotWritable, ActionFix, false, either(as[apply.Obstacles], as[Obstacles], as[*apply.AccessError]), "Let the user that runs gorewind read and write there."},
	{NothingToResume, ActionFix, false, anyOf(ErrNothingToResume), "Run a rewind."},
	{InvalidOptions, ActionFix, false, anyOf(ErrOptions), ""},
	{UnexpectedCondition, ActionFix, false, as[*source.ConnectError], ""}, // its message has advice
	{UnexpectedCondition, ActionFix, false, func(error) bool { return true }, "Correct that, and run gorewind again."},
}

// judge finds an error's verdict.
func judge(err error) verdict {
	for _, v := range verdicts {
		if v.is(err) {
			return v
		}
	}
	return verdict{}
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

func isDamagedWAL(err error) bool { return as[*walreader.Error](err) && isDamage(err) }

// isBusyPrimary reports whether a standby could not stream only for the moment.
func isBusyPrimary(err error) bool {
	var not *source.ReplicationError
	return errors.As(err, &not) && not.Temporary
}

// isPassingFailure reports whether an archive command failed in a way that may pass.
// For restore_command, the exit status tells a server the difference between such a
// failure and a missing file.
func isPassingFailure(err error) bool {
	var failed *archive.CommandError
	return errors.As(err, &failed) && failed.MayPass() || as[*archive.NotArchivedError](err)
}

func isFull(err error) bool {
	var full *apply.AccessError
	return either(as[*apply.SpaceError], as[*SpaceError])(err) || errors.As(err, &full) && full.NoSpace()
}

// sourceError marks an error as concerning the source, if it could also be about the
// target.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

func ofSource(err error) bool { return either(as[*sourceError], as[*source.DirError])(err) }

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

func either(these ...func(error) bool) func(error) bool {
	return func(err error) bool {
		return slices.ContainsFunc(these, func(is func(error) bool) bool { return is(err) })
	}
}

func both(a, b func(error) bool) func(error) bool {
	return func(err error) bool { return a(err) && b(err) }
}

func as[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// Classify makes an *Error of an error from before Prepare, such as one from opening a
// source. It leaves an *Error unchanged.
func Classify(err error) *Error {
	var already *Error
	if err == nil || errors.As(err, &already) {
		return already
	}
	v := judge(err)
	return &Error{Phase: PhaseInspect, Condition: v.condition, Action: v.action, TargetUntouched: true, Err: v.tell(err, v.hint)}
}

// Classify is the function Classify for errors that occur after ReadStatus and before
// Prepare. If a rewind of the target is unfinished and opening the source fails, the
// target is not unchanged. A nil Status means that no unfinished rewind is known.
func (s *Status) Classify(err error) *Error {
	var already *Error
	if err == nil || errors.As(err, &already) || s == nil || s.State != StateUnfinished && s.State != StateInPlace {
		return Classify(err)
	}
	v := judge(err)
	e := &Error{Phase: PhaseInspect, Condition: v.condition, Action: ActionResume, NeedsSource: s.State == StateInPlace}
	switch {
	case e.NeedsSource && v.action == ActionFix:
		e.Action = ActionFix
	case e.NeedsSource:
		e.Action = ActionRetryWithSource
	}
	e.Err = v.tell(err, e.hint(v))
	return e
}

// hint returns what to do next, if the error itself does not say.
func (e *Error) hint(v verdict) string {
	switch {
	case e.Action == ActionResume:
		return "Run the rewind again to finish it, or rewind.Resume; neither needs the source."
	case e.Action == ActionRetryWithSource && e.NeedsSource:
		return "Run the rewind again to finish it; that takes the source."
	}
	return v.hint
}
