package rows_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/lost/rows"
)

// The memory used does not depend on how many rows are lost, by one transaction or by
// many.
func TestMemoryDoesNotGrowWithTheRows(t *testing.T) {
	n := 200_000
	if s, err := strconv.Atoi(os.Getenv("GOREWIND_TEST_ROWS")); err == nil {
		n = s
	}
	pgtest.EachOf(t, []string{"17"}, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{Conf: map[string]string{"synchronous_commit": "off", "max_wal_size": "32GB", "wal_keep_size": "32GB"}})
		c.Start(t)
		c.Exec(t, "CREATE TABLE t (a int PRIMARY KEY, b text)",
			fmt.Sprintf("CREATE PROCEDURE many() LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..%d LOOP INSERT INTO t VALUES (-i, 'one'); COMMIT; END LOOP; END $$", n/10))
		fork := c.InsertLSN(t)
		c.Exec(t, fmt.Sprintf("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, %d) i", n), "CALL many()", "UPDATE t SET b = b || '!'")
		c.Stop(t, pgtest.Fast)
		dir, err := datadir.Open(c.Dir)
		require.NoError(t, err)
		defer func() { require.NoError(t, dir.Close()) }()
		o := options(t, c, dir, fork)
		o.SpillDir, o.Memory = t.TempDir(), 4<<20
		defer debug.SetGCPercent(debug.SetGCPercent(50))
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		before, peak := m.HeapAlloc, uint64(0)
		look := func() {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc-min(m.HeapAlloc, before))
		}
		f, err := rows.Find(t.Context(), o)
		require.NoError(t, err)
		look()
		count := 0
		for ch, err := range f.Changes(t.Context()) {
			require.NoError(t, err)
			require.NotNil(t, ch.New)
			if count++; count%1000 == 0 {
				look()
			}
		}
		require.NoError(t, f.Close())
		assert.Equal(t, 2*(n+n/10), count)
		t.Logf("%d changes, %d MB", count, peak>>20)
		assert.Less(t, peak, uint64(60<<20))
	})
}
