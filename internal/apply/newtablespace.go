package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/gorewind/gorewind/internal/datadir"
)

// The directory of a new tablespace can be made, where whoever mapped it names one that
// is missing, as pg_basebackup does (verify_dir_is_empty_or_create, pg_basebackup.c). It
// is made together with the staging area that lies in it, after the list of areas says so,
// and goes with that if the rewind does not commit.

// topMissing is the first directory on the way to one that is not there; empty where it
// is. The one above it is there.
func topMissing(dir string) (top string, err error) {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		_, err := os.Stat(at)
		if !errors.Is(err, fs.ErrNotExist) {
			return top, err
		}
		if _, err := os.Lstat(at); err == nil {
			return top, fmt.Errorf("%q is a link to nowhere", at)
		}
		top = at
		if at == filepath.Dir(at) {
			return top, nil
		}
	}
}

// upTo lists a directory and those above it, up to one of them.
func upTo(dir, top string) []string {
	var dirs []string
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		dirs = append(dirs, at)
		if at == top {
			return dirs
		}
		if at == filepath.Dir(at) {
			return nil // it does not lie below
		}
	}
}

// checkMakeable refuses a directory that could not be made.
func checkMakeable(dir string) error {
	top, err := topMissing(dir)
	if err != nil {
		return datadir.Reason(err)
	}
	above := filepath.Dir(top)
	if info, err := os.Stat(above); err != nil || !info.IsDir() {
		return fmt.Errorf("%q is no directory", above)
	}
	if err := writable(above); err != nil {
		return fmt.Errorf("it cannot be made in directory %q: %w", above, datadir.Reason(err))
	}
	return nil
}

// makeTablespace makes the directory of a new tablespace, with the permissions of the data
// directory, and those above it.
func (t *Target) makeTablespace(a Area) error {
	if a.Top == "" {
		return nil
	}
	_, mode := t.modes()
	dirs := upTo(string(a.Link), string(a.Top))
	for i := len(dirs) - 1; i >= 0; i-- {
		err := t.disk.MakeOutside(dirs[i], mode)
		if errors.Is(err, fs.ErrExist) {
			continue // somebody was faster; what is in the last one is looked at
		}
		if err == nil {
			err = t.syncOutside(filepath.Dir(dirs[i]))
		}
		if err != nil {
			return fmt.Errorf("could not make directory %q for the new tablespace %q: %w", dirs[i], path.Dir(string(a.Dir)), datadir.Reason(err))
		}
	}
	return nil
}

// removeTablespace undoes makeTablespace, as far as nothing is in those directories. Where the
// tablespace has come to stay nothing is done.
func (t *Target) removeTablespace(a Area) error {
	if a.Top == "" || !filepath.IsAbs(string(a.Link)) {
		return nil
	}
	link := path.Dir(string(a.Dir))
	if _, err := t.disk.Readlink(link); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, dir := range upTo(string(a.Link), string(a.Top)) {
		err := t.disk.RemoveOutside(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was not made any more
		} else if err != nil {
			return nil // something is in it
		}
		if err := t.syncOutside(filepath.Dir(dir)); err != nil {
			return fmt.Errorf("could not fsync %q: %w", filepath.Dir(dir), datadir.Reason(err))
		}
	}
	return nil
}
