//go:build unix && !linux

package target

import (
	"errors"
	"os"
)

func copyRange(dst, src File, offset, length int64) error {
	return copyThrough(dst, src, offset, length)
}

func reserve(f File, size int64) error { return writeZeros(f, size) }

func syncFS(*os.File) error {
	return errors.New("this system has no syncfs: use the sync method fsync")
}

func look(name string) (mount uint64, err error) { return lookDevice(name) }
