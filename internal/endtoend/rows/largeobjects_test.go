package rows_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/lost/rows/export"
	"github.com/gorewind/gorewind/rewind"
)

// The statements create, change and remove large objects as the old server did. They
// leave out the rows of a table that neither server has.
func TestStatementsHaveLargeObjectsAndNothingOfDroppedTables(t *testing.T) {
	pgtest.EachOf(t, []string{"9.6", "11", "18"}, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{})
		target.Start(t)
		target.Exec(t, "SELECT lo_from_bytea(70001, convert_to(repeat('before', 1000), 'UTF8'))", "SELECT lo_from_bytea(70002, 'removed')")
		src := target.Standby(t)
		src.Promote(t)
		target.Exec(t,
			"SELECT lo_from_bytea(70003, convert_to(repeat('new', 1500), 'UTF8'))", "SELECT lo_put(70001, 3000, 'changed')", "SELECT lo_unlink(70002)", "SELECT lo_create(70004)",
			"CREATE TABLE brief (a int)", "INSERT INTO brief VALUES (1)", "DROP TABLE brief")
		contents := func(c *pgtest.Cluster) [][]string {
			return c.QueryRows(t, "SELECT oid::text, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY 1")
		}
		want := contents(target)
		require.Len(t, want, 3)
		target.Stop(t, pgtest.Fast)
		src.Stop(t, pgtest.Fast)
		l, err := rewind.FindLostRows(t.Context(), rewind.LostRowsOptions{TargetDir: target.Dir, Source: endtoend.OpenDir(t, src.Dir)})
		require.NoError(t, err)
		dir := filepath.Join(t.TempDir(), "rows")
		_, err = l.Write(t.Context(), dir, rewind.LostRowsFormat{Format: export.SQL})
		require.NoError(t, err)
		require.NoError(t, l.Close())
		statements, err := os.ReadFile(filepath.Join(dir, "postgres", "lost.sql"))
		require.NoError(t, err)
		assert.Contains(t, string(statements), "created and dropped after the divergence")
		src.Start(t)
		src.Exec(t, string(statements))
		assert.Equal(t, want, contents(src))
	})
}
