// Package datadir opens a data directory so that no path can lead outside: that is,
// outside the directory itself, its WAL directory and its tablespaces,
// wherever those two are (invariant I5).
package datadir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/gorewind/gorewind/pgdata"
)

// ErrUnsafePath marks a path that could lead out of the data directory.
var ErrUnsafePath = errors.New("path is unsafe")

// ErrNoCluster says that a directory does not exist or is not a data directory.
var ErrNoCluster = errors.New("no data directory of a cluster")

// ErrNoControlFile says that a data directory has no control file. It is an
// ErrNoCluster, too.
var ErrNoControlFile = errors.New("no control file")

// noControlFile is an ErrNoControlFile with its own message.
type noControlFile struct{ noCluster }

func (e noControlFile) Unwrap() error { return e.noCluster }
func (noControlFile) Is(err error) bool {
	return err == ErrNoControlFile //nolint:errorlint // required by errors.Is
}

// noCluster is an ErrNoCluster with its own message.
type noCluster struct{ error }

func (e noCluster) Unwrap() error   { return e.error }
func (noCluster) Is(err error) bool { return err == ErrNoCluster } //nolint:errorlint // required by errors.Is

// Dir is an open data directory. Its methods may be used concurrently.
type Dir struct {
	name  string
	root  *os.Root
	mode  fs.FileMode
	spare func(dir string) bool // see Spare
	mu    sync.Mutex
	links map[string]*os.Root // the destinations of followed symbolic links, by path
	read  atomic.Int64        // bytes, see CountRead
	// enclosed are directories that are known not to be links, by path.
	enclosed map[string]*os.Root
}

// Open opens a directory that contains a cluster, running or not. The error wraps
// ErrNoCluster if it does not.
func Open(name string) (*Dir, error) {
	d, err := OpenAny(name)
	if err != nil {
		return nil, err
	}
	if _, err := d.root.Lstat(pgdata.ControlFilePath); err != nil {
		_, verr := d.root.Lstat(pgdata.VersionPath)
		_ = d.Close()
		err = unreadable(name, err)
		if lacks, is := err.(noCluster); is && verr == nil { //nolint:errorlint // it is not wrapped
			err = noControlFile{lacks}
		}
		return nil, err
	}
	return d, nil
}

// unreadable reports any problem as one with the file that pg_rewind opens first.
func unreadable(name string, err error) error {
	missing := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	err = fmt.Errorf("could not open file %q for reading: %w", filepath.Join(name, filepath.FromSlash(pgdata.ControlFilePath)), Reason(err))
	if missing {
		err = noCluster{err}
	}
	return err
}

// OpenAny opens a directory, whether it contains a cluster or not.
func OpenAny(name string) (*Dir, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(abs)
	switch {
	case err != nil:
		return nil, unreadable(name, err)
	case !info.IsDir():
		return nil, unreadable(name, syscall.ENOTDIR)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, unreadable(name, err)
	}
	return &Dir{name: abs, root: root, mode: info.Mode(), links: map[string]*os.Root{}}, nil
}

// Close closes the directory handles.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	errs := []error{d.root.Close()}
	for _, roots := range []map[string]*os.Root{d.links, d.enclosed} {
		for _, r := range roots {
			errs = append(errs, r.Close())
		}
		clear(roots)
	}
	return errors.Join(errs...)
}

// Name is the directory's absolute path.
func (d *Dir) Name() string { return d.name }

// Join turns a path within the directory into one for messages.
func (d *Dir) Join(p string) string { return filepath.Join(d.name, filepath.FromSlash(p)) }

// Locate is the real location of a path within the data directory.
func (d *Dir) Locate(p string) (string, error) {
	root, rest, err := d.Resolve(p)
	if err != nil {
		return "", err
	}
	return filepath.Join(root.Name(), filepath.FromSlash(rest)), nil
}

// GroupAccess reports whether the group may read the directory, as initdb
// --allow-group-access makes it (11 and later).
func (d *Dir) GroupAccess() bool { return d.mode.Perm()&0o050 == 0o050 }

// Resolve returns the confined root that contains a path, and the path in that root.
// Symbolic links are followed only where PostgreSQL creates them: the
// WAL directory and the entries of pg_tblspc.
func (d *Dir) Resolve(p string) (*os.Root, string, error) {
	if p != path.Clean(p) || !filepath.IsLocal(filepath.FromSlash(p)) || strings.ContainsRune(p, 0) {
		return nil, "", fmt.Errorf("%w: %q", ErrUnsafePath, p)
	}
	if r, rest := d.enclosure(p); r != nil {
		return r, rest, nil
	}
	link, rest := followed(p)
	if rest == "" {
		return d.root, p, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.links[link]; r != nil {
		return r, rest, nil
	}
	info, err := d.root.Lstat(link)
	if err != nil || info.Mode().Type() != fs.ModeSymlink {
		return d.root, p, nil // a plain directory, or the caller's own "does not exist"
	}
	to, err := d.root.Readlink(link)
	if err != nil {
		return nil, "", err
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(d.Join(link)), to)
	}
	r, err := openRoot(to)
	if err != nil {
		return nil, "", fmt.Errorf("could not open directory %q, where %q leads: %w", to, d.Join(link), Reason(err))
	}
	d.links[link] = r
	return r, rest, nil
}

