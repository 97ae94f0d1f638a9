//go:build !unix

package pgtest

import (
	"errors"
	"os/exec"
	"testing"
)

// Servers are not run here: the functions only have to exist.

func dieWithParent(*exec.Cmd)                           {}
func killGroup(*exec.Cmd)                               {}
func children(int) []int                                { return nil }
func gone(int) bool                                     { return true }
func removeSharedMemory(string)                         {}
func freeze(int)                                        {}
func frozen(int) bool                                   { return true }
func thaw(int)                                          {}
func title(int) string                                  { return "" }
func sendPromote(int) error                             { return errors.ErrUnsupported }
func isRoot() bool                                      { return false }
func ownedAlone(string) error                           { return nil }
func lockFile(string) (unlock func(), err error)        { return func() {}, nil }
func tryLockFile(string) (unlock func(), ok bool)       { return nil, false }
func unprivilegedTest(*testing.M) (code int, done bool) { return 0, false }

// Unprivileged does nothing on this system.
func Unprivileged() (code int, done bool, err error) { return 0, false, nil }

// UnprivilegedWith does nothing on this system.
func UnprivilegedWith(Chores) (code int, done bool, err error) { return 0, false, nil }
