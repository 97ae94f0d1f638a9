package datadir

import (
	"os"

	"golang.org/x/sys/unix"
)

// announce tells the system which part of a file will be read next. It does not notice
// that by itself when goroutines take turns on one file.
func announce(f *os.File, offset, length int64) {
	if conn, err := f.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), offset, length, unix.FADV_WILLNEED) })
	}
}