// ResolveDir is Resolve for a path that should be a directory: if it is a followed
// link, it returns the directory that the link leads to, and not the link itself.
func (d *Dir) ResolveDir(p string) (*os.Root, string, error) {
	if !IsLinkPoint(p) && !d.encloses(p) {
		return d.Resolve(p)
	}
	root, inside, err := d.Resolve(p + "/x")
	return root, path.Dir(inside), err
}

// MapTablespace lets the paths below a tablespace's link lead to a directory before the
// link exists.
func (d *Dir) MapTablespace(link, to string) error {
	if !IsLinkPoint(link) {
		return fmt.Errorf("%w: %q is not the path of a tablespace's link", ErrUnsafePath, link)
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(d.Join(link)), to)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.links[link] != nil {
		return nil
	}
	r, err := openRoot(to)
	if err != nil {
		return fmt.Errorf("could not open directory %q, where %q will lead: %w", to, d.Join(link), Reason(err))
	}
	d.links[link] = r
	return nil
}

// Forget discards what is known of a link or an enclosed directory that will change.
func (d *Dir) Forget(p string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, roots := range []map[string]*os.Root{d.links, d.enclosed} {
		if r := roots[p]; r != nil {
			r.Close()
			delete(roots, p)
		}
	}
}

// followed splits a path after the component that may be a followed link.
func followed(p string) (link, rest string) {
	first, rest, _ := strings.Cut(p, "/")
	switch first {
	case "pg_wal", "pg_xlog":
		return first, rest
	case pgdata.TablespaceRoot:
		spc, rest, _ := strings.Cut(rest, "/")
		return first + "/" + spc, rest
	}
	return "", ""
}

// IsLinkPoint reports whether a symbolic link at the path is followed.
func IsLinkPoint(p string) bool {
	link, rest := followed(p + "/.")
	return link == p && rest == "."
}

// Open opens a regular file for reading.
func (d *Dir) Open(p string) (*os.File, error) { return d.open(p, "") }

func (d *Dir) open(p, purpose string) (*os.File, error) {
	root, rest, err := d.Resolve(p)
	if err != nil {
		return nil, err
	}
	f, err := OpenRegular(root, rest, os.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("could not open file %q%s: %w", d.Join(p), purpose, Reason(err))
	}
	return f, nil
}

// CountRead records that n bytes were read from a file that Open opened.
func (d *Dir) CountRead(n int) { d.read.Add(int64(n)) }

// BytesRead is how many bytes were read from files, according to CountRead.
func (d *Dir) BytesRead() int64 { return d.read.Load() }

// OpenFile opens an existing file, with the flags of os.OpenFile.
func (d *Dir) OpenFile(p string, flag int) (*os.File, error) {
	root, rest, err := d.Resolve(p)
	if err != nil {
		return nil, err
	}
	return OpenRegular(root, rest, flag&^os.O_CREATE, 0)
}

// LinkPoint reports whether a path is a symbolic link that is followed.
func (d *Dir) LinkPoint(p string) bool {
	if !IsLinkPoint(p) {
		return false
	}
	info, err := d.root.Lstat(p)
	return err == nil && info.Mode().Type() == fs.ModeSymlink
}

// Lstat describes a file without following it.
func (d *Dir) Lstat(p string) (fs.FileInfo, error) {
	root, rest, err := d.Resolve(p)
	if err != nil {
		return nil, err
	}
	return root.Lstat(rest)
}

// maxSmallFile limits what ReadFile reads: control files, timeline histories.
const maxSmallFile = 16 << 20

// ReadFile reads a complete small file.
func (d *Dir) ReadFile(p string) ([]byte, error) {
	f, err := d.open(p, " for reading")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err != nil {
		return nil, fmt.Errorf("could not read file %q: %w", d.Join(p), Reason(err))
	}
	d.CountRead(len(b))
	if len(b) > maxSmallFile {
		return nil, fmt.Errorf("file %q is larger than %d bytes, which it should not be", d.Join(p), maxSmallFile)
	}
	return b, nil
}

// Reason removes the operation and paths that os puts before an error's reason,
// for messages that name the path themselves.
func Reason(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	}
	return err
}
