package apply

import (
	"cmp"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/regular"
)

// Disk is every operation on the files of a target. Paths are relative to the data
// directory. It is an interface so that a test can make the k-th operation fail,
// end the process at it, or lose what was not fsynced before it.
type Disk interface {
	Open(p string, flag int, mode fs.FileMode) (File, error)
	Lstat(p string) (fs.FileInfo, error)
	Readlink(p string) (string, error)
	ReadDir(p string) ([]fs.DirEntry, error)
	Mkdir(p string, mode fs.FileMode) error
	Symlink(to, p string) error
	// Link gives a file another name, which must not exist.
	Link(from, to string) error
	Chmod(p string, mode fs.FileMode) error
	// CopyAttributes gives a file another file's owner, group and extended attributes,
	// as far as the system allows.
	CopyAttributes(from, to string) (lost []Loss, err error)
	// Rename moves a file over another one. Between two file systems it fails
	// with EXDEV.
	Rename(from, to string) error
	Remove(p string) error
	// Sync fsyncs a file or a directory. It follows links to tablespaces and to the
	// WAL directory.
	Sync(p string) error
	// SyncFS makes everything on the file system of a directory durable.
	SyncFS(p string) error
	// CopyRange copies a part of src, from offset at, to dst, at offset to: within the
	// kernel or by sharing blocks if possible. It returns the number of bytes, 0 if
	// src ends before. src is a File or any other file.
	CopyRange(dst File, to int64, src io.ReaderAt, at, length int64) (int64, error)
	// Allocate lets the system allocate disk space for an open, empty file that will
	// have this size, if it can.
	Allocate(f File, size int64)
	// Flush lets the system begin to write a file's cached data to disk. It does not
	// wait and promises nothing: that is what Sync is for.
	Flush(f File)
	// Reserve allocates disk space for an open, empty file.
	Reserve(f File, size int64) error
	// MakeOutside makes a directory, RemoveOutside removes one if it is empty, and
	// SyncOutside fsyncs it. They take absolute paths: they are for directories of new
	// tablespaces, to which no path of the target leads yet.
	MakeOutside(dir string, mode fs.FileMode) error
	RemoveOutside(dir string) error
	SyncOutside(dir string) error
	// Free returns how many bytes can be written on the file system of a directory,
	// and which file system that is. ok is false if that cannot be found out.
	Free(p string) (bytes int64, device uint64, ok bool)
}

// File is an open file of a target.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// osDisk is the real disk.
type osDisk struct{ dir *datadir.Dir }

func (d osDisk) Open(p string, flag int, mode fs.FileMode) (File, error) {
	root, rest, err := d.dir.Resolve(p)
	if err != nil {
		return nil, err
	}
	f, err := datadir.OpenRegular(root, rest, flag, mode)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d osDisk) Lstat(p string) (fs.FileInfo, error) {
	root, rest, err := d.dir.Resolve(p)
	if err != nil {
		return nil, err
	}
	return root.Lstat(rest)
}

func (d osDisk) Readlink(p string) (string, error) {
	root, rest, err := d.dir.Resolve(p)
	if err != nil {
		return "", err
	}
	return root.Readlink(rest)
}

