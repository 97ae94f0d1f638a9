package datadir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// Files lists everything below the directory, directories before their
// contents, otherwise in no particular order. Entries that vanish in the meantime are left
// out, and so are sockets and the like.
func (d *Dir) Files() iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) { d.list("", yield) }
}

// Spare leaves unreadable directories and their contents out of listings if spared
// accepts their paths. Otherwise an unreadable directory ends the listing with an error.
func (d *Dir) Spare(spared func(dir string) bool) { d.spare = spared }

// LostAndFound is a directory that file systems have at their top for their own use.
// It is usually unreadable.
const LostAndFound = "lost+found"

func (d *Dir) spares(dir string) bool {
	return path.Base(dir) == LostAndFound || d.spare != nil && d.spare(dir)
}

// batchSize is how many entries of one directory are held in memory at once.
const batchSize = 1024

// entry is an entry of a directory.
type entry struct {
	name string
	mode fs.FileMode
	size int64
	err  error
}

// list yields the contents of a directory, whose path is empty or ends with a slash.
func (d *Dir) list(dir string, yield func(pgdata.FileInfo, error) bool) bool {
	fail := func(err error) bool { yield(pgdata.FileInfo{}, err); return false }
	f, err := d.openDir(strings.TrimSuffix(dir, "/"))
	switch {
	case errors.Is(err, fs.ErrPermission) && d.spares(strings.TrimSuffix(dir, "/")):
		return true
	case errors.Is(err, fs.ErrNotExist):
		return true
	case err != nil:
		return fail(err)
	}
	defer f.Close()
	var batch []entry
	for {
		batch, err = readEntries(f, batch[:0])
		for i := range batch {
			e := &batch[i]
			switch p := dir + e.name; {
			case errors.Is(e.err, fs.ErrNotExist):
			case e.err != nil:
				return fail(fmt.Errorf("could not stat file %q: %w", d.Join(p), Reason(e.err)))
			case !d.listEntry(p, e, yield):
				return false
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			return fail(fmt.Errorf("could not read directory %q: %w", d.Join(dir), Reason(err)))
		}
	}
}

func (d *Dir) openDir(dir string) (*os.File, error) {
	if dir == "" {
		dir = "."
	}
	root, rest, err := d.ResolveDir(dir)
	if err != nil {
		return nil, err
	}
	f, err := OpenDirectory(root, rest)
	if err != nil {
		return nil, fmt.Errorf("could not open directory %q: %w", d.Join(dir), Reason(err))
	}
	return f, nil
}

func (d *Dir) listEntry(p string, e *entry, yield func(pgdata.FileInfo, error) bool) bool {
	if inTablespaceRoot(p) && !strings.HasPrefix(e.name, "PG_") {
		return true
	}
	fi := pgdata.FileInfo{Path: p}
	enter := false
	switch e.mode.Type() {
	case 0:
		fi.Type, fi.Size = pgdata.Regular, e.size
	case fs.ModeDir:
		fi.Type, enter = pgdata.Directory, true
	case fs.ModeSymlink:
		var err error
		fi.Type = pgdata.Symlink
		if fi.Link, err = d.readlink(p); errors.Is(err, fs.ErrNotExist) {
			return true
		} else if err != nil {
			yield(pgdata.FileInfo{}, err)
			return false
		}
		enter = IsLinkPoint(p)
		if enter && !strings.HasPrefix(p, pgdata.TablespaceRoot+"/") {
			fi.Type, fi.Link = pgdata.Directory, ""
		}
	default:
		return true
	}
	return yield(fi, nil) && (!enter || d.list(p+"/", yield))
}

// inTablespaceRoot reports whether p is in a tablespace, next to the directories
// of PostgreSQL versions. Other entries there, usually lost+found, do not belong to
// PostgreSQL and are often unreadable.
func inTablespaceRoot(p string) bool {
	return strings.HasPrefix(p, pgdata.TablespaceRoot+"/") && strings.Count(p, "/") == 2
}

// Readlink returns the destination of a symbolic link in the data directory.
func (d *Dir) Readlink(p string) (string, error) { return d.readlink(p) }

func (d *Dir) readlink(p string) (string, error) {
	root, rest, err := d.Resolve(p)
	if err != nil {
		return "", err
	}
	to, err := root.Readlink(rest)
	if err != nil {
		return "", fmt.Errorf("could not read symbolic link %q: %w", d.Join(p), Reason(err))
	}
	return to, nil
}
