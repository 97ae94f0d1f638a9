package dirtree

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// nextData is where data begins at or after an offset of a file: the offset itself
// if unknown, or the end of the file after the last data.
func nextData(f *os.File, at int64) (int64, error) {
	const seekData = 3
	next, err := f.Seek(at, seekData)
	switch {
	case err == nil:
		return next, nil
	case errors.Is(err, syscall.ENXIO):
		return f.Seek(0, io.SeekEnd)
	}
	return at, nil
}
