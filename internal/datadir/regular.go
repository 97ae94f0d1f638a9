package datadir

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/gorewind/gorewind/internal/regular"
)

// OpenRegular is root.OpenFile for a file that must be regular. It never blocks on a fifo.
func OpenRegular(root *os.Root, p string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := root.OpenFile(p, flag|regular.NoWaiting, perm)
	if errors.Is(err, syscall.ENXIO) { // a fifo without a reader
		if info, serr := root.Stat(p); serr == nil && !info.Mode().IsRegular() {
			err = &regular.NotAFileError{Mode: info.Mode()}
		}
	}
	return regular.Check(f, err)
}

// openRoot is like os.OpenRoot, which would block on a fifo.
func openRoot(name string) (*os.Root, error) {
	info, err := os.Stat(name)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, err
	}
	return os.OpenRoot(name)
}

// OpenDirectory opens a path that must be a directory. It never blocks on a fifo.
func OpenDirectory(root *os.Root, p string) (*os.File, error) {
	f, err := root.OpenFile(p, os.O_RDONLY|regular.NoWaiting, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
