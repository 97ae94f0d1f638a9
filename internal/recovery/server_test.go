package recovery_test

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/recovery"
)

func open(t *testing.T, dir string) *datadir.Dir {
	t.Helper()
	d, err := datadir.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func control(t *testing.T, dir string) *controlfile.Data {
	t.Helper()
	c, err := controlfile.Read(dir)
	require.NoError(t, err)
	return c
}

func write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

// program is the server program of an installation, found as with --bindir.
func program(t *testing.T, in *pgtest.Installation) string {
	t.Helper()
	p, err := recovery.FindPostgres(t.Context(), recovery.Search{Version: in.Version, BinDir: in.BinDir})
	require.NoError(t, err)
	return p
}

// watcher is a logger that passes every message to a function.
type watcher struct {
	slog.Handler
	mu  sync.Mutex
	see func(slog.Record)
}

func watch(see func(slog.Record)) *slog.Logger {
	return slog.New(&watcher{Handler: slog.DiscardHandler, see: see})
}

func (*watcher) Enabled(context.Context, slog.Level) bool { return true }

func (w *watcher) Handle(_ context.Context, r slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.see(r)
	return nil
}

// signals makes a cluster both a standby and a recovery to a
// point in time, with a restore_command that leaves a trace.
func signals(t *testing.T, c *pgtest.Cluster, trace string) map[string]string {
	t.Helper()
	restore := "restore_command = 'touch " + trace + "; false'\n"
	files := map[string]string{"standby.signal": "# of mine\n", "recovery.signal": ""}
	if c.In.Version.RecoveryConf {
		files = map[string]string{"recovery.conf": "standby_mode = on\n" + restore + "trigger_file = '" + c.LogFile + "'\n"}
	} else {
		auto := filepath.Join(c.Dir, "postgresql.auto.conf")
		text, err := os.ReadFile(auto)
		require.NoError(t, err)
		write(t, auto, string(text)+restore+"recovery_target = 'immediate'\n")
	}
	for name, text := range files {
		write(t, filepath.Join(c.Dir, name), text)
	}
	return files
}

func assertSignals(t *testing.T, c *pgtest.Cluster, want map[string]string) {
	t.Helper()
	for name, text := range want {
		got, err := os.ReadFile(filepath.Join(c.Dir, name))
		if assert.NoError(t, err) {
			assert.Equal(t, text, string(got), name)
		}
		assert.NoFileExists(t, filepath.Join(c.Dir, recovery.HiddenName(name)))
	}
}

// A primary that is killed during work, with everything in its configuration
// that could make recovery fail or do more than recover.
func TestKilledPrimaryIsShutDownCleanly(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		outside := t.TempDir()
		archived, restored := filepath.Join(outside, "archived"), filepath.Join(outside, "restored")
		c.SetConf(t, map[string]string{"archive_mode": "on", "archive_command": "touch " + archived + "; false"})
		c.Start(t)
		c.Exec(t, "CREATE TABLE t AS SELECT g, repeat('x', 200) AS filler FROM generate_series(1, 20000) g",
			"BEGIN", "INSERT INTO t VALUES (0, 'prepared')", "PREPARE TRANSACTION 'p'")
		c.SwitchWAL(t)
		c.Exec(t, "UPDATE t SET g = g + 1", "ALTER DATABASE template1 RENAME TO gone")
		c.Kill(t)
		require.NoError(t, os.RemoveAll(archived))

		// No server starts with this; the command line must override it.
		confFile := filepath.Join(outside, "postgresql.conf")
		require.NoError(t, os.Rename(filepath.Join(c.Dir, "postgresql.conf"), confFile))
		plain, err := os.ReadFile(confFile)
		require.NoError(t, err)
		write(t, confFile, string(plain)+"data_directory = '"+outside+"'\nsession_preload_libraries = 'no_such_library'\n"+
			"log_line_prefix = 'LOG:  '\nlog_min_messages = panic\nlog_destination = syslog\nlogging_collector = on\n")
		files := signals(t, c, restored)

		d, before := open(t, c.Dir), control(t, c.Dir)
		need, err := recovery.Assess(d, before)
		require.NoError(t, err)
		assert.Equal(t, recovery.SingleUser, need)

		opts := recovery.Options{Dir: d, Program: program(t, in)}
		err = recovery.Run(t.Context(), opts)
		var failed *recovery.ProgramError
		require.ErrorAs(t, err, &failed, "its configuration is elsewhere")
		assert.ErrorIs(t, err, recovery.ErrStillUnclean)
		assert.Contains(t, failed.Reason(), "postgresql.conf")
		assertSignals(t, c, files)

		opts.ConfigFile = confFile
		backInTime := false
		opts.Logger = watch(func(r slog.Record) {
			if strings.Contains(r.Message, "redo starts at") {
				_, err := os.Stat(filepath.Join(c.Dir, slices.Sorted(maps.Keys(files))[0]))
				backInTime = err == nil
			}
		})
		require.NoError(t, recovery.Run(t.Context(), opts))
		assert.True(t, backInTime, "signal files are back before replay begins")
		assertSignals(t, c, files)
		assert.NoFileExists(t, archived)
		assert.NoFileExists(t, restored)

		after := control(t, c.Dir)
		assert.Equal(t, controlfile.ShutDown, after.State)
		assert.Equal(t, before.Timeline(), after.Timeline())
		ready, err := filepath.Glob(filepath.Join(c.Dir, in.Version.WALDir, "archive_status", "*.ready"))
		require.NoError(t, err)
		assert.NotEmpty(t, ready, "what waits to be archived")
		need, err = recovery.Assess(d, after)
		require.NoError(t, err)
		assert.Equal(t, recovery.Nothing, need)
		require.NoError(t, recovery.Run(t.Context(), recovery.Options{Dir: d, Program: "/no/such/program"}), "there is nothing to do")

		write(t, filepath.Join(c.Dir, "postgresql.conf"), string(plain))
		for name := range files {
			require.NoError(t, os.Remove(filepath.Join(c.Dir, name)))
		}
		c.Start(t)
		assert.Equal(t, "p", c.QueryString(t, "SELECT string_agg(gid, ',') FROM pg_prepared_xacts"))
		assert.Equal(t, "20000 200030000", c.QueryString(t, "SELECT count(*) || ' ' || sum(g) FROM t"))
	})
}

