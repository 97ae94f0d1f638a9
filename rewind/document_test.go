package rewind_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/internal/schemacheck"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/report/html"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// mustBeADocument validates a document by the published schema, and checks that it
// survives encoding and decoding.
func mustBeADocument(t *testing.T, d *report.Document) {
	t.Helper()
	schema, err := schemacheck.Compile(report.Schema)
	require.NoError(t, err)
	text, err := json.Marshal(d)
	require.NoError(t, err)
	require.NoError(t, schema.Validate(text))
	back := new(report.Document)
	require.NoError(t, json.Unmarshal(text, back))
	again, err := json.Marshal(back)
	require.NoError(t, err)
	assert.Equal(t, string(text), string(again))
	var b bytes.Buffer
	require.NoError(t, report.Text(&b, d, report.Options{Width: report.DefaultWidth}))
	require.NoError(t, html.Write(&b, d))
}

// TestFixturesAreReported makes the documents of all rewinds of fixtures.
func TestFixturesAreReported(t *testing.T) {
	for _, dir := range fixtures(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			_, _, r := restoreBoth(t, dir)
			plan := r.Plan()
			d := r.Document(t.Context(), nil)
			mustBeADocument(t, d)
			assert.Equal(t, report.Plan, d.Kind)
			assert.Equal(t, plan.Version.String(), d.Target.Version)
			assert.Equal(t, plan.Version.FormatLSN(plan.Divergence), d.Divergence.LSN)
			assert.Equal(t, len(plan.Files.Entries), len(d.Files))
			assert.Equal(t, plan.Files.FetchBytes(), d.Totals.FetchBytes)
			var byKind, byAction, byFile int64
			for i := range d.Totals.ByKind {
				byKind += d.Totals.ByKind[i].FetchBytes
			}
			for i := range d.Totals.ByAction {
				byAction += d.Totals.ByAction[i].FetchBytes
			}
			for i := range d.Files {
				byFile += d.Files[i].FetchBytes
				if exact, ok := pgdata.ParseRelPath(plan.Version, d.Files[i].Path); ok {
					at, ok := report.RelationOf(d.Files[i].Path)
					assert.True(t, ok)
					assert.Equal(t, exact.Locator, pgdata.RelFileLocator{Tablespace: at.Tablespace, Database: at.Database, Relation: at.FileNode})
				}
			}
			assert.Equal(t, []int64{byFile, byFile}, []int64{byKind, byAction})
			assert.Equal(t, d.Totals.FetchBytes, byFile)
			assert.Equal(t, plan.Lost.Committed, d.Lost.Committed)
			assert.Positive(t, d.Lost.WALBytes)
			assert.NotEmpty(t, d.Startability.Segments)
			for _, s := range d.Startability.Segments {
				assert.NotEqual(t, report.Missing, s.Where)
			}
			assert.NotEmpty(t, d.WALRead.Segments)

			require.NoError(t, r.Apply(t.Context()))
			d = r.Document(t.Context(), nil)
			mustBeADocument(t, d)
			assert.Equal(t, report.Result, d.Kind)
			assert.Len(t, d.Phases, 5)
			assert.Positive(t, d.FetchedBytes)
		})
	}
}

func TestErrorsAreReported(t *testing.T) {
	_, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: t.TempDir()})
	require.Error(t, err)
	d := rewind.ErrorDocument(err)
	mustBeADocument(t, d)
	assert.Equal(t, report.Failed, d.Kind)
	assert.Equal(t, 1, d.Error.ExitStatus)
	assert.NotEmpty(t, d.Error.Hints)

	_, err = rewind.Prepare(t.Context(), rewind.Options{})
	d = rewind.ErrorDocument(err)
	assert.Equal(t, string(rewind.InvalidOptions), d.Error.Condition)
	assert.Equal(t, "inspect", d.Error.Phase)
	assert.True(t, d.Error.TargetUntouched)
}

func TestGIDsAreWrittenAsSQLLiterals(t *testing.T) {
	for gid, want := range map[string]string{
		"": "''", "open money": "'open money'", "it's": "'it''s'", `a\b`: `E'a\\b'`, "für": "'für'", "caf\xe9 '": `E'caf\xe9 '''`, "\n\u202e": `E'\x0a\xe2\x80\xae'`, "\ufffd": "'\ufffd'",
	} {
		assert.Equal(t, want, rewind.Literal(gid))
	}
}

// TestReportsUseOurWords compares words that are defined twice, since package report
// does not import ours.
func TestReportsUseOurWords(t *testing.T) {
	assert.Equal(t, report.ReasonKept, string(filemap.Kept))
}

