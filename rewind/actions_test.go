package rewind_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/internal/recovery"
	"github.com/gorewind/gorewind/internal/regular"
	"github.com/gorewind/gorewind/lost/rows/export"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// answer is what an error means. never, if not empty, says why the error is never
// returned to importers as it is.
type answer struct {
	err       error
	condition rewind.Condition
	action    rewind.Action
	never     string
}

func is(err error, c rewind.Condition, a rewind.Action) answer { return answer{err, c, a, ""} }

func never(why string) answer { return answer{never: why} }

func connect(reason error) error {
	return &source.ConnectError{Reason: reason, Message: "could not connect: find out why"}
}

const (
	again, withSource, fix, resync, baseBackup = rewind.ActionRetry, rewind.ActionRetryWithSource, rewind.ActionFix, rewind.ActionResync, rewind.ActionBaseBackup
)

// answers has every exported error of the packages that make up a rewind. Errors that
// rewind exports under names of its own are listed under both names.
var answers = map[string]answer{
	"catalog.ErrGone":                never("it is noted at the lost row"),
	"heap.ErrCorrupt":                is(heap.ErrCorrupt, rewind.UnexpectedCondition, fix), // of catalogs, only where lost rows are looked for
	"types.ErrUnknown":               never("it is noted at the lost row"),
	"export.NotComparedError":        is(&export.NotComparedError{Err: source.ErrUnavailable}, rewind.SourceUnavailable, withSource),
	"source.ErrNoSuchTable":          never("it is noted at the compared rows"),
	"source.ErrWALNotHeld":           never("it is logged"),
	"page.ErrChecksum":               never("it is in a DamagedPage"),
	"page.ChecksumError":             never("it is in a DamagedPage"),
	"walreader.ErrSummary":           never("it is an ErrChangesUnknown then"),
	"walreader.SummaryError":         never("it is an ErrChangesUnknown then"),
	"walreader.SummaryGapError":      never("WAL is read instead"),
	"libpq.PasswordError":            never("it is in a ConnectError, as source.ErrNoPassword"),
	"libpq.ErrSilent":                never("the source is unavailable, or unreachable, then"),
	"recovery.ErrPoisoned":           never("such a target is resumed, or lost"),
	"rewind.Error":                   is(&rewind.Error{Condition: rewind.NoSpace, Action: fix, Err: errors.New("x")}, rewind.NoSpace, fix),
	"rewind.Explained":               is(&rewind.Explained{Err: rewind.ErrTargetLocked}, rewind.TargetLocked, again),
	"regular.NotAFileError":          is(&regular.NotAFileError{}, rewind.UnexpectedCondition, fix),
	"datadir.ErrNotDirectory":        is(datadir.ErrNotDirectory, rewind.UnexpectedCondition, fix),
	"pgdata.UnsupportedVersionError": is(&controlfile.Error{Err: &pgdata.UnsupportedVersionError{}}, rewind.UnsupportedVersion, fix),

	"source.ConnectError":          is(connect(nil), rewind.UnexpectedCondition, fix),
	"source.ErrConnString":         is(connect(source.ErrConnString), rewind.BadConnString, fix),
	"source.ErrWrongPassword":      is(connect(source.ErrWrongPassword), rewind.WrongPassword, fix),
	"source.ErrNoPassword":         is(connect(source.ErrNoPassword), rewind.NoPassword, fix),
	"source.ErrNotAllowed":         is(connect(source.ErrNotAllowed), rewind.ConnectionNotAllowed, fix),
	"source.ErrNoRole":             is(connect(source.ErrNoRole), rewind.NoSuchRole, fix),
	"source.ErrNoDatabase":         is(connect(source.ErrNoDatabase), rewind.NoSuchDatabase, fix),
	"source.ErrUnreachable":        is(connect(source.ErrUnreachable), rewind.SourceUnreachable, withSource),
	"source.ErrUnknownHost":        is(connect(source.ErrUnknownHost), rewind.UnknownHost, fix),
	"source.ErrNoTLS":              is(connect(source.ErrNoTLS), rewind.TLSFailed, fix),
	"source.ErrTLS":                is(connect(source.ErrTLS), rewind.TLSFailed, fix),
	"source.ErrTooManyConnections": is(connect(source.ErrTooManyConnections), rewind.TooManyConnections, withSource),
	"source.ErrNotReady":           is(connect(source.ErrNotReady), rewind.SourceStarting, withSource),
	"source.ErrWrongKind":          is(connect(source.ErrWrongKind), rewind.WrongKindOfSource, withSource),

	"source.ErrUnavailable":        is(source.ErrUnavailable, rewind.SourceUnavailable, withSource),
	"source.ErrChanged":            is(source.ErrChanged, rewind.SourceChanged, again),
	"source.ErrPooled":             is(source.ErrPooled, rewind.SourcePooled, fix),
	"source.ErrUntrusted":          is(source.ErrUntrusted, rewind.SourceUntrusted, fix),
	"source.ErrPrivilege":          is(source.ErrPrivilege, rewind.MissingPrivilege, fix),
	"source.ErrSlotExists":         is(source.ErrSlotExists, rewind.CannotFollow, fix),
	"source.ErrNoReplication":      is(source.ErrNoReplication, rewind.CannotFollow, fix),
	"source.ReplicationError":      is(&source.ReplicationError{Temporary: true}, rewind.CannotFollow, again),
	"source.DirError":              is(&source.DirError{Err: datadir.ErrNoControlFile}, rewind.MissingControlFile, fix),
	"pgsource.PoolerError":         is(&pgsource.PoolerError{}, rewind.SourcePooled, fix),
	"pgsource.PrivilegeError":      is(&pgsource.PrivilegeError{}, rewind.MissingPrivilege, fix),
	"decide.ErrUntrusted":          is(decide.ErrUntrusted, rewind.SourceUntrusted, fix),
	"datadir.ErrUnsafePath":        is(datadir.ErrUnsafePath, rewind.SourceUntrusted, fix),
	"datadir.ErrNoCluster":         is(datadir.ErrNoCluster, rewind.NotADataDirectory, fix),
	"datadir.ErrNoControlFile":     is(datadir.ErrNoControlFile, rewind.MissingControlFile, resync),
	"controlfile.Error":            is(&controlfile.Error{}, rewind.DamagedControlFile, resync),
	"controlfile.ErrSize":          is(&controlfile.Error{Err: controlfile.ErrSize}, rewind.DamagedControlFile, resync),
	"controlfile.ErrCRC":           is(&source.DirError{Err: &controlfile.Error{Err: controlfile.ErrCRC}}, rewind.DamagedControlFile, fix),
	"controlfile.ErrPlatform":      is(&controlfile.Error{Err: controlfile.ErrPlatform}, rewind.Incompatible, fix),
	"timeline.ParseError":          is(&timeline.ParseError{}, rewind.DamagedHistory, fix),
	"timeline.ErrNoCommonAncestor": is(timeline.ErrNoCommonAncestor, rewind.NoCommonAncestor, resync),
	"walreader.Error":              is(&walreader.Error{Err: walreader.ErrCorrupt}, rewind.DamagedWAL, resync),
	"walreader.ErrCorrupt":         is(&walreader.Error{Err: walreader.ErrCorrupt}, rewind.DamagedWAL, resync),
	"walreader.ErrTornRecord":      is(&walreader.Error{Err: walreader.ErrTornRecord}, rewind.DamagedWAL, resync),
	"walreader.ErrEndOfWAL":        is(&walreader.Error{Err: walreader.ErrEndOfWAL}, rewind.DamagedWAL, resync),
	"walreader.BoundaryError":      is(&walreader.BoundaryError{}, rewind.DamagedWAL, resync),
	"walreader.UnknownRecordError": is(&walreader.UnknownRecordError{}, rewind.UnknownWALRecord, resync),

	"apply.ErrLost":         is(apply.ErrLost, rewind.TargetLost, baseBackup),
	"apply.ErrChanged":      is(apply.ErrChanged, rewind.TargetChanged, fix),
	"apply.ErrLocked":       is(apply.ErrLocked, rewind.TargetLocked, again),
	"apply.ErrRunning":      is(apply.ErrRunning, rewind.TargetRunning, fix),
	"apply.RunningError":    is(&apply.RunningError{}, rewind.TargetRunning, fix),
	"apply.AccessError":     is(accessErrorOf(syscall.ENOSPC), rewind.NoSpace, fix),
	"apply.SourceFileError": is(&apply.SourceFileError{}, rewind.SourceChanged, again),
	"apply.SpaceError":      is(&apply.SpaceError{}, rewind.NoSpace, fix),
	"apply.Obstacles":       is(apply.Obstacles{errors.New("x")}, rewind.TargetNotWritable, fix),

	"archive.CommandError":       is(&archive.CommandError{Setting: "restore_command", ExitStatus: 255}, rewind.ArchiveFailed, again),
	"archive.NotFoundError":      is(&archive.NotFoundError{ExitStatus: 1}, rewind.ArchiveFailed, fix),
	"archive.NotArchivedError":   is(&archive.NotArchivedError{}, rewind.ArchiveFailed, again),
	"recovery.ErrRunning":        is(recovery.ErrRunning, rewind.TargetRunning, fix),
	"recovery.ErrInconsistent":   is(recovery.ErrInconsistent, rewind.TargetNotClean, fix),
	"recovery.ErrStillUnclean":   is(recovery.ErrStillUnclean, rewind.TargetNotClean, fix),
	"recovery.ProgramError":      is(&recovery.ProgramError{}, rewind.TargetNotClean, fix),
	"recovery.NotFoundError":     is(&recovery.NotFoundError{Version: pgdata.VersionByName("17")}, rewind.TargetNotClean, fix),
	"pgconf.SyntaxError":         is(&pgconf.SyntaxError{}, rewind.BadConfiguration, fix),
	"pgconf.SeveralTargetsError": is(&pgconf.SeveralTargetsError{}, rewind.BadConfiguration, fix),

	"archive.FetchError":          is(&archive.FetchError{Err: errors.New("x")}, rewind.ArchiveFailed, again),
	"archive.ErrNotInArchive":     is(&archive.NotFoundError{Certain: true, Err: archive.ErrNotInArchive}, rewind.ArchiveFailed, fix),
	"rewind.ErrNotInArchive":      is(&archive.NotFoundError{Certain: true, Err: rewind.ErrNotInArchive}, rewind.ArchiveFailed, fix),
	"rewind.ArchiveError":         never("Classify makes it from the error of package archive"),
	"rewind.FetchWALError":        is(&rewind.FetchWALError{Err: errors.New("x")}, rewind.ArchiveFailed, again),
	"rewind.Obstacles":            is(rewind.Obstacles{errors.New("x")}, rewind.TargetNotWritable, fix),
	"rewind.SourceFileError":      is(&rewind.SourceFileError{}, rewind.SourceChanged, again),
	"rewind.SpaceError":           is(&rewind.SpaceError{}, rewind.NoSpace, fix),
	"rewind.RecoveryError":        never("Classify makes it from the error of package recovery"),
	"rewind.ServerProgramError":   never("Classify makes it from the error of package recovery"),
	"rewind.ConfigError":          never("Classify makes it from the errors of package pgconf"),
	"rewind.ErrTargetLost":        is(rewind.ErrTargetLost, rewind.TargetLost, baseBackup),
	"rewind.ErrTargetRunning":     is(rewind.ErrTargetRunning, rewind.TargetRunning, fix),
	"rewind.ErrTargetLocked":      is(rewind.ErrTargetLocked, rewind.TargetLocked, again),
	"rewind.ErrTargetChanged":     is(rewind.ErrTargetChanged, rewind.TargetChanged, fix),
	"rewind.ErrTargetNotClean":    is(rewind.ErrTargetNotClean, rewind.TargetNotClean, fix),
	"rewind.ErrNotADataDirectory": is(rewind.ErrNotADataDirectory, rewind.NotADataDirectory, fix),
	"rewind.ErrNoControlFile":     is(rewind.ErrNoControlFile, rewind.MissingControlFile, resync),
	"rewind.ErrSourceRunning":     is(rewind.ErrSourceRunning, rewind.SourceRunning, fix),
	"rewind.ErrSourceNotClean":    is(rewind.ErrSourceNotClean, rewind.SourceNotClean, fix),
	"rewind.ErrSameDirectory":     is(rewind.ErrSameDirectory, rewind.SameDirectory, fix),
	"rewind.ErrNested":            is(rewind.ErrNested, rewind.SameDirectory, fix),
	"rewind.ErrDifferentSystems":  is(rewind.ErrDifferentSystems, rewind.DifferentSystems, fix),
	"rewind.ErrIncompatible":      is(rewind.ErrIncompatible, rewind.Incompatible, fix),
	"rewind.ErrNoPageHints":       is(rewind.ErrNoPageHints, rewind.NoPageHints, resync),
	"rewind.ErrChecksumsDiffer":   is(rewind.ErrChecksumsDiffer, rewind.ChecksumsDiffer, fix),
	"rewind.ErrFullPageWrites":    is(rewind.ErrFullPageWrites, rewind.FullPageWritesOff, fix),
	"rewind.ErrWALLevel":          is(rewind.ErrWALLevel, rewind.WALLevelMinimal, resync),
	"rewind.ErrNoHistory":         is(rewind.ErrNoHistory, rewind.DamagedHistory, fix),
	"rewind.ErrUnproven":          is(rewind.ErrUnproven, rewind.Unproven, resync),
	"rewind.ErrCannotFollow":      is(rewind.ErrCannotFollow, rewind.CannotFollow, fix),
	"rewind.ErrSourceChanged":     is(rewind.ErrSourceChanged, rewind.SourceChanged, again),
	"rewind.ErrSourceUnavailable": is(rewind.ErrSourceUnavailable, rewind.SourceUnavailable, withSource),
	"rewind.ErrSourcePooled":      is(rewind.ErrSourcePooled, rewind.SourcePooled, fix),
	"rewind.ErrSourceUntrusted":   is(rewind.ErrSourceUntrusted, rewind.SourceUntrusted, fix),
	"rewind.ErrPrivilege":         is(rewind.ErrPrivilege, rewind.MissingPrivilege, fix),
	"rewind.ErrPlanOutdated":      is(rewind.ErrPlanOutdated, rewind.PlanOutdated, fix),
	"rewind.ErrOptions":           is(rewind.ErrOptions, rewind.InvalidOptions, fix),
	"rewind.ErrForkUnknown":       is(rewind.ErrForkUnknown, rewind.ForkUnknown, resync),
	"rewind.ErrSourceDamaged":     is(rewind.ErrSourceDamaged, rewind.SourceDamaged, fix),
	"rewind.DamagedPagesError":    is(&rewind.DamagedPagesError{Pages: make([]rewind.DamagedPage, 1)}, rewind.SourceDamaged, fix),
	"rewind.ErrNothingToResume":   is(rewind.ErrNothingToResume, rewind.NothingToResume, fix),
	"rewind.ErrOtherTimeline":     is(rewind.ErrOtherTimeline, rewind.OtherTimeline, fix),
	"rewind.ErrChangesUnknown":    is(rewind.ErrChangesUnknown, rewind.MissingWAL, resync),
	"rewind.ErrUnsafeReplay":      is(rewind.ErrUnsafeReplay, rewind.UnsafeReplay, resync),
	"rewind.ErrNoRestoreCommand":  is(rewind.ErrNoRestoreCommand, rewind.ArchiveFailed, fix),
	"rewind.CannotStartError":     is(&rewind.CannotStartError{}, rewind.MissingWAL, resync),
	"rewind.MissingWALError":      is(&rewind.MissingWALError{Err: fs.ErrNotExist}, rewind.MissingWAL, resync),

	// Other errors that matter.
	"interrupted":                  is(context.Canceled, rewind.Interrupted, again),
	"too late":                     is(context.DeadlineExceeded, rewind.Interrupted, again),
	"the host's name, for now":     is(errors.Join(connect(source.ErrUnknownHost), source.ErrUnavailable), rewind.UnknownHost, withSource),
	"nobody listens":               is(errors.Join(connect(source.ErrUnreachable), source.ErrUnavailable), rewind.SourceUnreachable, withSource),
	"a standby without a password": is(&source.ReplicationError{Err: connect(source.ErrNoPassword)}, rewind.CannotFollow, fix),
	"a command that is not found":  is(&archive.CommandError{ExitStatus: 127}, rewind.ArchiveFailed, fix),
	"a command that is not set":    is(&archive.CommandError{}, rewind.ArchiveFailed, fix),
	"a command that was killed":    is(&archive.CommandError{ExitStatus: -1}, rewind.ArchiveFailed, again),
	"WAL that may be archived":     is(&rewind.MissingWALError{MayBeArchived: true, Err: &archive.NotFoundError{}}, rewind.MissingWAL, fix),
	"a target that is read-only":   is(accessErrorOf(syscall.EROFS), rewind.TargetNotWritable, fix),
	"anything":                     is(errors.New("x"), rewind.UnexpectedCondition, fix),
}

