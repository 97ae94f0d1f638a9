package recovery_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source/pgsource"
)

var errKilled = errors.New("killed")

// killed is the source of a run that is killed before it drops its slot or, if early,
// before it learns that the slot was made.
type killed struct {
	*pgsource.Server
	early bool
}

func (k killed) DropSlot(context.Context, string) error { return errKilled }

func (k killed) MakeSlot(ctx context.Context, name string) (pgdata.LSN, error) {
	from, err := k.Server.MakeSlot(ctx, name)
	if err == nil && k.early {
		return 0, errKilled
	}
	return from, err
}

// TestTheSlotOfARunThatWasKilledIsUsedByTheNext leaves a slot on the source. Only the
// target knows that it is its own.
func TestTheSlotOfARunThatWasKilledIsUsedByTheNext(t *testing.T) {
	pgtest.EachOf(t, endtoend.OldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
		l := endtoend.NewLab(t, in)
		a, b := l.FailedOver(nil, "INSERT INTO t VALUES (99999)")
		b.Exec(l, "INSERT INTO t SELECT generate_series(1, 100)")
		slots := func() string {
			return b.QueryString(t, "SELECT COALESCE(string_agg(slot_name, ','), '') FROM pg_replication_slots")
		}
		note := filepath.Join(a.Dir, "pgsql_tmp_gorewind", "slot")
		src := endtoend.OpenServer(t, b.ConnString("postgres")).(*pgsource.Server)
		ctx := context.WithoutCancel(t.Context())
		standby := rewind.Options{
			TargetDir: a.Dir, Source: src, NoSync: true,
			PrimaryConnInfo: b.ConnString("postgres") + " application_name=" + a.Name, Slot: "made", MakeSlot: true,
		}
		kill := func(early, inPlace bool) {
			opts := standby
			opts.Source, opts.InPlace = killed{src, early}, inPlace
			stopped, stop := context.WithCancel(ctx)
			defer stop()
			opts.Observer.Progress = func(p rewind.Progress) {
				if p.Activity == rewind.Copying {
					stop()
				}
			}
			r, err := rewind.Prepare(ctx, opts)
			require.NoError(t, err)
			require.Error(t, r.Apply(stopped))
			require.NoError(t, r.Close())
			require.Equal(t, "made", slots())
			require.FileExists(t, note)
		}
		prepare := func(opts rewind.Options) *rewind.Rewind {
			r, err := rewind.Prepare(ctx, opts)
			require.NoError(t, err)
			return r
		}

		// A run for another slot reports the old one. A run for this name is refused if
		// the slot was dropped and made again by somebody else.
		kill(false, false)
		other := standby
		other.Slot = "other"
		r := prepare(other)
		require.NoError(t, r.Close())
		assert.Contains(t, strings.Join(r.Plan().Warnings, "\n"), `made replication slot "made" on its source`)
		b.Exec(l, "SELECT pg_drop_replication_slot('made')", "SELECT pg_create_physical_replication_slot('made')")
		_, err := rewind.Prepare(ctx, standby)
		require.ErrorIs(t, err, rewind.ErrCannotFollow)
		assert.ErrorContains(t, err, "already exists")
		b.Exec(l, "SELECT pg_drop_replication_slot('made')")
		r = prepare(standby)
		require.NoError(t, r.Close())
		assert.FileExists(t, note, "a plan changes nothing")

		// After a run that was killed before it knew that it had made the slot, the next
		// one uses the slot. It does not drop the slot when it fails: it cannot know
		// whose it is.
		kill(true, false)
		kill(false, false)
		r = prepare(standby)
		assert.True(t, r.Plan().Following.Will)
		stopped, stop := context.WithCancel(ctx)
		stop()
		require.Error(t, r.Apply(stopped))
		require.NoError(t, r.Close())
		assert.Equal(t, "made", slots())
		b.Exec(l, "SELECT pg_drop_replication_slot('made')")

		// A slot that it knows to be its own is dropped.
		kill(false, false)
		r = prepare(standby)
		require.Error(t, r.Apply(stopped))
		require.NoError(t, r.Close())
		assert.Empty(t, slots())
		assert.NoDirExists(t, filepath.Dir(note))

		// A run that finishes uses the slot; the one before was killed in place.
		kill(false, true)
		r = prepare(standby)
		require.NoError(t, r.Apply(ctx))
		require.NoError(t, r.Close())
		assert.NoDirExists(t, filepath.Dir(note))
		y := &endtoend.Try{Target: a, Src: b, Asked: true}
		require.NoError(t, y.Follow(l))
		assert.Equal(t, "true", b.QueryString(t, "SELECT active::text FROM pg_replication_slots WHERE slot_name = 'made'"))

		// The same if no rewind is required.
		a.Stop(l, pgtest.Fast)
		l.Until(b, "NOT active FROM pg_replication_slots WHERE slot_name = 'made'")
		_, err = rewind.Prepare(ctx, standby)
		require.ErrorIs(t, err, rewind.ErrCannotFollow, "the slot is the standby's now, and need not be made")
		b.Exec(l, "SELECT pg_drop_replication_slot('made')")
		r = prepare(standby)
		require.NoError(t, r.Apply(ctx))
		require.NoError(t, r.Close())
		assert.Equal(t, "made", slots())
		assert.NoDirExists(t, filepath.Dir(note))
	})
}
