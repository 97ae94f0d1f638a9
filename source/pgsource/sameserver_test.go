package pgsource_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/proxy"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// twins are two standbys that were made from one snapshot.
func twins(t *testing.T, in *pgtest.Installation) (one, other *pgtest.Cluster) {
	t.Helper()
	primary := in.InitCluster(t, pgtest.Options{})
	primary.Start(t)
	one = primary.Standby(t)
	one.Stop(t, pgtest.Fast)
	other = one.CloneStopped(t)
	name := func(c *pgtest.Cluster) string { return filepath.Join(c.Dir, "PG_VERSION") }
	for { // files have the second in which they were last touched
		began := time.Now()
		require.NoError(t, os.Chmod(name(one), 0o600))
		require.NoError(t, os.Chmod(name(other), 0o600))
		if time.Now().Unix() == began.Unix() {
			break
		}
	}
	one.Start(t)
	other.Start(t)
	const sql = "SELECT change, system_identifier FROM pg_stat_file('PG_VERSION'), pg_control_system()"
	require.Equal(t, one.QueryRows(t, sql), other.QueryRows(t, sql))
	return one, other
}

func TestTwinsBehindOneAddress(t *testing.T) {
	onMajors(t, func(t *testing.T, in *pgtest.Installation) {
		one, other := twins(t, in)
		p := proxy.Before(t, one)
		conninfo := p.ConnString("postgres", "postgres")
		content := bytes.Repeat([]byte("one"), 20<<20)
		require.NoError(t, os.WriteFile(filepath.Join(one.Dir, "large"), content, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(other.Dir, "large"), bytes.ToUpper(content), 0o600))
		refused := func(t *testing.T, err error) {
			t.Helper()
			require.ErrorIs(t, err, source.ErrChanged)
			assert.ErrorContains(t, err, "load balancer")
			assert.ErrorContains(t, err, "name one server")
			assert.NotErrorIs(t, err, source.ErrUnavailable)
		}
		opts := func() (pgsource.Options, *journal) {
			j, log := newJournal()
			return pgsource.Options{Timeout: never, Jobs: 4, Logger: log}, j
		}

		t.Run("the first connection is lost, and the next one goes to the twin", func(t *testing.T) {
			o, _ := opts()
			s := open(t, conninfo, o)
			defer p.Move(one)
			p.Move(other)
			p.Cut()
			_, err := s.ReadFile(t.Context(), "PG_VERSION")
			refused(t, err)
		})
		t.Run("the twin is started again meanwhile", func(t *testing.T) {
			o, _ := opts()
			s := open(t, conninfo, o)
			defer p.Move(one)
			p.Move(other)
			other.Stop(t, pgtest.Fast)
			other.Start(t)
			p.Cut()
			_, err := s.ReadFile(t.Context(), "PG_VERSION")
			refused(t, err)
		})
		t.Run("more connections go to the twin", func(t *testing.T) {
			o, j := opts()
			s := open(t, conninfo, o)
			defer p.Move(one)
			p.Move(other)
			r := source.Range{Path: "large", Length: int64(len(content))}
			k := &task{asked: []source.Range{r}, want: map[source.Range][]byte{r: content}}
			sink := k.sink()
			require.NoError(t, s.Fetch(t.Context(), ranges(k.asked...), sink))
			require.NoError(t, sink.trouble)
			assert.Empty(t, sink.left, "all of it is from the first one")
			assert.Equal(t, 1, j.count("WARN"), "it is said once")
			assert.Contains(t, <-j.lines, "leads to more than one server")
		})
		t.Run("the connection that holds WAL goes to the twin", func(t *testing.T) {
			if !in.Version.SQL.TemporarySlots {
				t.Skipf("PostgreSQL %s has no temporary replication slots: 10 and later try this", in)
			}
			o, _ := opts()
			s := open(t, conninfo, o)
			defer p.Move(one)
			p.Move(other)
			_, _, err := s.HoldWAL(t.Context())
			refused(t, err)
			assert.ErrorIs(t, err, source.ErrWALNotHeld)
		})
		t.Run("the connection that names relations goes to the twin", func(t *testing.T) {
			o, _ := opts()
			s := open(t, conninfo, o)
			class := pgdata.RelFileLocator{Tablespace: 1663, Database: 1, Relation: 1259}
			names, err := s.RelationNames(t.Context(), []pgdata.RelFileLocator{class})
			require.NoError(t, err)
			defer p.Move(one)
			p.Move(other)
			moved, err := s.RelationNames(t.Context(), []pgdata.RelFileLocator{class})
			require.NoError(t, err)
			assert.NotEqual(t, names, moved)
			assert.Empty(t, moved)
		})
		t.Run("all connections were lost while nobody used them", func(t *testing.T) {
			o, _ := opts()
			s := open(t, conninfo, o)
			one.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gorewind'")
			require.Eventually(t, func() bool {
				return one.QueryString(t, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"
			}, waitForReload, pollReload)
			end, err := s.OpenAnother(t.Context())
			require.NoError(t, err)
			end()
			_, err = s.State(t.Context())
			require.NoError(t, err)
		})
		t.Run("it is started again itself", func(t *testing.T) {
			o, _ := opts()
			s := open(t, conninfo, o)
			one.Stop(t, pgtest.Fast)
			one.Start(t)
			_, err := s.State(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "1", one.QueryString(t, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"))
		})
	}, "9.6", "18")
}
