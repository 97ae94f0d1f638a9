// Package faultdisk lets tests decide what happens at every single operation on a
// target's disk.
package faultdisk

import (
	"io"
	"io/fs"
	"os"

	"github.com/gorewind/gorewind/internal/apply"
)

// Op is an operation that is about to be done.
type Op struct {
	Name string // as in apply.Disk and apply.File, in lower case: "open", "writeat", "rename"
	Path string // relative to the data directory; of a rename, the new path
	Read bool   // the operation changes nothing
}

// Syncs reports whether the operation only makes durable what others did.
func (op Op) Syncs() bool { return op.Name == "sync" || op.Name == "fsync" || op.Name == "syncfs" }

// Wrap calls before before every operation. If that returns an error, the operation
// is not done and returns the same error.
func Wrap(d apply.Disk, before func(Op) error) apply.Disk {
	return Intercept(d, func(op Op, do func() error) error {
		if err := before(op); err != nil {
			return err
		}
		return do()
	})
}

// Intercept calls around in the place of every operation; do does it.
func Intercept(d apply.Disk, around func(op Op, do func() error) error) apply.Disk {
	return &disk{d, around}
}

type disk struct {
	apply.Disk
	around func(Op, func() error) error
}

func (d *disk) Open(p string, flag int, mode fs.FileMode) (f apply.File, err error) {
	err = d.around(Op{"open", p, flag == os.O_RDONLY}, func() (err error) { f, err = d.Disk.Open(p, flag, mode); return err })
	if err != nil {
		if f != nil {
			_ = f.Close()
		}
		return nil, err
	}
	return &file{f, p, d}, nil
}

func (d *disk) Lstat(p string) (info fs.FileInfo, err error) {
	err = d.around(Op{"lstat", p, true}, func() (err error) { info, err = d.Disk.Lstat(p); return err })
	return info, err
}

func (d *disk) Readlink(p string) (to string, err error) {
	err = d.around(Op{"readlink", p, true}, func() (err error) { to, err = d.Disk.Readlink(p); return err })
	return to, err
}

func (d *disk) ReadDir(p string) (entries []fs.DirEntry, err error) {
	err = d.around(Op{"readdir", p, true}, func() (err error) { entries, err = d.Disk.ReadDir(p); return err })
	return entries, err
}

func (d *disk) Mkdir(p string, mode fs.FileMode) error {
	return d.around(Op{"mkdir", p, false}, func() error { return d.Disk.Mkdir(p, mode) })
}

func (d *disk) Symlink(to, p string) error {
	return d.around(Op{"symlink", p, false}, func() error { return d.Disk.Symlink(to, p) })
}

func (d *disk) Link(from, to string) error {
	return d.around(Op{"link", to, false}, func() error { return d.Disk.Link(from, to) })
}

func (d *disk) Chmod(p string, mode fs.FileMode) error {
	return d.around(Op{"chmod", p, false}, func() error { return d.Disk.Chmod(p, mode) })
}

func (d *disk) Rename(from, to string) error {
	return d.around(Op{"rename", to, false}, func() error { return d.Disk.Rename(from, to) })
}

func (d *disk) Remove(p string) error {
	return d.around(Op{"remove", p, false}, func() error { return d.Disk.Remove(p) })
}

func (d *disk) Sync(p string) error {
	return d.around(Op{"sync", p, false}, func() error { return d.Disk.Sync(p) })
}

func (d *disk) SyncFS(p string) error {
	return d.around(Op{"syncfs", p, false}, func() error { return d.Disk.SyncFS(p) })
}

func (d *disk) MakeOutside(dir string, mode fs.FileMode) error {
	return d.around(Op{"mkdir", dir, false}, func() error { return d.Disk.MakeOutside(dir, mode) })
}

func (d *disk) RemoveOutside(dir string) error {
	return d.around(Op{"remove", dir, false}, func() error { return d.Disk.RemoveOutside(dir) })
}

func (d *disk) SyncOutside(dir string) error {
	return d.around(Op{"sync", dir, false}, func() error { return d.Disk.SyncOutside(dir) })
}

func (d *disk) CopyRange(dst apply.File, to int64, src io.ReaderAt, at, length int64) (n int64, err error) {
	out := dst.(*file)
	if own, ok := src.(*file); ok {
		src = own.File
	}
	err = d.around(Op{"copyrange", out.path, false}, func() (err error) {
		n, err = d.Disk.CopyRange(out.File, to, src, at, length)
		return err
	})
	return n, err
}

func (d *disk) Allocate(f apply.File, size int64) { d.Disk.Allocate(f.(*file).File, size) }

func (d *disk) Flush(f apply.File) { d.Disk.Flush(f.(*file).File) }

func (d *disk) Reserve(f apply.File, size int64) error {
	own := f.(*file)
	return d.around(Op{"reserve", own.path, false}, func() error { return d.Disk.Reserve(own.File, size) })
}

type file struct {
	apply.File
	path string
	d    *disk
}

func (f *file) ReadAt(b []byte, off int64) (n int, err error) {
	err = f.d.around(Op{"readat", f.path, true}, func() (err error) { n, err = f.File.ReadAt(b, off); return err })
	return n, err
}

func (f *file) WriteAt(b []byte, off int64) (n int, err error) {
	err = f.d.around(Op{"writeat", f.path, false}, func() (err error) { n, err = f.File.WriteAt(b, off); return err })
	return n, err
}

func (f *file) Truncate(size int64) error {
	return f.d.around(Op{"truncate", f.path, false}, func() error { return f.File.Truncate(size) })
}

func (f *file) Sync() error { return f.d.around(Op{"fsync", f.path, false}, f.File.Sync) }

// Close always closes the file.
func (f *file) Close() error {
	closed := false
	err := f.d.around(Op{"close", f.path, true}, func() error { closed = true; return f.File.Close() })
	if !closed {
		_ = f.File.Close()
	}
	return err
}
