package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
	"github.com/gorewind/gorewind/pgdata"
)

// waitTimeout limits the time to wait for a server's progress.
const waitTimeout = 2 * time.Minute

// waitFor polls until done returns true; state is for the failure message.
func (c *Cluster) waitFor(t T, what string, done func() (ok bool, state string)) {
	t.Helper()
	deadline := time.Now().Add(waitTimeout)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		ok, state := done()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s (PostgreSQL %s): waited %v for %s: %s", c.Name, c.In, waitTimeout, what, state)
		}
		if !c.Running() {
			t.Fatalf("%s (PostgreSQL %s): ended while waiting for %s: %s", c.Name, c.In, what, state)
		}
		time.Sleep(pause)
	}
}

// CloneStopped copies a cluster whose server is stopped (or was killed) to a
// new one with its own port, socket and log. Tablespaces and a WAL
// directory outside the data directory are copied, too, and the links lead to the copies.
func (c *Cluster) CloneStopped(t T) *Cluster {
	t.Helper()
	return c.cloneStopped(t, "")
}

func (c *Cluster) cloneStopped(t T, name string) *Cluster {
	t.Helper()
	if c.Running() {
		t.Fatalf("%s runs, so it cannot be copied", c.Name)
	}
	clone := newCluster(t, c.In, name, c.tcp, c.memory)
	clone.StartTimeout = c.StartTimeout
	if err := copyCluster(c.Dir, clone.Dir, c.In.Version, clone.home); err != nil {
		t.Fatalf("copy %s: %v", c.Name, err)
	}
	return clone
}

// copyCluster copies a data directory and, into home, what it links to.
func copyCluster(from, to string, v *pgdata.Version, home string) error {
	if err := dirtree.Copy(from, to); err != nil {
		return err
	}
	relink := func(link, dir string) error {
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
			return err
		}
		old, err := filepath.EvalSymlinks(link)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
			return err
		}
		if err := dirtree.Copy(old, dir); err != nil {
			return err
		}
		if err := os.Remove(link); err != nil {
			return err
		}
		return os.Symlink(dir, link)
	}
	if err := relink(filepath.Join(to, v.WALDir), filepath.Join(home, "wal")); err != nil {
		return err
	}
	spaces, err := os.ReadDir(filepath.Join(to, "pg_tblspc"))
	if err != nil {
		return err
	}
	for _, s := range spaces {
		err := relink(filepath.Join(to, "pg_tblspc", s.Name()), filepath.Join(home, "tablespaces", "oid"+s.Name()))
		if err != nil {
			return err
		}
	}
	return nil
}

// Standby creates a streaming standby of a primary and waits until it streams. A
// running primary is stopped for the copy and started again.
func (c *Cluster) Standby(t T) *Cluster {
	t.Helper()
	c.Stop(t, Fast)
	standby := c.cloneStopped(t, "")
	c.Start(t)
	standby.MakeStandbyOf(t, c)
	standby.Start(t)
	standby.WaitStreaming(t, c)
	return standby
}

// MakeStandbyOf writes the files that make a stopped cluster a standby of the primary:
// recovery.conf up to 11; from 12 standby.signal, and settings in
// postgresql.auto.conf that replace those of earlier calls.
func (c *Cluster) MakeStandbyOf(t T, primary *Cluster) {
	t.Helper()
	c.makeStandby(t, primary.ConnString("postgres")+" application_name="+c.Name)
}

func (c *Cluster) makeStandby(t T, conninfo string) {
	t.Helper()
	settings := []string{
		confLines(map[string]string{"primary_conninfo": conninfo}),
		"recovery_target_timeline = 'latest'\n",
	}
	if c.In.Version.RecoveryConf {
		text := "standby_mode = 'on'\n" + strings.Join(settings, "")
		c.writeFile(t, "recovery.conf", text)
		return
	}
	auto, err := os.ReadFile(filepath.Join(c.Dir, "postgresql.auto.conf"))
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	var kept strings.Builder
	for line := range strings.Lines(string(auto)) {
		if !strings.HasPrefix(line, "primary_conninfo ") && !strings.HasPrefix(line, "recovery_target_timeline ") {
			kept.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	c.writeFile(t, "postgresql.auto.conf", kept.String()+strings.Join(settings, ""))
	c.writeFile(t, "standby.signal", "")
}

func (c *Cluster) writeFile(t T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(text), 0o600); err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
}

// WaitStreaming waits until this standby streams from the primary.
func (c *Cluster) WaitStreaming(t T, primary *Cluster) {
	t.Helper()
	sql := fmt.Sprintf("SELECT state FROM pg_stat_replication WHERE application_name = '%s'", c.Name)
	query, end := primary.polling(t, sql)
	defer end()
	c.waitFor(t, "streaming from "+primary.Name, func() (bool, string) {
		rows := query()
		for _, r := range rows {
			if r[0] == "streaming" {
				return true, ""
			}
		}
		return false, fmt.Sprintf("pg_stat_replication has %q", rows)
	})
}

// WaitForLSN waits until a standby has replayed the WAL up to lsn.
func (c *Cluster) WaitForLSN(t T, lsn pgdata.LSN) {
	t.Helper()
	query, end := c.polling(t, "SELECT coalesce("+c.In.dialect().replayLSN+"()::text, '0/0')")
	defer end()
	c.waitFor(t, "replay of "+lsn.String(), func() (bool, string) {
		text := query()[0][0]
		at, err := pgdata.ParseLSN(text)
		return err == nil && at >= lsn, "it is at " + text
	})
}

// WaitCaughtUp waits until this standby has replayed everything that other, which it
// follows, has flushed (or, as a standby itself, replayed) by now.
func (c *Cluster) WaitCaughtUp(t T, other *Cluster) {
	t.Helper()
	c.WaitForLSN(t, other.endLSN(t))
}
