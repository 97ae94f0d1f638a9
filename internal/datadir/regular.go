package datadir

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/gorewind/gorewind/internal/regular"
)

// OpenRegular is root.OpenFile for what must be a regular file. It waits for nobody.
func OpenRegular(root *os.Root, p string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := root.OpenFile(p, flag|regular.NoWaiting, perm)
	if errors.Is(err, syscall.ENXIO) { // nobody is at the other end
		if info, serr := root.Stat(p); serr == nil && !info.Mode().IsRegular() {
			err = &regular.NotAFileError{Mode: info.Mode()}
		}
	}
	return regular.Check(f, err)
}

// openRoot is os.OpenRoot, which waits at a fifo.
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

// OpenDirectory opens what must be a directory. It waits for nobody.
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
