package pgsource_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
)

func TestSession(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)

		t.Run("it cannot write", func(t *testing.T) {
			s := open(t, c.ConnString("postgres"))
			var pg *pgconn.PgError
			require.ErrorAs(t, s.Exec(t.Context(), "CREATE TABLE x (y int)"), &pg)
			assert.Equal(t, "25006", pg.Code, "read_only_sql_transaction")
		})

		t.Run("no timeout of the role, the database or the server ends it", func(t *testing.T) {
			timeouts := []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout", "transaction_timeout"}
			c.Exec(t, "CREATE ROLE hasty LOGIN SUPERUSER")
			set := 0
			for _, name := range timeouts {
				if c.QueryString(t, "SELECT count(*) FROM pg_settings WHERE name = '"+name+"'") == "1" {
					c.Exec(t, "ALTER ROLE hasty SET "+name+" = '250ms'", "ALTER DATABASE postgres SET "+name+" = '250ms'")
					set++
				}
			}
			assert.GreaterOrEqual(t, set, 3)
			s := open(t, c.ConnStringAs("hasty", "postgres"))
			assert.NoError(t, s.Exec(t.Context(), "SELECT 1 FROM pg_catalog.pg_sleep(0.5)"))
			var on int
			require.NoError(t, s.Conn().QueryRow(t.Context(),
				"SELECT count(*) FROM pg_catalog.pg_settings WHERE name LIKE '%timeout' AND name = ANY ($1) AND setting <> '0'", timeouts).Scan(&on))
			assert.Zero(t, on)
			c.Exec(t, "ALTER DATABASE postgres RESET ALL")
		})

		t.Run("functions and operators in its way are not called", func(t *testing.T) {
			c.Exec(t, "CREATE DATABASE trapped")
			trap := func(kind, name, args, returns string) string {
				return "CREATE " + kind + " evil." + name + "(" + args + ") RETURNS " + returns + " LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$"
			}
			c.ExecIn(t, "trapped", "CREATE SCHEMA evil",
				trap("FUNCTION", "pg_ls_dir", "text, boolean, boolean", "SETOF text"),
				trap("FUNCTION", "pg_read_binary_file", "text, bigint, bigint, boolean", "bytea"),
				trap("FUNCTION", "pg_is_in_recovery", "", "boolean"),
				trap("FUNCTION", "current_setting", "text", "text"),
				trap("FUNCTION", "set_config", "text, text, boolean", "text"),
				trap("FUNCTION", "unnest", "text[]", "SETOF text"),
				trap("FUNCTION", "trap", "text, text", "boolean"),
				trap("FUNCTION", "trap_name", "name, name", "boolean"),
				trap("FUNCTION", "trap_concat", "text, text", "text"),
				"CREATE OPERATOR evil.= (PROCEDURE = evil.trap, LEFTARG = text, RIGHTARG = text)",
				"CREATE OPERATOR evil.= (PROCEDURE = evil.trap_name, LEFTARG = name, RIGHTARG = name)",
				"CREATE OPERATOR evil.!~ (PROCEDURE = evil.trap, LEFTARG = text, RIGHTARG = text)",
				"CREATE OPERATOR evil.~ (PROCEDURE = evil.trap, LEFTARG = text, RIGHTARG = text)",
				"CREATE OPERATOR evil.|| (PROCEDURE = evil.trap_concat, LEFTARG = text, RIGHTARG = text)",
				"CREATE TABLE evil.pg_settings (name text)", "CREATE TABLE evil.pg_roles (rolname text)", "CREATE TABLE evil.pg_tablespace (oid oid)",
				"CREATE DOMAIN evil.text AS int", "CREATE DOMAIN evil.bytea AS int", "CREATE DOMAIN evil.int8 AS text",
				"ALTER DATABASE trapped SET search_path = evil, pg_catalog",
			)
			_, err := c.TryQuery(t.Context(), "trapped", "SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text")
			require.ErrorContains(t, err, "trapped", "the trap works")
			readAll(t, open(t, c.ConnString("trapped")), c)
		})

		t.Run("it names itself and takes what the connection string says instead", func(t *testing.T) {
			open(t, c.ConnString("postgres"))
			assert.NotEqual(t, "0", backends(t, c, "gorewind"))
			open(t, c.ConnString("postgres")+" application_name=other")
			assert.Equal(t, "1", backends(t, c, "other"))
		})
	})
}

func TestAStandbyAsSource(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		primary := in.InitCluster(t, pgtest.Options{})
		primary.Start(t)
		standby := primary.Standby(t)
		primary.Exec(t, "CREATE TABLE t AS SELECT g FROM generate_series(1, 1000) g")
		standby.WaitCaughtUp(t, primary)
		s := open(t, standby.ConnString("postgres"))
		state, err := s.State(t.Context())
		require.NoError(t, err)
		assert.True(t, state.InRecovery)
		assert.True(t, state.FullPageWrites)
		assert.Zero(t, state.Timeline)
		assert.Zero(t, state.FlushLSN)
		assert.Greater(t, len(list(t, s)), 500)

		standby.Promote(t)
		state, err = s.State(t.Context())
		require.NoError(t, err)
		assert.False(t, state.InRecovery)
		assert.EqualValues(t, 2, state.Timeline)
		assert.NotZero(t, state.FlushLSN)
		standby.Exec(t, "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()")
		assert.Eventually(t, func() bool {
			state, err = s.State(t.Context())
			return err == nil && !state.FullPageWrites
		}, waitForReload, pollReload)
	})
}

const (
	waitForReload = time.Minute
	pollReload    = 10 * time.Millisecond
)