var keepWAL = regexp.MustCompile(`(?m)^wal_keep_.*$`)

// The WAL before the last checkpoint shows what a primary changed since it
// diverged. A server that starts removes it as soon as it has recovered.
func TestRecoveryRemovesNoWAL(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		c := in.InitCluster(t, pgtest.Options{})
		conf := filepath.Join(c.Dir, "postgresql.conf")
		text, err := os.ReadFile(conf)
		require.NoError(t, err)
		write(t, conf, keepWAL.ReplaceAllString(string(text), "")+"min_wal_size = '32MB'\nmax_wal_size = '32MB'\n")
		c.Start(t, "-c", "max_wal_size=1GB")
		c.Exec(t, "CREATE TABLE t (x int)")
		for range 4 {
			c.Exec(t, "INSERT INTO t VALUES (1)")
			c.SwitchWAL(t)
		}
		c.Exec(t, "INSERT INTO t VALUES (1)")
		c.Kill(t)
		before := segments(t, c)
		require.GreaterOrEqual(t, len(before), 5)
		require.NoError(t, recovery.Run(t.Context(), recovery.Options{Dir: open(t, c.Dir), Program: program(t, in), NoSync: true}))
		assert.Subset(t, segments(t, c), before)
		assert.Equal(t, controlfile.ShutDown, control(t, c.Dir).State)
	})
}

func segments(t *testing.T, c *pgtest.Cluster) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(c.Dir, c.In.Version.WALDir, "0000*"))
	require.NoError(t, err)
	return names
}
