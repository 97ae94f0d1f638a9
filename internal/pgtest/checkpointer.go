package pgtest

import (
	"slices"
	"strings"
)

// HoldCheckpoints keeps a running server from making checkpoints and restartpoints, as
// one does that is slow, until release is called.
func (c *Cluster) HoldCheckpoints(t T) (release func()) {
	t.Helper()
	return c.hold(t, "checkpointer")
}

// HoldBackgroundWriter keeps a running server from writing WAL at times of its own,
// until release is called.
func (c *Cluster) HoldBackgroundWriter(t T) (release func()) {
	t.Helper()
	return c.hold(t, "writer", "wal", "checkpointer") // it was the "writer process" once
}

// hold stops the child of the server with a word in its title, and without others.
func (c *Cluster) hold(t T, word string, without ...string) (release func()) {
	t.Helper()
	other := func(title string) bool {
		return slices.ContainsFunc(without, func(w string) bool { return strings.Contains(title, w) })
	}
	for _, child := range children(c.PID()) {
		if title := title(child); strings.Contains(title, word) && !other(title) {
			freeze(child)
			release = func() { thaw(child) }
			t.Cleanup(release)
			return release
		}
	}
	t.Fatalf("%s has no %s", c.Name, word)
	return nil
}
