//go:build unix

package apply_test

import (
	"syscall"
	"testing"
)

// narrowUmask lets the system take all permissions but the owner's from new files, for
// as long as a test takes.
func narrowUmask(t *testing.T) {
	old := syscall.Umask(0o077)
	t.Cleanup(func() { syscall.Umask(old) })
}
