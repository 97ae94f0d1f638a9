package pgtest

import "syscall"

// freeBytes is the room in the file system of a directory, zero if that is not known.
func freeBytes(dir string) uint64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0
	}
	return s.Bavail * uint64(s.Bsize)
}
