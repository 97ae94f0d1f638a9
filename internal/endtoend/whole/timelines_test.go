package whole_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
)

// TestTimelines takes four copies of a cluster through many timelines. Each step's
// comment says what is new in it.
func TestTimelines(t *testing.T) {
	pgtest.EachOf(t, endtoend.Telling, func(t *testing.T, in *pgtest.Installation) {
		o := pgtest.Options{NoChecksums: true}
		if in.CanChooseWALSegSize() {
			o.WALSegSizeMB = 1
		}
		a := in.InitCluster(t, o)
		a.Start(t)
		a.Exec(t, "CREATE TABLE journal (what text, filler text)")
		endtoend.Write(t, a, "common")
		b := a.Standby(t)
		c := a.Standby(t)
		server := func(x *pgtest.Cluster) string { return x.ConnString("postgres") }

		// A standby and its primary are on the same timeline.
		r, err := endtoend.Prepare(t, c, endtoend.OpenServer(t, server(a)))
		require.ErrorContains(t, err, "target server is running")
		require.Nil(t, r)
		c.Stop(t, pgtest.Fast)
		r, err = endtoend.Prepare(t, c, endtoend.OpenServer(t, server(a)))
		require.NoError(t, err)
		assert.False(t, r.Plan().Required)
		assert.Equal(t, "source and target cluster are on the same timeline", r.Plan().Reason)

		// A target that wrote nothing after the fork can follow as it is.
		c.Start(t)
		c.WaitStreaming(t, a)
		endtoend.Write(t, a, "before the fork")
		b.WaitCaughtUp(t, a)
		twinOfA := func() *pgtest.Cluster {
			a.Stop(t, pgtest.Fast)
			twin := a.CloneStopped(t)
			a.Start(t)
			return twin
		}()
		b.WaitStreaming(t, a)
		c.WaitStreaming(t, a)
		endtoend.Write(t, a, "still common")
		b.WaitCaughtUp(t, a)
		b.Promote(t) // b: 1→2
		r, err = endtoend.Prepare(t, twinOfA, endtoend.OpenServer(t, server(b)))
		require.NoError(t, err)
		assert.False(t, r.Plan().Required)
		assert.NotZero(t, r.Plan().Divergence)

		// The source was promoted a moment ago, and its control file still has a
		// checkpoint of the old timeline. The new timeline must be seen on every major.
		endtoend.Write(t, a, "lost by a")
		c.WaitCaughtUp(t, a)
		a.Stop(t, pgtest.Fast)
		require.EqualValues(t, 1, endtoend.ControlOf(t, b).CheckPointCopy.ThisTimeLineID, "b already made a checkpoint, so this tests nothing")
		plan := endtoend.MustRewind(t, a, endtoend.OpenServer(t, server(b)))
		assert.EqualValues(t, 2, plan.Source.Timeline)
		require.EqualValues(t, 1, endtoend.ControlOf(t, b).CheckPointCopy.ThisTimeLineID, "b made a checkpoint meanwhile, so this tested nothing")
		endtoend.MustFollow(t, a, b) // a: standby of b, timeline 2

		// The target is a standby that replayed what its old primary lost. The source is
		// a standby, once running and once stopped.
		c.Stop(t, pgtest.Fast)
		require.Equal(t, controlfile.ShutDownInRecovery, endtoend.ControlOf(t, c).State)
		twinOfC := c.CloneStopped(t)
		endtoend.Write(t, b, "new on b")
		a.WaitCaughtUp(t, b)
		plan = endtoend.MustRewind(t, c, endtoend.OpenServer(t, server(a)))
		assert.EqualValues(t, 1, plan.Target.Timeline)
		assert.EqualValues(t, 2, plan.Source.Timeline)
		endtoend.MustFollow(t, c, b)
		a.WaitCaughtUp(t, b)
		a.Stop(t, pgtest.Fast)
		endtoend.MustRewind(t, twinOfC, endtoend.OpenDir(t, a.Dir))
		endtoend.MustFollow(t, twinOfC, b)
		twinOfC.Stop(t, pgtest.Fast)

		// Two branches of timeline 2: a is on 1→2→3, c on 1→2→4.
		a.Start(t)
		a.WaitStreaming(t, b)
		a.Promote(t)
		endtoend.Write(t, a, "lost by a on 3")
		history, err := os.ReadFile(filepath.Join(a.Dir, in.Version.WALPath("00000003.history")))
		require.NoError(t, err)
		endtoend.Write(t, b, "on b only") // c goes on along timeline 2 for a while
		c.WaitCaughtUp(t, b)
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, in.Version.WALPath("00000003.history")), history, 0o600))
		c.Promote(t)
		endtoend.Write(t, c, "new on c")
		a.Stop(t, pgtest.Fast)
		plan = endtoend.MustRewind(t, a, endtoend.OpenServer(t, server(c)))
		assert.EqualValues(t, 3, plan.Target.Timeline)
		assert.EqualValues(t, 4, plan.Source.Timeline)
		assert.EqualValues(t, 2, plan.DivergenceTimeline)
		endtoend.MustFollow(t, a, c)

		// There are several promotions in between: b stayed on 2, c is on 4. b's last WAL
		// ends with a WAL switch.
		endtoend.Write(t, b, "lost by b")
		b.SwitchWAL(t)
		endtoend.Write(t, b, "lost by b, too")
		b.Stop(t, pgtest.Fast)
		plan = endtoend.MustRewind(t, b, endtoend.OpenServer(t, server(c)))
		assert.EqualValues(t, 2, plan.Target.Timeline)
		assert.EqualValues(t, 2, plan.DivergenceTimeline)
		endtoend.MustFollow(t, b, c)

		// Two servers independently chose the same timeline number: they only seem to be
		// "on the same timeline".
		a.WaitCaughtUp(t, c)
		a.Promote(t)
		endtoend.Write(t, c, "on c only")
		b.WaitCaughtUp(t, c)
		b.Promote(t)
		endtoend.Write(t, a, "lost by a on 5")
		endtoend.Write(t, b, "new on b on 5")
		a.Stop(t, pgtest.Fast)
		plan = endtoend.MustRewind(t, a, endtoend.OpenServer(t, server(b)))
		assert.EqualValues(t, 5, plan.Target.Timeline)
		assert.EqualValues(t, 5, plan.Source.Timeline)
		assert.EqualValues(t, 4, plan.DivergenceTimeline)
		endtoend.MustFollow(t, a, b)

		// Back to a primary that was never promoted: c is still on 4.
		b.Stop(t, pgtest.Fast)
		plan = endtoend.MustRewind(t, b, endtoend.OpenServer(t, server(c)))
		assert.EqualValues(t, 5, plan.Target.Timeline)
		assert.EqualValues(t, 4, plan.Source.Timeline)
		endtoend.MustFollow(t, b, c)
		b.Promote(t)
		endtoend.Write(t, b, "promoted in the end")
	})
}
