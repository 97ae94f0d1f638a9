package pgsource_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// hashes are a source's hashes of ranges; a missing sum is empty.
func hashes(t *testing.T, src source.Hasher, ranges []source.Range) []string {
	t.Helper()
	var sums []string
	require.NoError(t, src.Hash(t.Context(), slices.Values(ranges), func(r source.Range, sum []byte) error {
		assert.Equal(t, ranges[len(sums)], r)
		sums = append(sums, fmt.Sprintf("%x", sum))
		return nil
	}))
	return sums
}

func TestHashesAreThoseOfTheFiles(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		big := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
		for i := range len(big) / 8192 {
			big[i*8192] = byte(i)
		}
		for name, data := range map[string][]byte{"big": big, "empty": nil, "für": big[:100], "caf\xe9": big[:100]} {
			require.NoError(t, os.WriteFile(filepath.Join(c.Dir, name), data, 0o600))
		}
		c.Start(t)
		s := open(t, c.ConnString("postgres"))
		sum := func(data []byte) string {
			h := s.NewHash()
			h.Write(data)
			return fmt.Sprintf("%x", h.Sum(nil))
		}

		ranges := []source.Range{
			{Path: "big", Length: source.MaxHash},
			{Path: "big", Offset: 8192, Length: 8192},
			{Path: "big", Offset: 1 << 30, Length: 1},
			{Path: "gone", Length: 8192},
			{Path: "gone/inside", Length: 8192},
			{Path: "empty", Length: 8192},
			{Path: "big", Length: 0},
			{Path: "für", Length: 8192},
			{Path: "caf\xe9", Length: 8192},
			{Path: "big", Length: source.MaxHash + 1},
			{Path: "big", Offset: 5<<20 - 1, Length: 2},
		}
		want := []string{
			sum(big), sum(big[8192:16384]), sum(nil), "", "", sum(nil), sum(nil),
			sum(big[:100]), "", "", sum(big[5<<20-1:]),
		}
		for i := range 10000 { // several queries
			at := i * 8192 % len(big)
			ranges, want = append(ranges, source.Range{Path: "big", Offset: int64(at), Length: 8192}), append(want, sum(big[at:at+8192]))
		}
		assert.Equal(t, want, hashes(t, s, ranges))
		assert.Empty(t, hashes(t, s, nil))

		// The receiver of the hashes can end it, and so can a cancellation; the source stays usable.
		assert.ErrorIs(t, s.Hash(t.Context(), slices.Values(ranges), func(source.Range, []byte) error { return errSink }), errSink)
		ctx, cancel := context.WithCancel(t.Context())
		assert.ErrorIs(t, s.Hash(ctx, slices.Values(ranges), func(source.Range, []byte) error { cancel(); return nil }), context.Canceled)
		assert.Equal(t, want[:1], hashes(t, s, ranges[:1]))
		// What the server refuses is a matter of fetching it instead.
		err := s.Hash(t.Context(), slices.Values([]source.Range{{Path: "base", Length: 1}}), func(source.Range, []byte) error { return nil })
		assert.ErrorIs(t, err, errors.ErrUnsupported)

		c.Stop(t, pgtest.Fast)
		dir, err := source.OpenDir(c.Dir)
		require.NoError(t, err)
		defer func() { _ = dir.Close() }()
		if in.Version.SQL.Hash == "sha256" {
			want[8], want[9] = sum(big[:100]), sum(big) // a directory takes any name and length
			assert.Equal(t, want, hashes(t, dir, ranges))
		}
	})
}

func TestStateOfAStandby(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		primary := in.InitCluster(t, pgtest.Options{})
		primary.Start(t)
		standby := primary.Standby(t)
		primary.Exec(t, "CREATE TABLE t AS SELECT 1")
		standby.WaitCaughtUp(t, primary)

		p, err := open(t, primary.ConnString("postgres")).State(t.Context())
		require.NoError(t, err)
		src := open(t, standby.ConnString("postgres"))
		state, err := src.State(t.Context())
		require.NoError(t, err)
		assert.True(t, state.InRecovery)
		assert.Zero(t, state.FlushLSN)
		assert.GreaterOrEqual(t, state.ReplayLSN, p.FlushLSN)
		assert.GreaterOrEqual(t, state.ReceiveLSN, state.ReplayLSN)
		assert.Equal(t, state.ReceiveLSN, state.WALEnd())
		assert.Equal(t, p.FlushLSN, p.WALEnd())

		// What was received and not replayed counts.
		standby.Exec(t, "SELECT pg_catalog."+map[bool]string{true: "pg_xlog_replay_pause", false: "pg_wal_replay_pause"}[in.Version.WALDir == "pg_xlog"]+"()")
		primary.Exec(t, "CREATE TABLE u AS SELECT g FROM generate_series(1, 1000) g")
		end := primary.FlushLSN(t)
		require.Eventually(t, func() bool {
			state, err = src.State(t.Context())
			return err == nil && state.WALEnd() >= end
		}, waitTimeout, waitTimeout/1000)
		assert.Less(t, state.ReplayLSN, end)

		// A standby that does not stream has replayed everything that it has.
		primary.Stop(t, pgtest.Fast)
		standby.Stop(t, pgtest.Fast)
		standby.Start(t)
		src = open(t, standby.ConnString("postgres"))
		require.Eventually(t, func() bool { // it takes connections before that
			state, err = src.State(t.Context())
			return err == nil && state.ReplayLSN >= end
		}, waitTimeout, waitTimeout/1000)
		assert.GreaterOrEqual(t, state.WALEnd(), end)
	})
}