// TestOnlyWhatIsSavedIsReportedAsSaved has a rewind that saved what is lost, and failed
// before it changed anything.
func TestOnlyWhatIsSavedIsReportedAsSaved(t *testing.T) {
	temp := t.TempDir()
	target, src, saved := filepath.Join(temp, "target"), filepath.Join(temp, "source"), filepath.Join(temp, "saved")
	dir := fixtures(t)[0]
	require.NoError(t, savedcluster.Restore(filepath.Join(dir, "target"), target))
	require.NoError(t, savedcluster.Restore(filepath.Join(dir, "source"), src))
	gone := &liar{Source: endtoend.OpenDir(t, src), fetch: func(ctx context.Context, honest source.Source, r source.Range, dst source.Sink) error {
		if isWAL(r.Path) { // the analysis reads WAL
			return honest.Fetch(ctx, only(r), dst)
		}
		assert.DirExists(t, filepath.Join(saved, rewind.LostWAL))
		return errors.New("the source is gone")
	}}
	r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: target, Source: gone, NoSync: true, SaveLost: saved})
	require.NoError(t, err)
	defer func() { assert.NoError(t, r.Close()) }()
	assert.Equal(t, saved, r.Document(t.Context(), nil).Lost.SavedIn, "a plan says where it will be")
	err = r.Apply(t.Context())
	require.ErrorContains(t, err, "the source is gone")
	assert.Empty(t, r.Document(t.Context(), err).Lost.SavedIn)
}

// TestHintsDoNotDependOnTheText has errors of which only the type is known.
func TestHintsDoNotDependOnTheText(t *testing.T) {
	p := restorePair(t, "18", "basic")
	p.runServerIn(p.target)
	_, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, Source: endtoend.OpenDir(t, p.source)})
	d := rewind.ErrorDocument(err)
	assert.Equal(t, rewind.ErrTargetNotClean.Error(), d.Error.Message)
	assert.Equal(t, []string{"Stop it, and run gorewind again."}, d.Error.Hints)
	require.Len(t, d.Error.Details, 1)
	assert.Regexp(t, `^The target server is running: process \d+ has ".*target" in use\.$`, d.Error.Details[0])

	_, err = source.OpenDir(t.TempDir())
	assert.Equal(t, []string{"Give the data directory of a PostgreSQL cluster."}, rewind.ErrorDocument(err).Error.Hints)
}

var errMaybe = &rewind.CannotStartError{MayBeArchived: true}

// TestConditions checks that every sentinel and struct has a condition, and that no two
// have the same.
func TestConditions(t *testing.T) {
	for want, err := range map[rewind.Condition]error{
		rewind.TargetRunning: rewind.ErrTargetRunning, rewind.TargetLocked: rewind.ErrTargetLocked, rewind.TargetChanged: rewind.ErrTargetChanged,
		rewind.TargetNotClean: rewind.ErrTargetNotClean, rewind.SourceRunning: rewind.ErrSourceRunning, rewind.SourceNotClean: rewind.ErrSourceNotClean,
		rewind.SourceUnavailable: rewind.ErrSourceUnavailable, rewind.SourceChanged: rewind.ErrSourceChanged, rewind.SourceUntrusted: rewind.ErrSourceUntrusted,
		rewind.SourcePooled: rewind.ErrSourcePooled, rewind.MissingPrivilege: rewind.ErrPrivilege, rewind.DifferentSystems: rewind.ErrDifferentSystems, rewind.Incompatible: rewind.ErrIncompatible,
		rewind.NoPageHints: rewind.ErrNoPageHints, rewind.FullPageWritesOff: rewind.ErrFullPageWrites, rewind.SameDirectory: rewind.ErrNested,
		rewind.PlanOutdated: rewind.ErrPlanOutdated, rewind.InvalidOptions: rewind.ErrOptions, rewind.NothingToResume: rewind.ErrNothingToResume,
		rewind.ArchiveFailed: rewind.ErrNoRestoreCommand, rewind.NoSpace: &rewind.SpaceError{}, rewind.MissingWAL: &rewind.CannotStartError{},
		rewind.TargetNotWritable: rewind.Obstacles{errors.New("x")}, rewind.UnexpectedCondition: errors.New("x"),
	} {
		e := rewind.Classify(errors.Join(errors.New("around"), err))
		assert.Equal(t, want, e.Condition, "%v", err)
		assert.True(t, e.TargetUntouched)
		assert.False(t, e.Retryable() && e.BaseBackupNeeded())
		assert.Same(t, e, rewind.Classify(e))
	}
	assert.Nil(t, rewind.Classify(nil))
	assert.True(t, rewind.Classify(&rewind.CannotStartError{}).BaseBackupNeeded())
	maybe := rewind.Classify(errMaybe)
	assert.Equal(t, []any{rewind.MissingWAL, rewind.ActionFix, true}, []any{maybe.Condition, maybe.Action, maybe.TargetUntouched})
}
