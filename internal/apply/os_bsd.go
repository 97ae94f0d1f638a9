//go:build unix && !linux

package apply

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// openDirect is zero: this system has no flag for direct I/O.
const openDirect = 0

func copyRange(dst File, to int64, src io.ReaderAt, at, length int64) (int64, error) {
	return copyThrough(dst, to, src, at, length)
}

func allocate(File, int64) {}

func flush(File) {}

func reserve(f File, size int64) error { return writeZeros(f, size) }

func syncFS(*os.File) error {
	return errors.New("this system has no syncfs: use the sync method fsync")
}

func statMount(name string) (mount uint64, err error) { return deviceOf(name) }

// lockOfFile is the fcntl(2) command for a lock.
const lockOfFile = unix.F_SETLK