// accessErrorOf returns the error of an operation in a target that the system refused.
func accessErrorOf(errno syscall.Errno) error {
	return &apply.AccessError{Err: fmt.Errorf("could not write: %w", errno)}
}

// says has the conditions whose messages always say what to do.
var says = []rewind.Condition{
	rewind.TargetLocked, rewind.TargetChanged, rewind.MissingPrivilege, rewind.SourceUnavailable, rewind.InvalidOptions, rewind.BadConfiguration, rewind.ArchiveFailed,
	rewind.CannotFollow, rewind.SourceUnreachable, rewind.SourceStarting, rewind.TooManyConnections, rewind.UnknownHost, rewind.WrongKindOfSource, rewind.WrongPassword,
	rewind.NoPassword, rewind.ConnectionNotAllowed, rewind.NoSuchDatabase, rewind.NoSuchRole, rewind.TLSFailed, rewind.BadConnString,
}

func TestEveryErrorSaysWhatToDoNext(t *testing.T) {
	for name, a := range answers {
		if a.never != "" {
			continue
		}
		e := rewind.Classify(a.err)
		assert.Equal(t, a.condition, e.Condition, name)
		assert.Equal(t, a.action, e.Action, name)
		assert.Equal(t, e.Action.String(), string(e.Action))
		d := rewind.ErrorDocument(a.err).Error
		assert.Equal(t, string(e.Condition), d.Condition, name)
		assert.Equal(t, string(e.Action), string(d.Action), name)
		if e != a.err { //nolint:errorlint // it was an *Error already
			var connect *source.ConnectError
			assert.True(t, len(d.Hints) > 0 || slices.Contains(says, e.Condition) || errors.As(e, &connect), "%s: what to do?", name)
			if reflect.TypeOf(a.err).Comparable() {
				assert.ErrorIs(t, e, a.err, name)
			}
		}
	}
}

