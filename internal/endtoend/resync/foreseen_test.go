package resync_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
)

// TestAPlanForeseesCrashRecovery compares the plan for a killed target, which says that
// crash recovery comes first, with the plan after that crash recovery.
func TestAPlanForeseesCrashRecovery(t *testing.T) {
	endtoend.TryEach(t, []endtoend.Situation{{
		Name: "killed, and a dry run first", Want: endtoend.Rewound,
		Make: func(l *endtoend.Lab) endtoend.Ends {
			a, b := failedOver(l, pgtest.Options{})
			a.Start(l)
			work(l, a, "more")
			a.Kill(l)
			opts := l.Recovers()
			opts.TargetDir, opts.Source, opts.Resync = a.Dir, endtoend.OpenServer(l.T, b.ConnString("postgres")), rewind.ResyncIfNeeded
			opts.EnsureShutdown, opts.ForeseeRecovery = false, true
			before, err := dirtree.Read(a.Dir)
			require.NoError(l, err)
			r, err := rewind.Prepare(l.Context(), opts)
			require.NoError(l, err)
			after, err := dirtree.Read(a.Dir)
			require.NoError(l, err)
			assert.Empty(l, before.Diff(after), "nothing is changed")
			foreseen := r.Plan()
			assert.True(l, foreseen.RecoversFirst)
			var text bytes.Buffer
			require.NoError(l, report.Text(&text, r.Document(l.Context(), nil), report.Options{Width: 120}))
			assert.Contains(l, text.String(), "crash recovery comes first")
			require.ErrorIs(l, r.Apply(l.Context()), rewind.ErrTargetNotClean)
			require.NoError(l, r.Close())
			opts = l.Recovers()
			opts.Resync = rewind.ResyncIfNeeded
			return endtoend.Ends{Target: a, Src: b, Opts: opts, Planned: func(l *endtoend.Lab, p *rewind.Plan) {
				by(rewind.ByWAL)(l, p)
				assert.False(l, p.RecoversFirst)
				assert.Equal(l, p.Evidence, foreseen.Evidence)
				assert.Equal(l, p.Divergence, foreseen.Divergence)
				assert.Equal(l, p.Start, foreseen.Start)
				assert.Equal(l, p.Lost.Committed, foreseen.Lost.Committed)
			}}
		},
	}})
}
