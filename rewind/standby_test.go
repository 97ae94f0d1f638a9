package rewind_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/rewind"
)

// TestTheTargetsOwnRecoverySettingsStay makes targets up to 11 standbys, whose own
// recovery.conf has what only they know.
func TestTheTargetsOwnRecoverySettingsStay(t *testing.T) {
	for _, c := range []struct {
		name            string
		required, saved bool
	}{
		{"a rewind", true, false},
		{"a plan that was saved without a standby in mind", true, true},
		{"no rewind is required", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := restorePair(t, "11", "basic")
			if !c.required {
				require.NoError(t, os.RemoveAll(p.target))
				require.NoError(t, os.CopyFS(p.target, os.DirFS(p.source)))
			}
			conf := filepath.Join(p.target, "recovery.conf")
			p.write(conf, []byte("restore_command = 'fetch %f %p'\n"))
			opts := rewind.Options{TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), NoSync: true, ArchivePause: time.Nanosecond}.StartOrNot()
			if c.saved {
				opts.Plan = bytes.NewReader(savedPlan(t, opts))
			}
			opts.PrimaryConnInfo = "host=x"
			assert.Equal(t, c.required, rewindWith(t, opts).Required)
			text, err := os.ReadFile(conf)
			require.NoError(t, err)
			assert.Contains(t, string(text), "restore_command = 'fetch %f %p'")
			assert.Contains(t, string(text), "primary_conninfo = 'host=x'")
		})
	}
}
