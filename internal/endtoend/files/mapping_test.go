package files_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
)

// TestNewTablespacesAreWhereTheyAreMapped has both servers on one machine, where the
// target cannot use the source's directory. A tablespace that both have stays in its
// directory.
func TestNewTablespacesAreWhereTheyAreMapped(t *testing.T) {
	pgtest.EachOf(t, endtoend.OldestMiddleNewest, func(t *testing.T, in *pgtest.Installation) {
		l := endtoend.NewLab(t, in)
		a := l.Primary(pgtest.Options{}, endtoend.Thousand...)
		a.Exec(l, "CREATE TABLESPACE shared LOCATION '"+a.TablespaceDir(l, "shared")+"'", "CREATE TABLE b (i int) TABLESPACE shared")
		b := l.Standby(a)
		l.CatchUp(a, b)
		l.Promote(b)
		a.Exec(l, "INSERT INTO t VALUES (99999)")
		a.Stop(l, pgtest.Fast)
		old, to := b.TablespaceDir(l, "new"), filepath.Join(t.TempDir(), "with=sign")
		require.NoError(t, os.Mkdir(to, 0o700))
		require.NoError(t, os.Chmod(filepath.Dir(to), 0o777)) //nolint:gosec // for the servers' user
		b.Exec(l, "CREATE TABLESPACE new LOCATION '"+old+"'", "CREATE TABLE n TABLESPACE new AS SELECT generate_series(1, 1000) i")
		b.Checkpoint(l)
		mapping := rewind.TablespaceMapping{old: to, "/not/there": "/nor/here"}

		y := &endtoend.Try{Target: a, Src: b, Asked: true, Opts: rewind.Options{TablespaceMapping: mapping}}
		if o := y.Rewind(t); assert.Error(t, o.Err, "recovery would create the tablespace in the source's directory") {
			assert.ErrorIs(t, o.Err, rewind.ErrUnsafeReplay)
			assert.Empty(t, o.Changed)
		}
		y.Opts.Resync = rewind.ResyncIfNeeded
		o := y.Rewind(t)
		require.NoError(t, o.Err)
		assert.Contains(t, o.Plan.Warnings, `the source has no new tablespace in directory "/not/there", so none is created in "/nor/here"`)
		var links []string
		all, err := filepath.Glob(filepath.Join(a.Dir, "pg_tblspc", "*"))
		require.NoError(t, err)
		for _, link := range all {
			leads, err := os.Readlink(link)
			require.NoError(t, err)
			links = append(links, leads)
		}
		assert.Contains(t, links, to)
		assert.NotContains(t, links, old)
		require.NoError(t, y.Follow(l))
		assert.Equal(t, "1000", a.QueryString(t, "SELECT count(*) FROM n"))
	})
}
