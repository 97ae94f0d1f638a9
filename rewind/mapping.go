package rewind

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// TablespaceMapping says where new tablespaces of the source come to lie on the target:
// by the directory that the source has, the target's. Both are absolute.
type TablespaceMapping map[string]string

// Add understands "OLDDIR=NEWDIR" as pg_basebackup does: a "=" that belongs to a
// directory has a backslash before it (tablespace_list_append, pg_basebackup.c).
func (m *TablespaceMapping) Add(s string) error {
	var dirs [2]strings.Builder
	at := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '=':
			// the next one is not the divider
		case s[i] == '=' && (i == 0 || s[i-1] != '\\'):
			if at++; at > 1 {
				return fmt.Errorf("%w: multiple \"=\" signs in tablespace mapping", ErrOptions)
			}
		default:
			dirs[at].WriteByte(s[i])
		}
	}
	old, to := dirs[0].String(), dirs[1].String()
	if old == "" || to == "" {
		return fmt.Errorf("%w: invalid tablespace mapping format \"%s\", must be \"OLDDIR=NEWDIR\"", ErrOptions, s)
	}
	if *m == nil {
		*m = TablespaceMapping{}
	}
	(*m)[filepath.Clean(old)] = filepath.Clean(to)
	return nil
}

// check refuses places that are none for a tablespace of that data directory.
func (m TablespaceMapping) check(dataDir string) error {
	used := map[string]string{}
	inside := resolved(dataDir)
	for _, old := range slices.Sorted(maps.Keys(m)) {
		to := m[old]
		switch {
		case !filepath.IsAbs(old):
			return fmt.Errorf("%w: old directory is not an absolute path in tablespace mapping: %s", ErrOptions, old)
		case !filepath.IsAbs(to):
			return fmt.Errorf("%w: new directory is not an absolute path in tablespace mapping: %s", ErrOptions, to)
		}
		at := resolved(to)
		if within(at, inside) || within(inside, at) {
			return fmt.Errorf("%w: new directory %q of a tablespace must lie outside of the data directory %q", ErrOptions, to, dataDir)
		}
		for other, its := range used {
			if within(at, other) || within(other, at) {
				return fmt.Errorf("%w: two tablespaces cannot lie in one directory: %q and %q", ErrOptions, its, to)
			}
		}
		used[at] = to
	}
	return nil
}

// resolved is where a directory really is, as far as it is there.
func resolved(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if to, err := filepath.EvalSymlinks(dir); err == nil {
		return to
	}
	if parent := filepath.Dir(dir); parent != dir {
		return filepath.Join(resolved(parent), filepath.Base(dir))
	}
	return dir
}

// within reports whether a directory is another one, or lies in it.
func within(dir, in string) bool {
	rel, err := filepath.Rel(in, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// mapTablespaces lets the links of new tablespaces lead where they are to lie. Those
// that the target has keep their places.
func (a *analyzer) mapTablespaces(p *Plan) {
	unused := maps.Clone(a.opts.TablespaceMapping)
	for i := range p.Files.Entries {
		e := &p.Files.Entries[i]
		if e.Action != filemap.Create || e.Type != pgdata.Symlink || path.Dir(e.Path) != pgdata.TablespaceRoot {
			continue
		}
		if to, mapped := a.opts.TablespaceMapping[filepath.Clean(e.Link)]; mapped {
			delete(unused, filepath.Clean(e.Link))
			e.Link, e.MakesDir = to, true
		}
	}
	for _, old := range slices.Sorted(maps.Keys(unused)) {
		a.warn(p, "the source has no new tablespace in directory %q, so that none is made in %q", old, unused[old])
	}
}