func TestRelationsHaveNames(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{Template0: true})
		c.Start(t)
		c.Exec(t, "CREATE TABLESPACE ts LOCATION '"+c.TablespaceDir(t, "ts")+"'",
			`CREATE DATABASE "Two words" TABLESPACE ts TEMPLATE template0`,
			`CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
			`ALTER DATABASE latin SET client_encoding = 'UTF8'`, `CREATE DATABASE private`, `CREATE DATABASE shut`)
		locators := map[string]pgdata.RelFileLocator{}
		locate := func(db, regclass string) {
			t.Helper()
			path := c.QueryStringIn(t, db, "SELECT pg_relation_filepath("+regclass+")")
			seg, ok := pgdata.ParseRelPath(in.Version, path)
			require.True(t, ok, path)
			locators[db+": "+regclass] = seg.Locator
		}
		const tables = `CREATE TABLE public.t (a int PRIMARY KEY, b text); CREATE SCHEMA "S.x";
			CREATE TABLE "S.x"."Größe" (a serial); CREATE TABLE public."user" TABLESPACE %s AS SELECT 1;
			CREATE MATERIALIZED VIEW public.m AS SELECT 1::int`
		c.Exec(t, fmt.Sprintf(tables, "ts"))
		c.ExecIn(t, "Two words", fmt.Sprintf(tables, "pg_default"))
		c.ExecIn(t, "latin", fmt.Sprintf(tables, "ts"))
		for _, db := range []string{"private", "shut"} {
			c.ExecIn(t, db, "CREATE TABLE public.t ()")
			locate(db, "'public.t'")
		}
		for _, db := range []string{"postgres", "Two words", "latin"} {
			for _, rel := range []string{"'public.t'", "'public.t_pkey'", `'"S.x"."Größe"'`, `'"S.x"."Größe_a_seq"'`, `'public."user"'`, "'public.m'", "'pg_class'"} {
				locate(db, rel)
			}
		}
		locate("postgres", "'pg_database'")
		locate("postgres", "(SELECT reltoastrelid FROM pg_class WHERE oid = 'public.t'::regclass)")
		locate("postgres", "(SELECT indexrelid FROM pg_index WHERE indrelid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'public.t'::regclass))")
		c.Exec(t, "REVOKE CONNECT ON DATABASE private FROM PUBLIC", "CREATE ROLE plain LOGIN"+map[bool]string{true: " SUPERUSER"}[in.Version.SQL.SuperuserOnly],
			"UPDATE pg_database SET datallowconn = false WHERE datname = 'shut'")
		if !in.Version.SQL.SuperuserOnly {
			c.Exec(t, grantList+"plain", grantStat+"plain", grantRead+"plain")
		}

		s := open(t, c.ConnStringAs("plain", "postgres"))
		wanted := []pgdata.RelFileLocator{
			{Tablespace: pgdata.DefaultTablespace, Database: locators["postgres: 'public.t'"].Database, Relation: 4e9},
			{Tablespace: pgdata.DefaultTablespace, Database: 4e9, Relation: 16384},
			{Tablespace: pgdata.GlobalTablespace, Relation: 4e9},
		}
		for _, l := range locators {
			wanted = append(wanted, l)
		}
		names, err := s.RelationNames(t.Context(), wanted)
		require.NoError(t, err)
		got := map[string]string{}
		for what, l := range locators {
			if n, named := names[l]; named {
				got[what] = n.Database + " " + n.String()
			}
		}
		want := map[string]string{
			"postgres: 'pg_database'": " table pg_catalog.pg_database",
			"postgres: (SELECT reltoastrelid FROM pg_class WHERE oid = 'public.t'::regclass)":                                                    "postgres table public.t (toast)",
			"postgres: (SELECT indexrelid FROM pg_index WHERE indrelid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'public.t'::regclass))": "postgres table public.t (index of toast)",
		}
		if in.Version.SQL.SuperuserOnly {
			want["private: 'public.t'"] = "private table public.t" // there is nothing that a superuser may not
		}
		for db, quoted := range map[string]string{"postgres": "postgres", "Two words": `"Two words"`, "latin": "latin"} {
			for rel, name := range map[string]string{
				"'public.t'": "table public.t", "'public.t_pkey'": "index public.t_pkey on public.t", `'"S.x"."Größe"'`: `table "S.x"."Größe"`,
				`'"S.x"."Größe_a_seq"'`: `sequence "S.x"."Größe_a_seq"`, `'public."user"'`: `table public."user"`,
				"'public.m'": "materialized view public.m", "'pg_class'": "table pg_catalog.pg_class",
			} {
				want[db+": "+rel] = quoted + " " + name
			}
		}
		assert.Equal(t, want, got)
		assert.Len(t, names, len(want))

		databases, err := s.DatabaseNames(t.Context())
		require.NoError(t, err)
		assert.Equal(t, `"Two words"`, databases[locators["Two words: 'public.t'"].Database])
		assert.Len(t, databases, 7)
		tablespaces, err := s.TablespaceNames(t.Context())
		require.NoError(t, err)
		ts, _ := strconv.ParseUint(c.QueryString(t, "SELECT oid FROM pg_tablespace WHERE spcname = 'ts'"), 10, 32)
		assert.Equal(t, map[uint32]string{pgdata.DefaultTablespace: "pg_default", pgdata.GlobalTablespace: "pg_global", uint32(ts): "ts"}, tablespaces)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = s.RelationNames(ctx, wanted)
		assert.ErrorIs(t, err, context.Canceled)
	})
}
