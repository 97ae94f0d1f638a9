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

// TablespaceMapping says where to create new tablespaces of the source on the target.
// It maps a directory on the source to one on the target. Both are absolute.
type TablespaceMapping map[string]string

// Add parses "OLDDIR=NEWDIR" as pg_basebackup does: a "=" that is part of a directory's
// name must have a backslash before it (tablespace_list_append, pg_basebackup.c).
func (m *TablespaceMapping) Add(s string) error {
	var dirs [2]strings.Builder
	at := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '=':
			// the next character is not the separator
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

// check refuses directories that cannot be used for a tablespace of the data directory.
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
			return fmt.Errorf("%w: new directory %q of a tablespace must be outside the data directory %q", ErrOptions, to, dataDir)
		}
		for other, its := range used {
			if within(at, other) || within(other, at) {
				return fmt.Errorf("%w: two tablespaces cannot use one directory: %q and %q", ErrOptions, its, to)
			}
		}
		used[at] = to
	}
	return nil
}

// resolved returns a directory's path with symbolic links resolved, as far as it
// exists.
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

// within reports whether a directory is another one, or is inside it.
func within(dir, in string) bool {
	rel, err := filepath.Rel(in, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// mapTablespaces makes the links of new tablespaces lead to the mapped directories.
// Tablespaces that the target already has stay where they are.
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
		a.warn(p, "the source has no new tablespace in directory %q, so none is created in %q", old, unused[old])
	}
}
