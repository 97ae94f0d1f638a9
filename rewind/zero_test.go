package rewind_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/rewind"
)

// TestZeroValuesAreErrorsAndNoPanics has mistakes that a caller can make.
func TestZeroValuesAreErrorsAndNoPanics(t *testing.T) {
	for name, do := range map[string]func() error{
		"applying nothing":  func() error { return new(rewind.Rewind).Apply(t.Context()) },
		"saving nothing":    func() error { return new(rewind.Rewind).Save(io.Discard) },
		"preparing nothing": func() error { _, err := rewind.Prepare(t.Context(), rewind.Options{}); return err },
		"preparing without a source": func() error {
			p := restorePair(t, "18", "basic")
			_, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target})
			return err
		},
		"resuming nothing":    func() error { return rewind.Resume(t.Context(), rewind.Options{}) },
		"the status of none":  func() error { _, err := rewind.ReadStatus(""); return err },
		"comparing nothing":   func() error { _, err := rewind.Diff(t.Context(), rewind.DiffOptions{}); return err },
		"lost rows of no one": func() error { _, err := rewind.FindLostRows(t.Context(), rewind.LostRowsOptions{}); return err },
		"applying what is closed": func() error {
			p := restorePair(t, "18", "basic")
			r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, Source: endtoend.OpenDir(t, p.source)})
			require.NoError(t, err)
			require.NoError(t, r.Close())
			return r.Apply(t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := do()
			var failed *rewind.Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, rewind.InvalidOptions, failed.Condition)
			assert.Equal(t, rewind.ActionFix, failed.Action)
			assert.True(t, failed.TargetUntouched)
		})
	}
	r := new(rewind.Rewind)
	assert.Nil(t, r.Plan())
	assert.NotNil(t, r.Document(t.Context(), nil))
	assert.NotNil(t, r.Brief(nil))
	assert.Empty(t, r.Phases())
	assert.NoError(t, r.Close())
	for _, err := range []error{
		new(rewind.Error), new(rewind.Explained), new(rewind.ArchiveError), new(rewind.RecoveryError), new(rewind.ServerProgramError), new(rewind.ConfigError),
		new(rewind.SpaceError), new(rewind.SourceFileError), new(rewind.MissingWALError), new(rewind.CannotStartError), new(rewind.DamagedPagesError), rewind.Obstacles(nil),
	} {
		assert.NotPanics(t, func() { _ = err.Error() }, "%T", err)
	}
	var s *rewind.Status
	assert.Nil(t, s.Classify(nil))
}