// TestTheBooleansAndTheExitStatusAgreeWithTheAction checks them in errors and in
// documents.
func TestTheBooleansAndTheExitStatusAgreeWithTheAction(t *testing.T) {
	for action, want := range map[rewind.Action]struct {
		retryable, baseBackup bool
		status                int
	}{
		rewind.ActionRetry:           {true, false, 1},
		rewind.ActionRetryWithSource: {true, false, 1},
		rewind.ActionResume:          {true, false, 4},
		rewind.ActionFix:             {false, false, 1},
		rewind.ActionResync:          {false, true, 3},
		rewind.ActionBaseBackup:      {false, true, 3},
	} {
		for _, untouched := range []bool{true, false} {
			if action == rewind.ActionResume && untouched || action == rewind.ActionRetry && !untouched {
				continue
			}
			e := &rewind.Error{Action: action, TargetUntouched: untouched, Err: errors.New("x")}
			status := want.status
			if status == 1 && !untouched {
				status = 4
			}
			d := rewind.ErrorDocument(e).Error
			assert.Equal(t, []any{want.retryable, want.baseBackup, status}, []any{e.Retryable(), e.BaseBackupNeeded(), e.ExitStatus()}, "%s", action)
			assert.Equal(t, []any{want.retryable, want.baseBackup, status}, []any{d.Retryable, d.BaseBackupNeeded, d.ExitStatus}, "%s", action)
		}
	}
	for _, untouched := range []bool{true, false} {
		e := &rewind.Error{Condition: rewind.InvalidOptions, Action: rewind.ActionFix, TargetUntouched: untouched, Err: rewind.ErrOptions}
		assert.Equal(t, 2, e.ExitStatus(), "the options are wrong")
	}

	var words []string
	for _, a := range rewind.Actions() {
		words = append(words, a.String())
		assert.NotEmpty(t, a.Advice(), "%s", a)
	}
	var steps []string
	for _, s := range report.NextSteps() {
		steps = append(steps, string(s))
	}
	assert.Equal(t, words, steps, "reports use the same words")
}

