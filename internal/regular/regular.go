// Package regular opens what must be a regular file, and waits for nobody: what opens
// a fifo may wait for ever, and a device does what it likes.
package regular

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// NotAFileError says that something else is where a file is meant to be.
type NotAFileError struct{ Mode fs.FileMode }

func (e *NotAFileError) Error() string {
	what := "it is a " + TypeName(e.Mode) + " and no regular file"
	if e.Mode.IsDir() { // which may hold something
		return what
	}
	return what + ": remove it"
}

// Open is os.Open for what must be a regular file, and like that of os its error has the
// name. The null device is an empty file:
// configuration that is switched off is a link to it.
func Open(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|NoWaiting, 0)
	if err == nil {
		if info, serr := f.Stat(); serr == nil && isNull(info) {
			return f, nil
		}
	}
	if errors.Is(err, syscall.ENXIO) { // nobody is at the other end
		if info, serr := os.Stat(name); serr == nil && !info.Mode().IsRegular() {
			err = &NotAFileError{info.Mode()}
		}
	}
	f, err = Check(f, err)
	var other *NotAFileError
	if errors.As(err, &other) {
		err = &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f, err
}

// ReadFile is os.ReadFile for what must be a regular file. Of a file that is longer
// than most it gives one byte more than that.
func ReadFile(name string, most int64) ([]byte, error) {
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most+1))
}

func isNull(info fs.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}

// Check gives an open file if it is a regular one.
func Check(f *os.File, err error) (*os.File, error) {
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

// TypeName says in a word what has such a mode.
func TypeName(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "file"
	case fs.ModeDir:
		return "directory"
	case fs.ModeSymlink:
		return "symbolic link"
	case fs.ModeNamedPipe:
		return "fifo"
	case fs.ModeSocket:
		return "socket"
	}
	return "device"
}
