package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
)

// handbook is a primary with two standbys, one streaming, one with log shipping,
// as handbooks for 9.6 to 11 set it up: no checksums but wal_log_hints, an
// archive directory, recovery.conf with trigger_file.
type handbook struct {
	t       *testing.T
	in      *pgtest.Installation
	archive string
}

func (h *handbook) restoreCommand() string { return fmt.Sprintf("cp %s/%%f %%p", h.archive) }

// standby writes the files that make a stopped server a standby: with streaming if primary
// is not nil, and always with log shipping.
func (h *handbook) standby(c, primary *pgtest.Cluster) {
	h.t.Helper()
	settings := []string{
		"restore_command = '" + h.restoreCommand() + "'",
		"recovery_target_timeline = 'latest'",
	}
	if primary != nil {
		settings = append(settings, "primary_conninfo = '"+h.conninfo(primary)+" application_name="+c.Name+"'")
	}
	if h.in.Version.RecoveryConf {
		settings = append(settings, "standby_mode = 'on'", "trigger_file = '"+h.trigger(c)+"'")
		h.write(filepath.Join(c.Dir, "recovery.conf"), strings.Join(settings, "\n")+"\n")
		return
	}
	auto, err := os.ReadFile(filepath.Join(c.Dir, "postgresql.auto.conf"))
	require.NoError(h.t, err)
	h.write(filepath.Join(c.Dir, "postgresql.auto.conf"), string(auto)+strings.Join(settings, "\n")+"\n")
	h.write(filepath.Join(c.Dir, "standby.signal"), "")
}

func (h *handbook) trigger(c *pgtest.Cluster) string { return filepath.Join(c.SocketDir(), "failover") }

func (h *handbook) conninfo(c *pgtest.Cluster) string {
	return fmt.Sprintf("host=%s port=%d user=postgres", c.SocketDir(), c.Port())
}

func (h *handbook) write(name, text string) {
	h.t.Helper()
	require.NoError(h.t, os.WriteFile(name, []byte(text), 0o600))
}

// pay adds rows that record which server took them.
func (h *handbook) pay(c *pgtest.Cluster, who string) {
	h.t.Helper()
	c.Exec(h.t, fmt.Sprintf("INSERT INTO payments SELECT '%s', repeat('p', 200) FROM generate_series(1, 2000)", who),
		fmt.Sprintf("UPDATE payments SET filler = '%s' WHERE ctid::text LIKE '(%%,3)'", who))
}

// archived waits until the archive has a file.
func (h *handbook) archived(name string) {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		_, err := os.Stat(filepath.Join(h.archive, name))
		return err == nil
	}, time.Minute, 20*time.Millisecond, "%s in the archive", name)
}

func (h *handbook) payments(c *pgtest.Cluster) string {
	h.t.Helper()
	return c.QueryString(h.t, "SELECT count(*) || ' ' || md5(string_agg(p::text, '|' ORDER BY p::text)) FROM payments p")
}

// rewind runs gorewind as an operator would.
func (h *handbook) rewind(target, src *pgtest.Cluster, more ...string) string {
	h.t.Helper()
	program, ok := h.in.Program("postgres")
	require.True(h.t, ok)
	args := append([]string{
		"-D", target.Dir, "--source-server", h.conninfo(src) + " application_name=" + target.Name, "-P", "-R",
		"--bindir", filepath.Dir(program),
	}, more...)
	got := gorewind(h.t, args...)
	require.Equal(h.t, 0, got.status, got.stderr)
	assert.Contains(h.t, got.stderr, "gorewind: Done!")
	return got.stderr
}

// TestHandbookOf2019 fails over by trigger file (from 12 on by promotion), fails
// back, and does that once more in the other direction with WAL that only the
// archive has.
func TestHandbookOf2019(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, in *pgtest.Installation) {
		h := &handbook{t: t, in: in, archive: t.TempDir()}
		require.NoError(t, os.Chmod(h.archive, 0o755))
		a := in.InitCluster(t, pgtest.Options{Name: "a", NoChecksums: true, Conf: map[string]string{
			"archive_mode": "on", "archive_command": fmt.Sprintf("test ! -f %[1]s/%%f && cp %%p %[1]s/.%%f && mv %[1]s/.%%f %[1]s/%%f", h.archive),
		}})
		a.Start(t)
		a.Exec(t, "CREATE TABLE payments (who text, filler text)")
		h.pay(a, "common")
		a.Stop(t, pgtest.Fast)
		b, c := a.CloneStopped(t), a.CloneStopped(t)
		a.Start(t)
		h.standby(b, a)
		h.standby(c, nil)
		b.Start(t)
		b.WaitStreaming(t, a)
		h.pay(a, "streamed and shipped")
		h.archived(a.SwitchWAL(t)) // the old primary is killed soon, and nobody else archives it
		b.WaitCaughtUp(t, a)

		// The primary is cut off, accepts some more writes, and crashes.
		if in.Version.RecoveryConf {
			h.write(h.trigger(b), "")
			require.Eventually(t, func() bool { return !b.InRecovery(t) }, time.Minute, 20*time.Millisecond, "promotion by trigger file")
		} else {
			b.Promote(t)
		}
		h.archived("00000002.history")
		h.pay(a, "lost by a")
		a.Kill(t)
		h.pay(b, "new on b")

		said := h.rewind(a, b)
		assert.Contains(t, said, "for target server to complete crash recovery")
		a.Start(t)
		a.WaitStreaming(t, b)
		h.pay(b, "after the rewind of a")
		a.WaitCaughtUp(t, b)
		assert.Equal(t, h.payments(b), h.payments(a))

		// The log-shipping standby follows on the new timeline.
		h.archived(b.SwitchWAL(t)) // else a server takes the older timeline's file of that number
		c.Start(t)
		require.Eventually(t, func() bool { return h.payments(c) == h.payments(b) }, time.Minute, 50*time.Millisecond, "log shipping")
		c.Stop(t, pgtest.Fast)

		// And back: a is promoted while b continues, until its WAL since the fork
		// is only in the archive.
		a.Promote(t)
		h.archived("00000003.history")
		for range 3 {
			h.pay(b, "lost by b")
			b.SwitchWAL(t)
		}
		b.Checkpoint(t)
		b.Stop(t, pgtest.Fast)
		h.pay(a, "new on a")
		gone := 0
		archive, err := os.ReadDir(h.archive)
		require.NoError(t, err)
		for _, f := range archive {
			if strings.HasPrefix(f.Name(), "00000002") && len(f.Name()) == 24 && os.Remove(filepath.Join(b.Dir, in.Version.WALDir, f.Name())) == nil {
				gone++
			}
		}
		require.GreaterOrEqual(t, gone, 3, "segments that only the archive has")
		h.rewind(b, a, "-c")
		b.Start(t)
		b.WaitStreaming(t, a)
		b.WaitCaughtUp(t, a)
		assert.Equal(t, h.payments(a), h.payments(b))
		if in.Version.RecoveryConf {
			conf, err := os.ReadFile(filepath.Join(b.Dir, "recovery.conf"))
			require.NoError(t, err)
			assert.Contains(t, string(conf), h.archive, "the restore_command is kept")
		}

		h.archived(a.SwitchWAL(t))
		c.Start(t)
		require.Eventually(t, func() bool { return h.payments(c) == h.payments(a) }, time.Minute, 50*time.Millisecond, "log shipping on timeline 3")
		b.Promote(t)
		h.pay(b, "promoted")
	})
}
