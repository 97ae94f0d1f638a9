package datadir

import (
	"os"

	"golang.org/x/sys/unix"
)

// announce has the system read ahead what is about to be read of a file. Goroutines that
// take turns on one file keep it from seeing that by itself.
func announce(f *os.File, offset, length int64) {
	if conn, err := f.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), offset, length, unix.FADV_WILLNEED) })
	}
}
