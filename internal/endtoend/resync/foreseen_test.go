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
	endtoend.TryEach(t, []endtoend.Situation{
		{
			Name: "killed, and a dry run first", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, pgtest.Options{})
				a.Start(l)
				work(l, a, "more")
				a.Kill(l)
				return foreseen(l, a, b, report.ByWAL)
			},
		},
		{
			Name: "killed, and its WAL is damaged before its last checkpoint: recovery comes first, and then a comparison", Want: endtoend.Rewound,
			Make: func(l *endtoend.Lab) endtoend.Ends {
				a, b := failedOver(l, pgtest.Options{})
				a.Start(l)
				work(l, a, "more")
				a.Checkpoint(l)
				a.Exec(l, "INSERT INTO t SELECT generate_series(1, 100)")
				a.Kill(l)
				damageWAL(l, a)
				return foreseen(l, a, b, report.ByComparison)
			},
		},
	})
}

func foreseen(l *endtoend.Lab, target, src *pgtest.Cluster, evidence report.Evidence) endtoend.Ends {
	l.Helper()
	opts := l.Recovers()
	opts.TargetDir, opts.Source, opts.Resync = target.Dir, endtoend.OpenServer(l.T, src.ConnString("postgres")), rewind.ResyncIfNeeded
	opts.EnsureShutdown, opts.ForeseeRecovery = false, true
	before, err := dirtree.Read(target.Dir)
	require.NoError(l, err)
	r, err := rewind.Prepare(l.Context(), opts)
	require.NoError(l, err)
	after, err := dirtree.Read(target.Dir)
	require.NoError(l, err)
	assert.Empty(l, before.Diff(after), "nothing is changed")
	plan := r.Plan()
	assert.True(l, plan.RecoversFirst)
	var text bytes.Buffer
	require.NoError(l, report.Text(&text, r.Document(l.Context(), nil), report.Options{Width: 120}))
	assert.Contains(l, text.String(), "crash recovery comes first")
	require.ErrorIs(l, r.Apply(l.Context()), rewind.ErrTargetNotClean)
	require.NoError(l, r.Close())
	opts = l.Recovers()
	opts.Resync = rewind.ResyncIfNeeded
	return endtoend.Ends{Target: target, Src: src, Opts: opts, Planned: func(l *endtoend.Lab, p *rewind.Plan) {
		by(evidence)(l, p)
		assert.False(l, p.RecoversFirst)
		assert.Equal(l, p.Evidence, plan.Evidence)
		assert.Equal(l, p.Divergence, plan.Divergence)
		if evidence == report.ByWAL { // otherwise recovery starts at the source's latest checkpoint
			assert.Equal(l, p.Start, plan.Start)
		}
		assert.Equal(l, p.Lost.Committed, plan.Lost.Committed)
	}}
}
