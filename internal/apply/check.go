package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/internal/regular"
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

// Unwrap returns all of them.
func (o Obstacles) Unwrap() []error { return o }

// errImmutable is what chattr +i and +a do to a file.
var errImmutable = errors.New("it is immutable or append-only: chattr -ia it")

// Check finds out, without changing anything, whether a plan can be carried out:
// whether everything that it writes, replaces or removes is writable, not immutable
// and not a mount point, whether existing files are in the way, and whether the
// directories of new tablespaces are free. The error is of type Obstacles.
func (t *Target) Check(plan *filemap.Plan, v *pgdata.Version) error {
	c := &checker{t: t, dirs: map[string]uint64{}, spaces: map[string]string{}, readOnly: t.isReadOnly()}
	if c.readOnly {
		t.warnOnce("read-only", fmt.Sprintf("the target %q is on a read-only file system: it can be inspected but not rewound", t.Name()))
	}
	c.control()
	for i := range plan.Entries {
		e := &plan.Entries[i]
		switch {
		case e.Action == filemap.Create && e.Type == pgdata.Symlink:
			if path.Dir(e.Path) == pgdata.TablespaceRoot {
				c.note(c.tablespace(e, v))
			}
			c.place(Symlink, e.Path, e.Link)
		case e.Action == filemap.Create:
			c.place(Mkdir, e.Path, "")
		case e.Action == filemap.Remove:
			c.place(Remove, e.Path, "")
		case e.Action == filemap.Restore, e.Action == filemap.Copy && e.Reason == filemap.OnlyOnSource:
			c.place(Replace, e.Path, "")
		case staysWhole(e, plan.Geometry, true): // a rewind in place, or one without space to rebuild it, writes to it
			c.place(Replace, e.Path, "")
			if info, err := t.Lstat(e.Path); err == nil && info.Mode().IsRegular() {
				c.file(e.Path)
			}
		case e.Action != filemap.None, e.Blocks != nil:
			c.place(Write, e.Path, "")
		}
	}
	for _, p := range decide.Files() {
		if info, err := t.Lstat(p); err == nil && info.IsDir() {
			c.taken(p, info, "file")
		}
	}
	return c.result()
}

// checkSteps is Check for a journal that is about to be committed. Now everything
// that it needs must exist.
func (t *Target) checkSteps(ctx context.Context, j *Journal) error {
	c := &checker{t: t, dirs: map[string]uint64{}, strict: true, made: map[string]bool{}}
	for i := range j.Steps {
		if s := &j.Steps[i]; s.Do == Mkdir || s.Do == Symlink {
			c.made[string(s.Path)] = true
		}
	}
	c.control()
	for i := range j.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &j.Steps[i]
		c.place(s.Do, string(s.Path), string(s.Link))
	}
	for _, f := range j.Files {
		c.place(Replace, f.Path, "")
	}
	return c.result()
}

// isReadOnly reports whether the data directory is on a read-only file system.
func (t *Target) isReadOnly() bool { return errors.Is(writable(t.Name()), syscall.EROFS) }

type checker struct {
	t     *Target
	dirs  map[string]uint64 // those that were checked, and the mounts that they are on
	found Obstacles
	// readOnly says that the data directory is on a read-only file system. That is no
	// obstacle to a dry run, and any write fails anyway.
	readOnly bool
	spaces   map[string]string // new tablespaces by their directories
	strict   bool              // files to write to, and all directories, must exist
	made     map[string]bool   // unless they are among these, which the rewind makes
}

func (c *checker) note(err error) {
	if err != nil && (!c.readOnly || !errors.Is(err, syscall.EROFS)) {
		c.found = append(c.found, err)
	}
}

// control checks the place of the control file.
func (c *checker) control() {
	c.directory(".")
	c.directory(path.Dir(pgdata.ControlFilePath))
	c.replaced(pgdata.ControlFilePath)
}

func (c *checker) result() error {
	if len(c.found) > 0 {
		return c.found
	}
	return nil
}

