package pgconf

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gorewind/gorewind/internal/regular"
)

// disk is where configuration is read from: the file system, except for files in
// the data directory that the caller supplies.
type disk struct {
	dataDirs []string // the data directory as given, and with links resolved
	given    ReadFile // supplies the files within it, or nil
	listed   func(dir string) ([]string, error)
}

func newDisk(dataDir string, o Options) *disk {
	d := &disk{dataDirs: []string{dataDir}, given: o.ReadFile, listed: o.Names}
	if real, err := filepath.EvalSymlinks(dataDir); err == nil && real != dataDir {
		d.dataDirs = append(d.dataDirs, real)
	}
	return d
}

// within returns the path of a file that the caller supplies.
func (d *disk) within(file string) (path string, ok bool) {
	if d.given == nil {
		return "", false
	}
	for _, dir := range d.dataDirs {
		if rel, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel), true
		}
	}
	return "", false
}

// readFile reads a file; if it is too large, only a part of it. On an error,
// opened reports whether the file could be opened.
func (d *disk) readFile(file string) (data []byte, opened bool, err error) {
	if path, ok := d.within(file); ok {
		data, err = d.given(path)
		return data, err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission), err
	}
	r, err := regular.Open(file)
	if err != nil {
		var other *regular.NotAFileError
		return nil, errors.As(err, &other), err
	}
	defer r.Close()
	data, err = io.ReadAll(io.LimitReader(r, maxSize+1))
	return data, true, err
}

// stat checks that a file exists; if not, the error is fs.ErrNotExist.
func (d *disk) stat(file string) error {
	if path, ok := d.within(file); ok {
		_, err := d.given(path)
		return err
	}
	_, err := os.Stat(file)
	return err
}

// names lists a directory, sorted.
func (d *disk) names(dir string) ([]string, error) {
	if path, ok := d.within(dir); ok && d.listed != nil {
		names, err := d.listed(path)
		return slices.Sorted(slices.Values(names)), err
	}
	entries, err := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// isDir reports whether a name is a directory. The caller's names are always files.
func (d *disk) isDir(file string) (bool, error) {
	if _, ok := d.within(file); ok && d.listed != nil {
		return false, nil
	}
	info, err := os.Stat(file)
	return err == nil && info.IsDir(), err
}
