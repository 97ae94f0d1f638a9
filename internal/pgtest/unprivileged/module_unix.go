//go:build unix

package unprivileged

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
)

// workingDirectory is empty if the process can stay where it is. Otherwise it is
// the corresponding directory in a copy of the module.
func (w *rootWork) workingDirectory() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	module := here
	for {
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			break
		}
		if module == filepath.Dir(module) {
			if reachable(here) {
				return "", nil
			}
			return w.dir, nil // a program that was started outside of a module
		}
		module = filepath.Dir(module)
	}
	if reachable(module) && readableByAll(module) {
		return "", nil
	}
	rel, err := filepath.Rel(module, here)
	if err != nil {
		return "", err
	}
	copied := filepath.Join(w.dir, "src")
	if err := copyModule(module, copied, w.uid, w.gid); err != nil {
		return "", err
	}
	return filepath.Join(copied, rel), nil
}

// walkModule visits what tests may read: everything except hidden directories.
func walkModule(module string, visit func(rel string, info fs.FileInfo) error) error {
	return filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != module && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(module, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return visit(rel, info)
	})
}

func readableByAll(module string) bool {
	return walkModule(module, func(_ string, info fs.FileInfo) error {
		perm := info.Mode().Perm()
		if info.IsDir() && perm&0o005 != 0o005 || info.Mode().IsRegular() && perm&0o004 == 0 {
			return fs.ErrPermission
		}
		return nil
	}) == nil
}

func copyModule(module, to string, uid, gid int) error {
	return walkModule(module, func(rel string, info fs.FileInfo) error {
		target := filepath.Join(to, rel)
		var err error
		switch {
		case info.IsDir():
			err = os.Mkdir(target, 0o700)
		case info.Mode().IsRegular():
			err = dirtree.CopyFile(filepath.Join(module, rel), target, info)
		case info.Mode()&fs.ModeSymlink != 0:
			var link string
			if link, err = os.Readlink(filepath.Join(module, rel)); err == nil {
				err = os.Symlink(link, target)
			}
		default:
			return nil
		}
		if err != nil {
			return err
		}
		return os.Lchown(target, uid, gid)
	})
}

func copyExecutable(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := dirtree.CopyFile(from, to, info); err != nil {
		return err
	}
	return os.Chmod(to, 0o755)
}
