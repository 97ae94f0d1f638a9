package datadir

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/gorewind/gorewind/internal/regular"
)

// ErrNotDirectory says that there is something else where a directory should be.
var ErrNotDirectory = errors.New("it is not a directory")

// Enclose opens a directory, which must not be a link to one. Whatever
// happens to its name afterwards, the paths below it lead into it and never elsewhere,
// until Forget. If the directory does not exist, the error is an fs.ErrNotExist.
func (d *Dir) Enclose(p string) error {
	root, rest, err := d.Resolve(p)
	if err != nil {
		return err
	}
	info, err := root.Lstat(rest)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%w but a %s: remove it", ErrNotDirectory, regular.TypeName(info.Mode()))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if have := d.enclosed[p]; have != nil {
		if now, err := have.Stat("."); err == nil && os.SameFile(info, now) {
			return nil
		}
	}
	r, err := os.OpenRoot(filepath.Join(root.Name(), filepath.FromSlash(rest)))
	if err != nil {
		return err
	}
	if now, err := r.Stat("."); err != nil || !os.SameFile(info, now) {
		r.Close()
		return fmt.Errorf("%w any more: another program is modifying it", ErrNotDirectory)
	}
	if have := d.enclosed[p]; have != nil {
		have.Close()
	}
	if d.enclosed == nil {
		d.enclosed = map[string]*os.Root{}
	}
	d.enclosed[p] = r
	return nil
}

// enclosure finds the enclosed directory that contains a path.
func (d *Dir) enclosure(p string) (r *os.Root, rest string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.enclosed) == 0 {
		return nil, ""
	}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if r := d.enclosed[dir]; r != nil {
			return r, p[len(dir)+1:]
		}
	}
	return nil, ""
}

func (d *Dir) encloses(p string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.enclosed[p] != nil
}