// TestNoExportedErrorIsForgotten reads the source code of all packages that make up a
// rewind.
func TestNoExportedErrorIsForgotten(t *testing.T) {
	found := map[string]bool{}
	for _, dir := range moduleDirs(t) {
		if filepath.Base(dir) != "report" {
			for _, name := range exportedErrors(t, dir) {
				found[name] = true
			}
		}
	}
	for name := range found {
		_, known := answers[name]
		assert.True(t, known, "%s is missing from answers", name)
	}
	for name := range answers {
		if strings.Contains(name, ".") {
			assert.True(t, found[name], "%s no longer exists", name)
		}
	}
	assert.Greater(t, len(found), 100)
}

// moduleDirs returns the directories of our packages that make up a rewind.
func moduleDirs(t *testing.T) (dirs []string) {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}} {{.Dir}}{{end}}", ".", "../source/pgsource").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(path, "github.com/gorewind/gorewind/") {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// exportedErrors returns a package's exported variables that begin with Err, and its
// exported error types.
func exportedErrors(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		add := func(id string) {
			if ast.IsExported(id) {
				names = append(names, file.Name.Name+"."+id)
			}
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, is := spec.(*ast.ValueSpec); is && d.Tok == token.VAR {
						for _, id := range v.Names {
							if strings.HasPrefix(id.Name, "Err") {
								add(id.Name)
							}
						}
					}
					if s, is := spec.(*ast.TypeSpec); is && embedsError(s) {
						add(s.Name.Name)
					}
				}
			case *ast.FuncDecl:
				if d.Name.Name == "Error" && d.Recv != nil && d.Type.Params.NumFields() == 0 {
					receiver := d.Recv.List[0].Type
					if star, is := receiver.(*ast.StarExpr); is {
						receiver = star.X
					}
					add(receiver.(*ast.Ident).Name)
				}
			}
		}
	}
	return names
}

