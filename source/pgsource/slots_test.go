package pgsource_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/source"
)

func TestSlotsAreThoseOfTheServer(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		primary := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"wal_level": "logical"}})
		primary.Start(t)
		primary.Exec(t, "CREATE ROLE plain LOGIN"+map[bool]string{true: " SUPERUSER"}[in.Version.SQL.SuperuserOnly])
		if !in.Version.SQL.SuperuserOnly {
			primary.Exec(t, grantList+"plain", grantStat+"plain", grantRead+"plain")
		}
		standby := primary.Standby(t)
		src := open(t, primary.ConnStringAs("plain", "postgres"))
		slots, err := src.Slots(t.Context())
		require.NoError(t, err)
		assert.Empty(t, slots)

		primary.Exec(t, "SELECT pg_create_physical_replication_slot('used')", "SELECT pg_create_physical_replication_slot('idle', true)")
		_, err = primary.TryQuery(t.Context(), "postgres", "SELECT pg_create_logical_replication_slot('logical', 'test_decoding')")
		want := []source.Slot{{Name: "idle", Physical: true}, {Name: "logical"}, {Name: "used", Physical: true, Active: true}}
		if err != nil { // a server without that plugin has no logical slot
			assert.ErrorContains(t, err, "test_decoding")
			want = []source.Slot{want[0], want[2]}
		}
		standby.Stop(t, pgtest.Fast)
		if in.Version.RecoveryConf {
			f, err := os.OpenFile(filepath.Join(standby.Dir, "recovery.conf"), os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteString("primary_slot_name = 'used'\n")
			require.NoError(t, errors.Join(err, f.Close()))
		} else {
			standby.SetConf(t, map[string]string{"primary_slot_name": "used"})
		}
		standby.Start(t)
		standby.WaitStreaming(t, primary)
		slots, err = src.Slots(t.Context())
		require.NoError(t, err)
		for i := range slots {
			assert.Equal(t, slots[i].Name != "used" || slots[i].Active, slots[i].Restart != 0, slots[i].Name)
			slots[i].Restart = 0
		}
		assert.Equal(t, want, slots)

		slots, err = open(t, standby.ConnString("postgres")).Slots(t.Context())
		require.NoError(t, err)
		assert.Empty(t, slots, "a standby has its own")

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = src.Slots(ctx)
		assert.ErrorIs(t, err, context.Canceled)
	})
}
