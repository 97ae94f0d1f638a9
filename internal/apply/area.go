package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// Area is where things are staged that will lie on one file system, so that a
// rename puts them in place: in the data directory, in a WAL directory or
// tablespace that lies elsewhere, below a mount point.
type Area struct {
	// Dir is the staging directory.
	Dir name `json:"dir"`
	// Link is where the symbolic link of a tablespace leads that the target does
	// not have yet; its staging directory lies there.
	Link name `json:"link,omitempty"`
	// Top is the first directory on the way to Link that is missing and is to be made.
	Top name `json:"top,omitempty"`
}

func (a Area) staged(id int) string { return fmt.Sprintf("%s/%d", a.Dir, id) }
func (a Area) blocks() string       { return string(a.Dir) + "/blocks" }
func (a Area) reserve() string      { return string(a.Dir) + "/reserve" }

const indexPath = stagingDir + "/index"

// areaName is the name of the staging directories that do not lie in the data
// directory. What lies elsewhere two clusters may share, as a tablespace's directory
// is shared by those before and after pg_upgrade, so the name is each one's own.
func areaName(systemIdentifier uint64) string {
	return fmt.Sprintf("%s.%d", namePrefix, systemIdentifier)
}

// areaMap finds the area of a path.
type areaMap struct {
	t     *Target
	name  string // of staging directories but the first
	areas []Area
	of    map[string]int // by directory
	mount map[string]uint64
}

// newAreaMap plans the areas of a plan and makes nothing.
func newAreaMap(t *Target, plan *filemap.Plan) (*areaMap, error) {
	_, control, err := t.readControl()
	if err != nil {
		return nil, err
	}
	m := &areaMap{
		t: t, name: areaName(control.SystemIdentifier),
		of: map[string]int{".": 0}, mount: map[string]uint64{}, areas: []Area{{Dir: stagingDir}},
	}
	for i := range plan.Entries {
		if e := &plan.Entries[i]; e.Action == filemap.Create && e.Type == pgdata.Symlink && path.Dir(e.Path) == pgdata.TablespaceRoot {
			m.of[e.Path] = len(m.areas)
			a := Area{Dir: name(path.Join(e.Path, m.name)), Link: name(e.Link)}
			if e.MakesDir {
				top, err := topMissing(e.Link)
				if err != nil {
					return nil, fmt.Errorf("could not look for directory %q of the new tablespace %q: %w", e.Link, e.Path, datadir.Reason(err))
				}
				a.Top = name(top)
			}
			m.areas = append(m.areas, a)
		}
	}
	if _, err := m.find(plan.WALDir); err != nil { // which may hold restored WAL
		return nil, err
	}
	for i := range plan.Entries {
		if e := &plan.Entries[i]; e.FetchBytes(plan.Geometry) > 0 || e.Action == filemap.Copy {
			if _, err := m.find(path.Dir(e.Path)); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// find gives the area of a directory's files: that of its parent, unless the
// directory is a link or a mount point.
func (m *areaMap) find(dir string) (int, error) {
	if a, ok := m.of[dir]; ok {
		return a, nil
	}
	a, err := m.find(path.Dir(dir))
	if err != nil {
		return 0, err
	}
	if m.isBoundary(dir) {
		a = len(m.areas)
		m.areas = append(m.areas, Area{Dir: name(path.Join(dir, m.name))})
	}
	m.of[dir] = a
	return a, nil
}

// restored is where the file lies that an archive brought back for a path.
func (m *areaMap) restored(p string) string {
	return path.Join(string(m.areas[m.of[path.Dir(p)]].Dir), restoreDir, path.Base(p))
}

// restoreDir is where archives bring back WAL, in the area of the WAL directory.
const restoreDir = "wal"

// RestoreDir makes a directory into which WAL can be brought back from an
// archive, and gives its path relative to the data directory. It goes with the
// staging area. One that is in place of nothing is put in place by a plan's
// action Restore.
func (t *Target) RestoreDir(walDir string) (string, error) {
	if !t.Poisoned() { // else what lies there is of the rewind that is begun again
		if err := t.cleanUp(); err != nil {
			return "", err
		}
	}
	m, err := newAreaMap(t, &filemap.Plan{WALDir: walDir})
	if err != nil {
		return "", err
	}
	t.staged = true
	if err := m.make(); err != nil {
		return "", err
	}
	dir := path.Dir(m.restored(walDir + "/x"))
	return dir, t.mkdirExact(dir, 0o700)
}

// isBoundary reports whether renames from outside into a directory can fail.
func (m *areaMap) isBoundary(dir string) bool {
	info, err := m.t.disk.Lstat(dir)
	if err != nil {
		return false // it is in the plan itself
	}
	if info.Mode().Type() == fs.ModeSymlink {
		return datadir.IsLinkPoint(dir) // others are not followed
	}
	here, err := m.mountOf(dir)
	if err != nil {
		return false
	}
	above, err := m.mountOf(path.Dir(dir))
	return err == nil && here != above
}

func (m *areaMap) mountOf(dir string) (uint64, error) {
	if id, ok := m.mount[dir]; ok {
		return id, nil
	}
	root, rest, err := m.t.ResolveDir(dir)
	if err != nil {
		return 0, err
	}
	id, err := statMount(filepath.Join(root.Name(), filepath.FromSlash(rest)))
	if errors.Is(err, errImmutable) {
		err = nil // Check says so
	}
	m.mount[dir] = id
	return id, err
}

// make makes the staging directories, and first says in the data directory where
// the others are, so that whatever happens they can be found and removed.
func (m *areaMap) make() error {
	t := m.t
	if err := m.makeTablespaces(); err != nil {
		return err
	}
	for _, a := range m.areas[1:] {
		if err := t.mapTablespace(a); err != nil {
			return err
		}
		if err := t.makeStagingDir(string(a.Dir)); err != nil {
			return err
		}
		if err := t.sync(path.Dir(string(a.Dir))); err != nil {
			return t.failed("fsync", path.Dir(string(a.Dir)), err)
		}
	}
	return nil
}

// makeTablespaces makes the staging directory in the data directory and, when a list in it
// says so, the missing directories of new tablespaces.
func (m *areaMap) makeTablespaces() error {
	t := m.t
	if err := t.makeStagingDir(stagingDir); err != nil {
		return err
	}
	list, err := encodeAreas(m.name, m.areas)
	if err == nil {
		err = t.replaceFile(areasPath, list, true)
	}
	if err == nil {
		err = t.sync(".")
	}
	if err != nil {
		return t.failed("write", areasPath, err)
	}
	for _, a := range m.areas[1:] {
		if err := t.makeTablespace(a); err != nil {
			return err
		}
	}
	return nil
}

// makeStagingDir makes a directory of gorewind's own, or finds it made, and makes sure that
// it is one and no link to one: else what it leads to would be written to and removed.
func (t *Target) makeStagingDir(dir string) error {
	if err := t.mkdirExact(dir, 0o700); err != nil {
		return err
	}
	if err := t.Enclose(dir); err != nil {
		return t.failed("use", dir, err)
	}
	return nil
}

// findStagingDir is makeStagingDir for one that may not be there.
func (t *Target) findStagingDir(dir string) (there bool, err error) {
	err = t.Enclose(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, t.failed("use", dir, err)
	}
	return true, nil
}

// mapTablespace lets the paths of a tablespace that is to come lead to where its link
// will.
func (t *Target) mapTablespace(a Area) error {
	if a.Link == "" {
		return nil
	}
	return t.MapTablespace(path.Dir(string(a.Dir)), string(a.Link))
}
