//go:build unix

package apply_test

import (
	"syscall"
	"testing"
)

// narrowUmask makes the system take all permissions except the owner's from new files,
// until the test ends.
func narrowUmask(t *testing.T) {
	old := syscall.Umask(0o077)
	t.Cleanup(func() { syscall.Umask(old) })
}
