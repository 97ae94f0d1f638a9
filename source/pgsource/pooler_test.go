package pgsource_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/proxy"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// mustBeAsBefore checks that a pooler's processes are as they came, for its next
// clients.
func mustBeAsBefore(t *testing.T, p *pooler, c *pgtest.Cluster) {
	t.Helper()
	assert.Eventually(t, func() bool {
		return c.QueryString(t, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"
	}, waitForReload, pollReload, "no lock is left")
	p.mu.Lock()
	n := p.open
	p.mu.Unlock()
	var all []*pgx.Conn
	for range n { // in transactions, so that each has another process
		conn, err := pgx.Connect(t.Context(), p.connString())
		require.NoError(t, err)
		all = append(all, conn)
		_, err = conn.Exec(t.Context(), "BEGIN")
		require.NoError(t, err)
		for setting, want := range map[string]string{
			"search_path": `"$user", public`, "default_transaction_read_only": "off", "statement_timeout": "0", "bytea_output": "hex", "lock_timeout": "1h",
		} {
			var is string
			require.NoError(t, conn.QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&is))
			assert.Equal(t, want, is, setting)
		}
		var prepared int
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_prepared_statements WHERE name = 'fetch'").Scan(&prepared))
		assert.Zero(t, prepared)
	}
	for _, conn := range all {
		require.NoError(t, conn.Close(t.Context()))
	}
}

func TestPoolers(t *testing.T) {
	onMajors(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)
		c.Exec(t, "ALTER ROLE postgres SET lock_timeout = '1h'")
		content := make([]byte, 40<<20)
		copy(content[30<<20:], "something")
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "large"), content, 0o600))
		r := source.Range{Path: "large", Length: int64(len(content))}
		k := &task{asked: []source.Range{r}, want: map[source.Range][]byte{r: content}}

		for _, test := range []struct {
			name string
			p    *pooler
			used int // processes that were in use before
		}{
			{"of transactions", &pooler{transactions: true, size: 5}, 0},
			{"of transactions, with several processes", &pooler{transactions: true, size: 5}, 3},
			{"of transactions, with one process only", &pooler{transactions: true, size: 1}, 0},
			{"of transactions, one process after the other", &pooler{transactions: true, roundRobin: true, size: 5}, 5},
			{"of transactions, two processes in turn", &pooler{transactions: true, roundRobin: true, size: 2}, 2},
		} {
			t.Run(test.name, func(t *testing.T) {
				test.p.start(t, c)
				var clients []*pgx.Conn
				for range test.used {
					conn, err := pgx.Connect(t.Context(), test.p.connString())
					require.NoError(t, err)
					_, err = conn.Exec(t.Context(), "BEGIN")
					require.NoError(t, err)
					clients = append(clients, conn)
				}
				for _, conn := range clients {
					_, err := conn.Exec(t.Context(), "COMMIT")
					require.NoError(t, err)
				}
				_, err := pgsource.Open(t.Context(), test.p.connString(), pgsource.Options{Timeout: never})
				var refused *pgsource.PoolerError
				require.ErrorAs(t, err, &refused)
				require.ErrorIs(t, err, source.ErrPooled)
				assert.ErrorContains(t, err, "server on 127.0.0.1:")
				assert.ErrorContains(t, err, "connect to the server itself")
				assert.ErrorContains(t, err, "pool_mode = session")
				assert.NotErrorIs(t, err, source.ErrUnavailable)
				mustBeAsBefore(t, test.p, c)
			})
		}
		for _, test := range []struct {
			name string
			p    *pooler
		}{
			{"of sessions", &pooler{size: 20, resets: true}},
			{"of sessions that leaves it to its clients to put things back", &pooler{size: 20}},
			{"of sessions, with one process only", &pooler{size: 1}},
		} {
			t.Run(test.name, func(t *testing.T) {
				test.p.start(t, c)
				s, err := pgsource.Open(t.Context(), test.p.connString(), pgsource.Options{Jobs: min(test.p.size, 3), Timeout: never})
				require.NoError(t, err)
				sink := k.sink()
				require.NoError(t, s.Fetch(t.Context(), ranges(k.asked...), sink))
				require.NoError(t, sink.trouble)
				assert.Empty(t, sink.left)
				var on string
				require.NoError(t, s.Conn().QueryRow(t.Context(), "SHOW default_transaction_read_only").Scan(&on))
				assert.Equal(t, "on", on)
				require.NoError(t, s.Close())
				mustBeAsBefore(t, test.p, c)
			})
		}
		t.Run("that loses its processes", func(t *testing.T) {
			p := &pooler{size: 20}
			p.start(t, c)
			j, log := newJournal()
			s := open(t, p.connString(), pgsource.Options{Jobs: 3, Timeout: never, Logger: log})
			w := newCrowd(t, c, manyPieces)
			for _, piece := range []int{1, 5000} {
				w.at[piece] = func() {
					c.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres' AND pid <> pg_backend_pid()")
				}
			}
			require.NoError(t, s.Fetch(t.Context(), ranges(w.asked...), w))
			w.mustBeComplete(t)
			assert.Equal(t, 2, j.count("WARN"))
		})
		t.Run("that begins to pool transactions", func(t *testing.T) {
			p := &pooler{size: 20, resets: true}
			p.start(t, c)
			s := open(t, p.connString(), pgsource.Options{Timeout: never})
			require.NoError(t, s.RawConn().Close())
			p.mu.Lock()
			p.transactions = true
			p.mu.Unlock()
			_, err := s.State(t.Context())
			var refused *pgsource.PoolerError
			assert.ErrorAs(t, err, &refused)
		})
	}, "9.6", "18")
}

func TestOnlyAPoolerIsTakenForOne(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		primary := in.InitCluster(t, pgtest.Options{TCP: true})
		primary.Start(t)
		role := "plain"
		primary.Exec(t, "CREATE ROLE plain LOGIN"+map[bool]string{true: " SUPERUSER"}[in.Version.SQL.SuperuserOnly])
		if !in.Version.SQL.SuperuserOnly {
			primary.Exec(t, grantList+role, grantStat+role, grantRead+role)
		}
		standby := primary.Standby(t)
		for _, c := range []*pgtest.Cluster{primary, standby} {
			for how, conninfo := range map[string]string{
				"a socket":             c.ConnStringAs(role, "postgres"),
				"a port":               c.TCPConnString(role, "postgres"),
				"what passes bytes on": proxy.Before(t, c).ConnString(role, "postgres"),
			} {
				s := open(t, conninfo)
				assert.False(t, s.Pooled(), "%s: %s", c.Name, how)
				another, err := s.OpenAnother(t.Context())
				require.NoError(t, err, "%s: %s", c.Name, how)
				assert.Equal(t, "2", c.QueryString(t, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted"))
				another()
				require.NoError(t, s.Close())
				assert.Eventually(t, func() bool {
					return c.QueryString(t, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"
				}, waitForReload, pollReload)
			}
		}
	})
}
