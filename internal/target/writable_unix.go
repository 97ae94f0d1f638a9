//go:build unix

package target

import "syscall"

// writable reports why entries cannot be made in a directory (access(2)).
func writable(dir string) error {
	const writeAndSearch = 2 | 1
	return syscall.Access(dir, writeAndSearch)
}