func (d osDisk) ReadDir(p string) ([]fs.DirEntry, error) {
	root, rest, err := d.dir.ResolveDir(p)
	if err != nil {
		return nil, err
	}
	f, err := datadir.OpenDirectory(root, rest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

func (d osDisk) Mkdir(p string, mode fs.FileMode) error {
	root, rest, err := d.dir.Resolve(p)
	if err != nil {
		return err
	}
	return root.Mkdir(rest, mode)
}

func (d osDisk) Symlink(to, p string) error {
	root, rest, err := d.dir.Resolve(p)
	if err != nil {
		return err
	}
	if err := root.Symlink(to, rest); err != nil {
		return err
	}
	d.dir.Forget(p)
	return nil
}

func (d osDisk) Link(from, to string) error {
	return d.between(from, to, (*os.Root).Link, linkBetween)
}

// between does an operation on two paths, which may be below different roots.
func (d osDisk) between(from, to string, within func(*os.Root, string, string) error, across func(*os.Root, string, *os.Root, string) error) error {
	root, a, err := d.dir.Resolve(from)
	if err != nil {
		return err
	}
	other, b, err := d.dir.Resolve(to)
	if err != nil {
		return err
	}
	if other == root {
		return within(root, a, b)
	}
	return across(root, a, other, b)
}

func (d osDisk) Chmod(p string, mode fs.FileMode) error {
	root, rest, err := d.dir.Resolve(p)
	if err != nil {
		return err
	}
	return root.Chmod(rest, mode)
}

func (d osDisk) CopyAttributes(from, to string) ([]Loss, error) {
	src, err := d.openFile(from, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	dst, err := d.openFile(to, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	defer dst.Close()
	return copyAttributes(dst, src), nil
}

func (d osDisk) openFile(p string, flag int) (*os.File, error) {
	root, rest, err := d.dir.Resolve(p)
	if err != nil {
		return nil, err
	}
	return datadir.OpenRegular(root, rest, flag, 0)
}

func (d osDisk) Rename(from, to string) error {
	return d.between(from, to, (*os.Root).Rename, renameBetween)
}

func (d osDisk) Remove(p string) error {
	root, rest, err := d.dir.Resolve(p)
	if err != nil {
		return err
	}
	if err := root.Remove(rest); err != nil {
		return err
	}
	d.dir.Forget(p)
	return nil
}

func (d osDisk) Sync(p string) error {
	root, rest, err := d.dir.ResolveDir(p) // for files it is the same
	if err != nil {
		return err
	}
	return syncPath(root, rest)
}

func (d osDisk) SyncFS(p string) error {
	root, rest, err := d.dir.ResolveDir(p)
	if err != nil {
		return err
	}
	f, err := root.OpenFile(rest, os.O_RDONLY|regular.NoWaiting, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return syncFS(f)
}

func (d osDisk) CopyRange(dst File, to int64, src io.ReaderAt, at, length int64) (int64, error) {
	return copyRange(dst, to, src, at, length)
}

func (d osDisk) Allocate(f File, size int64) { allocate(f, size) }

func (d osDisk) Flush(f File) { flush(f) }

func (d osDisk) Reserve(f File, size int64) error { return reserve(f, size) }

func (osDisk) MakeOutside(dir string, mode fs.FileMode) error {
	err := os.Mkdir(dir, mode)
	if err == nil {
		_ = os.Chmod(dir, mode) // restores what the umask took away, if possible
	}
	return err
}

func (osDisk) RemoveOutside(dir string) error {
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return cmp.Or(err, fs.ErrNotExist)
	}
	return os.Remove(dir)
}

func (osDisk) SyncOutside(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return syncPath(root, ".")
}

func (d osDisk) Free(p string) (int64, uint64, bool) {
	root, rest, err := d.dir.ResolveDir(p)
	if err != nil {
		return 0, 0, false
	}
	return free(filepath.Join(root.Name(), filepath.FromSlash(rest)))
}

// copyBuffer is how much copyThrough reads at once, in bytes.
const copyBuffer = 256 << 10

// copyThrough copies a range if the system has no call for it.
func copyThrough(dst File, to int64, src io.ReaderAt, at, length int64) (int64, error) {
	buf := make([]byte, min(length, copyBuffer))
	return io.CopyBuffer(io.NewOffsetWriter(dst, to), io.NewSectionReader(src, at, length), buf)
}

// writeZeros reserves space if the system has no call for it.
func writeZeros(f File, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// tempBeside returns a name in the same directory that only gorewind uses.
func tempBeside(p string) string { return path.Join(path.Dir(p), namePrefix+"."+path.Base(p)) }
