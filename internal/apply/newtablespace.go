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

// If a tablespace is mapped to a directory that does not exist, gorewind makes it, as
// pg_basebackup does (verify_dir_is_empty_or_create, pg_basebackup.c). It is made together
// with the staging area in it, after it was added to the list of areas, and is removed
// with that area if the rewind does not commit.

// topMissing returns the topmost missing directory of a path, "" if none is missing.
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

// upTo lists a directory and its parents, up to top.
func upTo(dir, top string) []string {
	var dirs []string
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		dirs = append(dirs, at)
		if at == top {
			return dirs
		}
		if at == filepath.Dir(at) {
			return nil // dir is not below top
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

// makeTablespace makes the directory of a new tablespace and its missing parents, with the
// permissions of the data directory.
func (t *Target) makeTablespace(a Area) error {
	if a.Top == "" {
		return nil
	}
	_, mode := t.modes()
	dirs := upTo(string(a.Link), string(a.Top))
	for i := len(dirs) - 1; i >= 0; i-- {
		err := t.disk.MakeOutside(dirs[i], mode)
		if errors.Is(err, fs.ErrExist) {
			continue // another process made it; whether the last one is empty is checked
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

// removeTablespace undoes makeTablespace, as far as the directories are empty. It does nothing
// if the tablespace is in use.
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
			continue // it was never made
		} else if err != nil {
			return nil // something is in it
		}
		if err := t.syncOutside(filepath.Dir(dir)); err != nil {
			return fmt.Errorf("could not fsync %q: %w", filepath.Dir(dir), datadir.Reason(err))
		}
	}
	return nil
}