// place checks the place of a step.
func (c *checker) place(do Do, p, link string) {
	c.directory(path.Dir(p))
	info, err := c.t.Lstat(p)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		c.note(fmt.Errorf("could not stat %q: %w", c.t.Join(p), datadir.Reason(err)))
		return
	}
	switch do {
	case Mkdir:
		if !missing && !info.IsDir() {
			c.taken(p, info, "directory")
		}
	case Symlink:
		if missing {
			return
		}
		if to, err := c.t.Readlink(p); err != nil || to != link {
			c.taken(p, info, fmt.Sprintf("symbolic link to %q", link))
		}
	case Replace:
		if !missing && info.IsDir() {
			c.taken(p, info, "file")
			return
		}
		c.replaced(p)
	case Write, Truncate:
		switch {
		case missing && !c.strict: // it will be made
		case missing:
			c.note(fmt.Errorf("file %q is gone: %w", c.t.Join(p), ErrChanged))
		case !info.Mode().IsRegular():
			c.taken(p, info, "file")
		default:
			c.file(p)
		}
	case Remove:
		c.replaced(p)
	}
}

// taken notes that something else is where the rewind makes something.
func (c *checker) taken(p string, info fs.FileInfo, what string) {
	c.note(fmt.Errorf("%q is a %s, and a %s belongs there: remove it", c.t.Join(p), regular.TypeName(info.Mode()), what))
}

// file checks that an existing file can be written. A file that is gone will be
// made.
func (c *checker) file(p string) {
	f, err := c.t.OpenFile(p, os.O_WRONLY)
	if err == nil {
		err = f.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("could not open file %q for writing: %w", c.t.Join(p), datadir.Reason(err))
		if errors.Is(err, fs.ErrPermission) {
			advice := "make it writable"
			if decide.Keepable(p) {
				advice += ", or keep it with Options.Keep"
			}
			err = fmt.Errorf("%w: %s", err, advice)
		}
		c.note(err)
	}
}

// replaced checks that an existing file, link or directory can be replaced or
// removed.
func (c *checker) replaced(p string) {
	root, rest, err := c.t.Resolve(p)
	if err != nil {
		c.note(err)
		return
	}
	mount, err := statMount(filepath.Join(root.Name(), filepath.FromSlash(rest)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		c.note(fmt.Errorf("could not replace or remove %q: %w", c.t.Join(p), err))
	case mount != c.dirs[path.Dir(p)] && c.dirs[path.Dir(p)] != 0:
		c.note(fmt.Errorf("could not replace or remove %q: it is a mount point: keep it with Options.Keep, or unmount it", c.t.Join(p)))
	}
}

// directory checks that entries can be made in and removed from a directory. One
// that does not exist yet is in the plan, too.
func (c *checker) directory(p string) {
	if _, done := c.dirs[p]; done {
		return
	}
	c.dirs[p] = 0
	if info, err := c.t.Lstat(p); err == nil && !info.IsDir() && !c.t.LinkPoint(p) {
		c.taken(p, info, "directory")
		return
	}
	root, rest, err := c.t.ResolveDir(p)
	if err != nil {
		c.note(err)
		return
	}
	real := filepath.Join(root.Name(), filepath.FromSlash(rest))
	mount, err := statMount(real)
	if err == nil {
		c.dirs[p] = mount
		err = writable(real)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.strict && !c.made[p]:
		c.note(fmt.Errorf("directory %q is gone: %w", c.t.Join(p), ErrChanged))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		c.note(fmt.Errorf("could not write in directory %q: %w", c.t.Join(p), err))
	}
}

// tablespace refuses a new tablespace whose directory is missing or in use, even by
// another new tablespace. On the source's own host it is in use by the source.
func (c *checker) tablespace(e *filemap.Entry, v *pgdata.Version) error {
	to := e.Link
	if !filepath.IsAbs(to) {
		to = filepath.Join(c.t.Join(pgdata.TablespaceRoot), to)
	}
	err := checkFree(to, v)
	if e.MakesDir && errors.Is(err, fs.ErrNotExist) {
		if err = checkMakeable(to); err == nil {
			return nil
		}
	}
	if at, rerr := filepath.EvalSymlinks(to); err == nil && rerr == nil {
		if other, taken := c.spaces[at]; taken {
			err = fmt.Errorf("the new tablespace %q would be there, too: map one of them to another directory", other)
		}
		c.spaces[at] = e.Path
	}
	if err != nil {
		return fmt.Errorf("directory %q of the source's new tablespace %q: %w", to, e.Path, err)
	}
	return nil
}

// checkFree refuses a directory that another cluster of the same version uses, or
// that contains anything that is not a tablespace's.
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
		if name != "lost+found" && !strings.HasPrefix(name, namePrefix) && !strings.HasPrefix(name, "PG_") {
			return fmt.Errorf("it is not empty, it contains %q: empty it", name)
		}
	}
	return nil
}
