package rewind_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/trial"
	"github.com/gorewind/gorewind/rewind"
)

// TestOnlySettingsThatStayAreWarnedAbout gives the target a configuration with
// which it would not start as a standby of the source.
func TestOnlySettingsThatStayAreWarnedAbout(t *testing.T) {
	p := restorePair(t, "18", "basic")
	p.configure("max_connections = 3\n")
	warnings := func(opts rewind.Options) []string {
		opts.TargetDir, opts.Source = p.target, trial.OpenDir(t, p.source)
		r, err := rewind.Prepare(t.Context(), opts)
		require.NoError(t, err)
		defer r.Close()
		var plan bytes.Buffer
		require.NoError(t, r.Save(&plan))
		require.NoError(t, r.Close())

		opts.Plan = &plan
		again, err := rewind.Prepare(t.Context(), opts)
		require.NoError(t, err)
		defer again.Close()
		assert.Equal(t, r.Plan().Warnings, again.Plan().Warnings, "of the saved plan")
		return r.Plan().Warnings
	}
	assert.Empty(t, warnings(rewind.Options{}), "the source's configuration comes")
	kept := warnings(rewind.Options{Keep: []string{"postgresql.conf"}})
	require.NotEmpty(t, kept)
	assert.Contains(t, kept[0], "max_connections = 3 is lower than on the primary")
}
