package datadir

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// NotAFileError says that something else is where a file is meant to be: what opens
// a fifo waits for ever, and a device does what it likes.
type NotAFileError struct{ Mode fs.FileMode }

func (e *NotAFileError) Error() string {
	what := "it is a " + TypeName(e.Mode) + " and no regular file"
	if e.Mode.IsDir() { // which may hold something
		return what
	}
	return what + ": remove it"
}

// OpenRegular is root.OpenFile for what must be a regular file. It waits for nobody.
func OpenRegular(root *os.Root, p string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := root.OpenFile(p, flag|NoWaiting, perm)
	if errors.Is(err, syscall.ENXIO) { // nobody is at the other end
		if info, serr := root.Stat(p); serr == nil && !info.Mode().IsRegular() {
			err = &NotAFileError{info.Mode()}
		}
	}
	return regular(f, err)
}

// OpenRegularFile is os.Open for what must be a regular file. It waits for nobody.
// The null device is an empty file: configuration that is switched off is a link to it.
func OpenRegularFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|NoWaiting, 0)
	if err == nil {
		if info, serr := f.Stat(); serr == nil && isNull(info) {
			return f, nil
		}
	}
	if errors.Is(err, syscall.ENXIO) {
		if info, serr := os.Stat(name); serr == nil && !info.Mode().IsRegular() {
			err = &NotAFileError{info.Mode()}
		}
	}
	return regular(f, err)
}

func isNull(info fs.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}

// regular gives an open file if it is one.
func regular(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &NotAFileError{info.Mode()}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
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
	f, err := root.OpenFile(p, os.O_RDONLY|NoWaiting, 0)
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
