package target

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// Obstacles are all the reasons why a plan cannot be carried out.
type Obstacles []error

// maxObstacles is how many of them a message spells out.
const maxObstacles = 10

func (o Obstacles) Error() string {
	var texts []string
	for _, err := range o[:min(len(o), maxObstacles)] {
		texts = append(texts, err.Error())
	}
	if more := len(o) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives all of them.
func (o Obstacles) Unwrap() []error { return o }

// Check finds out, without changing anything, whether a plan can be carried out:
// whether every file and directory that it changes can be written, and whether
// the directories of new tablespaces are free. The error is of type Obstacles.
func (t *Target) Check(plan *filemap.Plan, v *pgdata.Version) error {
	c := checker{t: t, dirs: map[string]bool{}}
	c.directory(".")
	c.directory(path.Dir(pgdata.ControlFilePath))
	for i := range plan.Entries {
		e := &plan.Entries[i]
		switch {
		case e.Action == filemap.Create && e.Type == pgdata.Symlink && path.Dir(e.Path) == pgdata.TablespaceRoot:
			c.note(t.checkTablespace(e, v))
			c.directory(path.Dir(e.Path))
		case e.Action == filemap.Create, e.Action == filemap.Remove, e.Action == filemap.Copy && e.Reason == filemap.OnlyOnSource:
			c.directory(path.Dir(e.Path))
		case e.Action != filemap.None, e.Blocks != nil:
			c.file(e.Path)
		}
	}
	if len(c.found) > 0 {
		return c.found
	}
	return nil
}

type checker struct {
	t     *Target
	dirs  map[string]bool // those that were checked
	found Obstacles
}

func (c *checker) note(err error) {
	if err != nil {
		c.found = append(c.found, err)
	}
}

// file checks that an existing file can be written. One that is gone meanwhile
// will be made.
func (c *checker) file(p string) {
	root, rest, err := c.t.Resolve(p)
	if err != nil {
		c.note(err)
		return
	}
	f, err := root.OpenFile(rest, os.O_WRONLY, 0)
	if err == nil {
		err = f.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.note(fmt.Errorf("could not open file %q for writing: %w", c.t.Join(p), datadir.Reason(err)))
	}
}

// directory checks that entries can be made in and removed from a directory. One
// that is not there yet is in the plan, too.
func (c *checker) directory(p string) {
	if c.dirs[p] {
		return
	}
	c.dirs[p] = true
	if err := writable(c.t.Join(p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.note(fmt.Errorf("could not write in directory %q: %w", c.t.Join(p), err))
	}
}

// checkTablespace refuses a new tablespace whose directory is missing or serves
// somebody: on the source's own host it would be the source's.
func (t *Target) checkTablespace(e *filemap.Entry, v *pgdata.Version) error {
	to := e.Link
	if !filepath.IsAbs(to) {
		to = filepath.Join(t.Join(pgdata.TablespaceRoot), to)
	}
	if err := checkFree(to, v); err != nil {
		return fmt.Errorf("directory %q of the source's new tablespace %q: %w", to, e.Path, err)
	}
	return nil
}

// checkFree refuses a directory that another cluster of the same version uses,
// or that holds what no tablespace does.
func checkFree(dir string, v *pgdata.Version) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%w: create it, owned by the server's user", datadir.Reason(err))
	}
	for _, in := range entries {
		name := in.Name()
		if name == v.TablespaceDir() {
			return errors.New("another cluster uses it, perhaps the source itself: rewind on another host, or free it")
		}
		if name != "lost+found" && !strings.HasPrefix(name, "PG_") {
			return fmt.Errorf("it is not empty, it contains %q: empty it", name)
		}
	}
	return nil
}
