package recovery_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
)

// TestWhetherTheStandbyWillStreamIsKnownBefore checks what the plan says: a target
// that will not be able to stream gets a warning or is refused, and one with a slot
// that the rewind makes streams from that slot.
func TestWhetherTheStandbyWillStreamIsKnownBefore(t *testing.T) {
	pgtest.EachOf(t, endtoend.OldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
		l := endtoend.NewLab(t, in)
		a, b := l.FailedOver(nil, "INSERT INTO t VALUES (99999)")
		b.Exec(l, "INSERT INTO t SELECT generate_series(1, 100)", "CREATE ROLE plain LOGIN")
		slots := func() string {
			return b.QueryString(t, "SELECT COALESCE(string_agg(slot_name, ','), '') FROM pg_replication_slots")
		}
		y := &endtoend.Try{Target: a, Src: b, Asked: true}
		ctx := context.Background()
		src, err := y.Open(ctx)
		require.NoError(t, err)
		defer func() { _ = src.Close() }()
		prepare := func(opts rewind.Options) (*rewind.Rewind, error) {
			opts.TargetDir, opts.Source, opts.NoSync = a.Dir, src, true
			r, err := rewind.Prepare(ctx, opts)
			if err == nil {
				t.Cleanup(func() { _ = r.Close() })
			}
			return r, err
		}
		for _, try := range []struct {
			name    string
			opts    rewind.Options
			follows bool
			why     string
		}{
			{"a role without the privilege", rewind.Options{PrimaryConnInfo: b.ConnStringAs("plain", "postgres")}, false, "REPLICATION"},
			{"a slot that does not exist", rewind.Options{PrimaryConnInfo: b.ConnString("postgres"), Slot: "none"}, false, "does not exist"},
			{"a slot that the rewind will make", rewind.Options{PrimaryConnInfo: b.ConnString("postgres"), Slot: "made", MakeSlot: true}, true, ""},
			{"no standby configured, only the check", rewind.Options{CheckReplication: true}, true, ""},
		} {
			r, err := prepare(try.opts)
			require.NoError(t, err, try.name)
			f := r.Plan().Following
			require.NotNil(t, f, try.name)
			assert.Equal(t, try.follows, f.Will, try.name)
			d := r.Brief(nil)
			require.NotNil(t, d.WillFollow)
			assert.Equal(t, try.follows, *d.WillFollow)
			if !try.follows {
				assert.Contains(t, f.Reason+f.Hint, try.why, try.name)
				assert.Contains(t, r.Plan().Warnings[len(r.Plan().Warnings)-1], "will not be able to follow the source", try.name)
			}
			_, err = json.Marshal(d)
			require.NoError(t, err)
			require.NoError(t, r.Close())
			assert.Empty(t, slots(), "a plan makes no slot")
		}

		for _, opts := range []rewind.Options{
			{PrimaryConnInfo: b.ConnStringAs("plain", "postgres"), CheckReplication: true},
			{PrimaryConnInfo: b.ConnStringAs("plain", "postgres"), Slot: "made", MakeSlot: true},
		} {
			_, err = prepare(opts)
			var refused *rewind.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, rewind.CannotFollow, refused.Condition)
			assert.True(t, refused.TargetUntouched)
			assert.False(t, refused.BaseBackupNeeded())
		}
		for _, opts := range []rewind.Options{
			{Slot: "made"}, {PrimaryConnInfo: "host=x", MakeSlot: true}, {PrimaryConnInfo: "host=x", Slot: "Not a name"},
		} {
			_, err = prepare(opts)
			require.ErrorIs(t, err, rewind.ErrOptions)
		}

		// If the rewind stops before the commit, the slot is dropped.
		standby := rewind.Options{PrimaryConnInfo: b.ConnString("postgres") + " application_name=" + a.Name, Slot: "made", MakeSlot: true}
		stopped, stop := context.WithCancel(ctx)
		defer stop()
		had := ""
		failing := standby
		failing.Observer.Progress = func(p rewind.Progress) {
			if had == "" {
				had = slots()
			}
			if had != "" {
				stop()
			}
		}
		r, err := prepare(failing)
		require.NoError(t, err)
		had = ""
		require.ErrorIs(t, r.Apply(stopped), context.Canceled)
		require.NoError(t, r.Close())
		assert.Contains(t, had, "made")
		assert.Empty(t, slots())

		// A rewind in place is interrupted, and run again with a slot that does not exist
		// yet.
		stopped, stop = context.WithCancel(ctx)
		defer stop()
		r, err = prepare(rewind.Options{InPlace: true, Observer: rewind.Observer{Progress: func(p rewind.Progress) {
			if p.Activity == rewind.Copying {
				stop()
			}
		}}})
		require.NoError(t, err)
		require.Error(t, r.Apply(stopped))
		require.NoError(t, r.Close())

		r, err = prepare(standby)
		require.NoError(t, err)
		require.NoError(t, r.Apply(ctx))
		require.NoError(t, r.Close())
		require.NoError(t, y.Follow(l))
		assert.Equal(t, "true", b.QueryString(t, "SELECT active::text FROM pg_replication_slots WHERE slot_name = 'made'"))

		// A target that needs no rewind gets its slot, too.
		a.Stop(l, pgtest.Fast)
		l.Until(b, "NOT active FROM pg_replication_slots WHERE slot_name = 'made'")
		b.Exec(l, "SELECT pg_drop_replication_slot('made')")
		r, err = prepare(standby)
		require.NoError(t, err)
		assert.False(t, r.Plan().Required)
		assert.True(t, r.Plan().Following.Will)
		require.NoError(t, r.Apply(ctx))
		require.NoError(t, r.Close())
		require.NoError(t, y.Follow(l))
		assert.Equal(t, "made", slots())
	})
}
