//go:build unix && !linux

package smalldisk

import "errors"

// Mount fails on this system.
func Mount(string, int, int) error {
	return errors.New("this system has no file systems in memory that only one process sees")
}

// Unmount does nothing on this system.
func Unmount(string) {}
