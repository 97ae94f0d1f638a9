package cluster_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestEveryServerInitializesStreamsAndPromotes(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		primary := in.InitCluster(t, pgtest.Options{})
		primary.Start(t)
		assert.Equal(t, in.Version.Name, majorOf(primary.QueryString(t, "SHOW server_version_num")))
		primary.Exec(t, "CREATE TABLE t (a int)", "INSERT INTO t SELECT generate_series(1, 1000)")

		standby := primary.Standby(t)
		primary.Exec(t, "INSERT INTO t VALUES (0)")
		standby.WaitCaughtUp(t, primary)
		assert.Equal(t, "1001", standby.QueryString(t, "SELECT count(*) FROM t"))
		assert.True(t, standby.InRecovery(t))

		primary.Kill(t)
		assert.False(t, primary.Running())
		standby.Promote(t)
		standby.Exec(t, "INSERT INTO t VALUES (-1)", "CHECKPOINT")
		standby.SwitchWAL(t)
		assert.FileExists(t, filepath.Join(standby.Dir, in.Version.WALDir, "00000002.history"))

		primary.Start(t)
		assert.Equal(t, "1001", primary.QueryString(t, "SELECT count(*) FROM t"), "after crash recovery")
		primary.Stop(t, pgtest.Immediate)
		standby.Stop(t, pgtest.Fast)
		assert.NoFileExists(t, filepath.Join(standby.Dir, "postmaster.pid"))
	})
}

func majorOf(num string) string {
	if len(num) == 5 {
		return num[:1] + "." + num[2:3] // 90624
	}
	return num[:2]
}

func TestACloneHasTablespacesAndWALDirectoryOfItsOwn(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{SeparateWAL: true, Template0: true, Conf: map[string]string{"work_mem": "5MB"}})
		c.Start(t)
		c.Exec(t, "CREATE TABLESPACE s LOCATION '"+c.TablespaceDir(t, "s")+"'",
			"CREATE TABLE t TABLESPACE s AS SELECT 1 AS a")
		c.Stop(t, pgtest.Fast)
		clone := c.CloneStopped(t)

		before, err := dirtree.Read(c.Dir)
		require.NoError(t, err)
		same, err := dirtree.Read(clone.Dir)
		require.NoError(t, err)
		assert.Empty(t, before.Diff(same))
		assert.Greater(t, len(before), 900, "files behind the links are part of the tree")

		clone.Start(t)
		clone.Exec(t, "UPDATE t SET a = 2")
		assert.Equal(t, "5MB", clone.QueryString(t, "SHOW work_mem"))
		clone.Stop(t, pgtest.Fast)
		after, err := dirtree.Read(c.Dir)
		require.NoError(t, err)
		assert.Empty(t, before.Diff(after), "the original must not notice")
		changed, err := dirtree.Read(clone.Dir)
		require.NoError(t, err)
		assert.NotEmpty(t, before.Diff(changed))
	})
}

func TestEveryGenuineInstallationHasItsPrograms(t *testing.T) {
	pgtest.EachGenuine(t, func(t *testing.T, in *pgtest.Installation) {
		for _, name := range []string{"pg_rewind", "pg_waldump", "pg_controldata", "pg_basebackup", "psql"} {
			assert.Contains(t, in.Output(t, name, "-V"), in.Version.Name)
		}
		c := in.InitCluster(t, pgtest.Options{WALSegSizeMB: 1, GroupAccess: true})
		info, err := os.Stat(c.Dir)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o750), info.Mode().Perm())
		assert.Contains(t, in.Output(t, "pg_controldata", c.Dir), "1048576")
	})
}

func TestAClusterKeepsItsPlaceWhenRewindingReplacesItsFiles(t *testing.T) {
	pgtest.EachGenuine(t, func(t *testing.T, in *pgtest.Installation) {
		old := in.InitCluster(t, pgtest.Options{Name: "old", TCP: true})
		old.Start(t)
		old.Exec(t, "CREATE TABLE t (a int)")
		source := old.Standby(t)
		source.Promote(t)
		source.Exec(t, "INSERT INTO t VALUES (1)", "CHECKPOINT")
		old.Exec(t, "INSERT INTO t VALUES (2)")
		old.Stop(t, pgtest.Fast)

		in.Output(t, "pg_rewind", "-D", old.Dir, "--source-server", source.ConnString("postgres"))
		old.MakeStandbyOf(t, source)
		old.MakeStandbyOf(t, source)
		old.Start(t)
		old.WaitStreaming(t, source)
		old.WaitCaughtUp(t, source)
		assert.Equal(t, "1", old.QueryString(t, "SELECT a FROM t"))
		assert.NotEqual(t, source.Port(), old.Port())
		assert.Equal(t, "old", source.QueryString(t, "SELECT application_name FROM pg_stat_replication"))
	})
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.SetConf(t, map[string]string{"shared_buffers": "nonsense"})
		err := c.TryStart()
		assert.ErrorContains(t, err, `invalid value for parameter "shared_buffers": "nonsense"`)
		assert.False(t, c.Running())
	})
}
