package pgtest

import "strings"

// HoldCheckpoints keeps a running server from making checkpoints and restartpoints, as
// one does that is slow, until release is called.
func (c *Cluster) HoldCheckpoints(t T) (release func()) {
	t.Helper()
	for _, child := range children(c.PID()) {
		if strings.Contains(title(child), "checkpointer") {
			freeze(child)
			release = func() { thaw(child) }
			t.Cleanup(release)
			return release
		}
	}
	t.Fatalf("%s has no checkpointer", c.Name)
	return nil
}
