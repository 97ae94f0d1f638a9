package pgsource_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/source/pgsource"
)

// The grants of the package's documentation, and what pg_rewind's asks for beyond.
const (
	grantList  = "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO "
	grantStat  = "GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO "
	grantRead  = "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO "
	grantWhole = "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO "
)

func TestPrivileges(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{SeparateWAL: true})
		c.Start(t)
		c.Exec(t, "CREATE TABLESPACE ts LOCATION '"+c.TablespaceDir(t, "ts")+"'",
			"CREATE TABLE t TABLESPACE ts AS SELECT g FROM generate_series(1, 1000) g", "CHECKPOINT")
		readAll(t, open(t, c.ConnString("postgres")), c)

		var denied *pgsource.PrivilegeError
		if in.Version.SQL.SuperuserOnly {
			c.Exec(t, "CREATE ROLE granted LOGIN", grantList+"granted", grantStat+"granted", grantRead+"granted", "CREATE ROLE super LOGIN SUPERUSER")
			_, err := pgsource.Open(t.Context(), c.ConnStringAs("granted", "postgres"), pgsource.Options{})
			require.ErrorAs(t, err, &denied)
			assert.True(t, denied.Superuser)
			assert.ErrorContains(t, err, `role "granted" must be a superuser`)
			readAll(t, open(t, c.ConnStringAs("super", "postgres")), c)
			c.Exec(t, denied.Grants()...)
			readAll(t, open(t, c.ConnStringAs("granted", "postgres")), c)
			return
		}

		c.Exec(t, "CREATE ROLE documented LOGIN", grantList+"documented", grantStat+"documented", grantRead+"documented")
		readAll(t, open(t, c.ConnStringAs("documented", "postgres")), c)
		c.Exec(t, "CREATE ROLE classical LOGIN", grantList+"classical", grantStat+"classical", grantRead+"classical", grantWhole+"classical")
		readAll(t, open(t, c.ConnStringAs("classical", "postgres")), c)

		// Everything that lacks is told at once, and what is told suffices. The
		// role that counts is the one that the session ends up with.
		const odd = `it's a "role"`
		c.Exec(t, `CREATE ROLE "it's a ""role""" LOGIN`, `CREATE ROLE disguised LOGIN IN ROLE "it's a ""role"""`, `ALTER ROLE disguised SET role = 'it''s a "role"'`)
		_, err := pgsource.Open(t.Context(), c.ConnStringAs("disguised", "postgres"), pgsource.Options{})
		require.ErrorAs(t, err, &denied)
		assert.Equal(t, odd, denied.Role)
		assert.Len(t, denied.Functions, 3)
		assert.NotContains(t, err.Error(), "\n")
		for _, grant := range denied.Grants() {
			assert.Contains(t, err.Error(), grant)
		}
		c.Exec(t, denied.Grants()[0])
		_, err = pgsource.Open(t.Context(), c.ConnStringAs("disguised", "postgres"), pgsource.Options{})
		require.ErrorAs(t, err, &denied)
		require.Len(t, denied.Functions, 2, "what was granted is not asked for again")
		c.Exec(t, denied.Grants()...)
		readAll(t, open(t, c.ConnStringAs("disguised", "postgres")), c)
		readAll(t, open(t, c.ConnStringAs(odd, "postgres")), c)
	})
}