func embedsError(s *ast.TypeSpec) bool {
	fields, is := s.Type.(*ast.StructType)
	return is && slices.ContainsFunc(fields.Fields.List, func(f *ast.Field) bool {
		id, is := f.Type.(*ast.Ident)
		return is && len(f.Names) == 0 && id.Name == "error"
	})
}

// conditions returns all constants of that type.
func conditions(t *testing.T) (all []rewind.Condition) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "condition.go", nil, 0)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		if v, is := n.(*ast.ValueSpec); is {
			word, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			all = append(all, rewind.Condition(word))
		}
		return true
	})
	return all
}

// TestEveryConditionHasActionsAndIsInTheTables checks the table in the package comment
// and the one in docs/library.md.
func TestEveryConditionHasActionsAndIsInTheTables(t *testing.T) {
	actions, all := rewind.ActionsByCondition(), conditions(t)
	assert.ElementsMatch(t, all, slices.Collect(maps.Keys(actions)))
	of := func(file string, row *regexp.Regexp) map[rewind.Condition][]rewind.Action {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		found := map[rewind.Condition][]rewind.Action{}
		for _, m := range row.FindAllStringSubmatch(string(text), -1) {
			if c := rewind.Condition(m[1]); slices.Contains(all, c) {
				for word := range strings.SplitSeq(strings.ReplaceAll(m[2], "`", ""), ", ") {
					found[c] = append(found[c], rewind.Action(word))
				}
			}
		}
		return found
	}
	assert.Equal(t, actions, of("doc.go", regexp.MustCompile(`(?m)^//\t(\w+) +(\w+(?:, \w+)*)(?:  |$)`)))
	assert.Equal(t, actions, of("../docs/library.md", regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ((?:`\\w+`(?:, )?)+) \\|")))
	seen := map[rewind.Condition]bool{}
	for _, a := range answers {
		seen[a.condition] = true
	}
	for _, c := range all {
		assert.True(t, seen[c], "no error has the condition %s", c)
	}
}
