//go:build !unix

package process

import (
	"errors"
	"os/exec"
)

// Servers are not run on this system: the functions only need to exist.

// DieWithParent does nothing on this system.
func DieWithParent(*exec.Cmd) {}

// KillGroup does nothing on this system.
func KillGroup(*exec.Cmd) {}

// Children are none on this system.
func Children(int) []int { return nil }

// Gone is true on this system.
func Gone(int) bool { return true }

// RemoveSharedMemory does nothing on this system.
func RemoveSharedMemory(string) {}

// Freeze does nothing on this system.
func Freeze(int) {}

// FreezeDescendants does nothing on this system.
func FreezeDescendants(int) []int { return nil }

// Frozen is true on this system.
func Frozen(int) bool { return true }

// Thaw does nothing on this system.
func Thaw(int) {}

// Title is empty on this system.
func Title(int) string { return "" }

// Promote fails on this system.
func Promote(int) error { return errors.ErrUnsupported }

// IsRoot is false on this system.
func IsRoot() bool { return false }
