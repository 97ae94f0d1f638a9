package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/process"
)

// HoldCheckpoints keeps a running server from making checkpoints and restartpoints, as
// if they were slow, until release is called.
func (c *Cluster) HoldCheckpoints(t T) (release func()) {
	t.Helper()
	return c.hold(t, "checkpointer")
}

// HoldBackgroundWriter keeps a running server from writing WAL on its own
// until release is called.
func (c *Cluster) HoldBackgroundWriter(t T) (release func()) {
	t.Helper()
	return c.hold(t, "writer", "wal", "checkpointer") // old majors call it "writer process"
}

// hold stops the child process of the server with a word in its title, and without others, at a
// moment when it is idle: a busy one could hold a lock that others
// wait for.
func (c *Cluster) hold(t T, word string, without ...string) (release func()) {
	t.Helper()
	other := func(title string) bool {
		return slices.ContainsFunc(without, func(w string) bool { return strings.Contains(title, w) })
	}
	for _, child := range process.Children(c.PID()) {
		if title := process.Title(child); strings.Contains(title, word) && !other(title) {
			release = func() { process.Thaw(child) }
			t.Cleanup(release)
			c.waitFor(t, "a moment when its "+word+" rests", func() (bool, string) {
				process.Freeze(child)
				for !process.Frozen(child) && c.Running() {
					time.Sleep(time.Millisecond)
				}
				waits, err := c.waitsFor(child)
				if waits == "Activity" {
					return true, ""
				}
				process.Thaw(child)
				return false, fmt.Sprintf("it waits for %q (%v)", waits, err)
			})
			return release
		}
	}
	t.Fatalf("%s has no %s", c.Name, word)
	return nil
}

// waitsFor is the kind of event that a process of the server waits for. Up to 9.6 servers
// do not show it for processes without a client, which counts as Activity.
func (c *Cluster) waitsFor(pid int) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // the process may hold a lock that the query needs
	defer cancel()
	rows, err := c.TryQuery(ctx, "postgres", fmt.Sprintf(`SELECT CASE WHEN count(*) = 0 THEN 'Activity' ELSE max(wait_event_type) END
		FROM pg_stat_activity WHERE pid = %d`, pid))
	if err != nil || len(rows) != 1 {
		return "", err
	}
	return rows[0][0], nil
}
