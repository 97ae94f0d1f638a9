package pgsource_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

const waitTimeout = time.Minute

// spendWAL writes WAL until servers want to remove some.
func spendWAL(t *testing.T, primary, standby *pgtest.Cluster) {
	t.Helper()
	for range 2 {
		primary.Exec(t, "SELECT pg_catalog.txid_current()")
		primary.SwitchWAL(t)
	}
	for range 2 {
		// What the standby has yet to receive would be removed, too, if it were not
		// already in the segment of the checkpoint.
		primary.Exec(t, "DROP TABLE IF EXISTS spent", "CREATE TABLE spent ()")
		standby.WaitCaughtUp(t, primary)
		primary.Checkpoint(t)
		standby.WaitCaughtUp(t, primary)
		standby.Checkpoint(t)
	}
}

// hasWAL tells whether a server has the segment of an LSN.
func hasWAL(t *testing.T, c *pgtest.Cluster, lsn pgdata.LSN) bool {
	t.Helper()
	g := pgdata.Geometry{WALSegSize: 16 << 20}
	_, err := os.Stat(filepath.Join(c.Dir, c.In.Version.WALPath(g.WALFileName(1, g.SegNo(lsn)))))
	if err != nil {
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	return err == nil
}

func TestWALIsHeldUntilItIsReleased(t *testing.T) {
	t.Parallel() // others run while it waits
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		primary := in.InitCluster(t, pgtest.Options{})
		conf, err := os.ReadFile(filepath.Join(primary.Dir, "postgresql.conf"))
		require.NoError(t, err)
		conf = regexp.MustCompile(`(?m)^wal_keep_.*$`).ReplaceAll(conf, nil) // what the tests' servers have
		require.NoError(t, os.WriteFile(filepath.Join(primary.Dir, "postgresql.conf"), conf, 0o600))
		primary.Start(t)
		src := open(t, primary.ConnString("postgres"))
		if !in.Version.SQL.TemporarySlots {
			_, _, err := src.HoldWAL(t.Context())
			assert.ErrorIs(t, err, source.ErrWALNotHeld)
			assert.ErrorContains(t, err, "PostgreSQL 9.6 has no temporary replication slots")
			return
		}
		standby := primary.Standby(t)
		for _, c := range []*pgtest.Cluster{primary, standby} {
			src := open(t, c.ConnString("postgres"))
			c.Checkpoint(t)
			redo, err := pgdata.ParseLSN(c.QueryString(t, "SELECT redo_lsn FROM pg_control_checkpoint()"))
			require.NoError(t, err)
			from, release, err := src.HoldWAL(t.Context())
			require.NoError(t, err)
			assert.Equal(t, redo, from)
			spendWAL(t, primary, standby)
			assert.True(t, hasWAL(t, c, from), "held")
			assert.NoError(t, release())
			assert.NoError(t, release(), "again")
			require.Eventually(t, func() bool {
				return c.QueryString(t, "SELECT count(*) FROM pg_replication_slots") == "0"
			}, waitTimeout, waitTimeout/1000)
			spendWAL(t, primary, standby)
			assert.False(t, hasWAL(t, c, from), "released")

			// A slot that is lost is not held.
			_, release, err = src.HoldWAL(t.Context())
			require.NoError(t, err)
			c.Exec(t, "SELECT pg_catalog.pg_terminate_backend(active_pid) FROM pg_catalog.pg_replication_slots")
			require.Eventually(t, func() bool {
				return c.QueryString(t, "SELECT count(*) FROM pg_replication_slots") == "0"
			}, waitTimeout, waitTimeout/1000)
			err = release()
			assert.ErrorIs(t, err, source.ErrWALNotHeld)
			assert.Equal(t, err, release(), "again")
		}
	})
}

func TestWhyWALIsNotHeld(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		if !in.Version.SQL.TemporarySlots {
			t.Skipf("PostgreSQL %s has no temporary replication slots: 10 and later try this", in)
		}
		c := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"max_replication_slots": "1"}})
		c.Start(t)
		c.Exec(t, "CREATE ROLE plain LOGIN"+map[bool]string{true: " SUPERUSER"}[in.Version.SQL.SuperuserOnly])
		if !in.Version.SQL.SuperuserOnly {
			c.Exec(t, grantList+"plain", grantStat+"plain", grantRead+"plain")
			_, _, err := open(t, c.ConnStringAs("plain", "postgres")).HoldWAL(t.Context())
			assert.ErrorIs(t, err, source.ErrWALNotHeld)
			assert.ErrorContains(t, err, "ALTER ROLE ... REPLICATION")
			c.Exec(t, "ALTER ROLE plain REPLICATION")
		}
		src := open(t, c.ConnStringAs("plain", "postgres"))
		_, release, err := src.HoldWAL(t.Context())
		require.NoError(t, err)
		_, _, err = src.HoldWAL(t.Context())
		assert.ErrorIs(t, err, source.ErrWALNotHeld)
		assert.ErrorContains(t, err, "max_replication_slots")
		assert.NoError(t, release())

		c.Stop(t, pgtest.Fast)
		c.SetConf(t, map[string]string{"wal_level": "minimal", "max_wal_senders": "0", "max_replication_slots": "0"})
		c.Start(t)
		_, _, err = open(t, c.ConnStringAs("plain", "postgres")).HoldWAL(t.Context())
		assert.ErrorIs(t, err, source.ErrWALNotHeld)
		assert.ErrorContains(t, err, "wal_level")
	})
}
