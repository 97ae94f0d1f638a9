package pgsource_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// watcher is a sink that asks something at a certain piece, while nobody gets
// another one.
type watcher struct {
	source.Sink
	mu   sync.Mutex
	left int
	what func()
}

func (w *watcher) WriteAt(path string, data []byte, offset int64) error {
	w.mu.Lock()
	if w.left--; w.left == 0 {
		w.what()
	}
	w.mu.Unlock()
	return w.Sink.WriteAt(path, data, offset)
}

func TestSeveralConnections(t *testing.T) {
	onMajors(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.SetConf(t, map[string]string{"max_connections": "12", "superuser_reserved_connections": "3", "max_wal_senders": "0"})
		c.Start(t)
		admin := c.Connect(t, "postgres")
		content := make([]byte, 80<<20+777)
		for i := 0; i < len(content); i += 512 {
			copy(content[i:], strconv.Itoa(i))
		}
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "large"), content, 0o600))
		k := &task{want: map[source.Range][]byte{}}
		for at := int64(0); at < int64(len(content)); at += 10 << 20 {
			r := source.Range{Path: "large", Offset: at, Length: min(10<<20, int64(len(content))-at)}
			k.asked = append(k.asked, r)
			k.want[r] = content[at:][:r.Length]
		}
		query := func(t *testing.T, sql string) (n int) {
			t.Helper()
			require.NoError(t, admin.QueryRow(t.Context(), sql).Scan(&n))
			return n
		}
		// fetch does the task, looks when as many connections as wanted are in the
		// middle of it, and returns how many there were. All wait at their first piece
		// for that, but for one: whether it stays alone shows near the end.
		const (
			from     = " FROM pg_stat_activity WHERE application_name = 'gorewind'"
			fetching = from + " AND query LIKE '%FROM ROWS FROM%'"
			count    = "SELECT count(*)::int" + from
		)
		fetch := func(t *testing.T, conninfo string, opts pgsource.Options, want int, look func()) (connections int) {
			t.Helper()
			s := open(t, conninfo, opts)
			sink := k.sink()
			piece := 1
			if want == 1 {
				piece = 600
			}
			require.NoError(t, s.Fetch(t.Context(), ranges(k.asked...), &watcher{Sink: sink, left: piece, what: func() {
				for deadline := time.Now().Add(waitForReload); connections < want && time.Now().Before(deadline); {
					connections = query(t, "SELECT count(*)::int"+fetching)
				}
				look()
			}}))
			require.NoError(t, sink.trouble)
			assert.Empty(t, sink.left)
			assert.NoError(t, s.Close())
			assert.Eventually(t, func() bool { return query(t, count) == 0 }, waitForReload, pollReload, "all are closed")
			return connections
		}
		none := func() {}

		t.Run("they come with the work, up to the limit", func(t *testing.T) {
			assert.Equal(t, 3, fetch(t, c.ConnString("postgres"), pgsource.Options{Jobs: 3}, 3, none))
			assert.Equal(t, 1, fetch(t, c.ConnString("postgres"), pgsource.Options{Jobs: 1}, 1, none))
		})
		t.Run("little work is done by one", func(t *testing.T) {
			s := open(t, c.ConnString("postgres"), pgsource.Options{Jobs: 8})
			list(t, s)
			require.NoError(t, s.Fetch(t.Context(), ranges(k.asked[0]), k.sink()))
			assert.Equal(t, 1, query(t, count))
		})
		t.Run("the last ones of a server are left to others", func(t *testing.T) {
			var others []*pgx.Conn
			for range 4 { // with that of the test and the first one there are six of nine
				others = append(others, c.Connect(t, "postgres"))
			}
			assert.Equal(t, 1, fetch(t, c.ConnString("postgres"), pgsource.Options{Jobs: 8}, 1, none))
			for _, o := range others {
				require.NoError(t, o.Close(t.Context()))
			}
		})
		t.Run("a server that refuses more than one is read by one", func(t *testing.T) {
			if in.Version.SQL.SuperuserOnly {
				t.Skip("up to 10 reading files takes a superuser, whom no connection limit holds: 11 and later try this")
			}
			c.Exec(t, "CREATE ROLE limited LOGIN CONNECTION LIMIT 1", grantList+"limited", grantStat+"limited", grantRead+"limited")
			assert.Equal(t, 1, fetch(t, c.ConnStringAs("limited", "postgres"), pgsource.Options{Jobs: 8}, 1, none))
		})
		t.Run("one of them is ended in the middle, and then all", func(t *testing.T) {
			for _, which := range []string{" LIMIT 1", ""} {
				j, log := newJournal()
				n := 0
				fetch(t, c.ConnString("postgres"), pgsource.Options{Jobs: 3, Logger: log, Timeout: never}, 3, func() {
					n = query(t, "SELECT count(pg_terminate_backend(pid))::int FROM (SELECT pid"+fetching+which+") a")
				})
				assert.Positive(t, n)
				assert.GreaterOrEqual(t, j.count("WARN"), 1)
				assert.Equal(t, j.count("WARN"), j.count("INFO"))
			}
		})
	}, "9.6", "18")
}

func TestGapsAreNotHandedOn(t *testing.T) {
	onMajors(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		c.Start(t)
		content := []byte(strings.Repeat("0123456789abcdef", 20<<10))
		require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "gaps"), content, 0o600))
		k := &task{want: map[source.Range][]byte{}}
		at, size := int64(0), int64(len(content))
		for i := int64(0); at < size+20000; i++ { // gaps of all kinds, and none, and beyond the end
			r := source.Range{Path: "gaps", Offset: at, Length: 1 + i*i%9001}
			k.asked = append(k.asked, r)
			k.want[r] = content[min(at, size):min(at+r.Length, size)]
			at += r.Length + []int64{0, 1, 100, 4096, 4097, 9000}[i%6]
		}
		k.asked = append(k.asked, source.Range{Path: "gone", Length: 1}, source.Range{Path: "gone", Offset: 1, Length: 1},
			source.Range{Path: "gone", Offset: 9, Length: 1 << 20})
		sink := newCollector()
		s := open(t, c.ConnString("postgres"))
		require.NoError(t, s.Fetch(t.Context(), ranges(k.asked...), sink))
		assert.Equal(t, []string{"gone", "gone", "gone"}, sink.vanished, "once for each range")

		k.asked = k.asked[:len(k.asked)-3]
		exact := k.sink()
		require.NoError(t, s.Fetch(t.Context(), ranges(k.asked...), exact))
		require.NoError(t, exact.trouble)
		assert.Empty(t, exact.left)
	}, "18")
}
