// Package faultdisk lets tests decide what becomes of every single operation on
// a target's disk.
package faultdisk

import (
	"io/fs"

	"github.com/gorewind/gorewind/internal/target"
)

// Op is an operation that is about to be done.
type Op struct {
	Name string // as in target.Disk and target.File, in lower case: "open", "writeat", "rename"
	Path string // relative to the data directory; of a rename, where it leads
	Read bool   // it changes nothing
}

// Wrap calls before ahead of every operation; an error keeps the operation from
// being done, and becomes its own.
func Wrap(d target.Disk, before func(Op) error) target.Disk { return &disk{d, before} }

type disk struct {
	target.Disk
	before func(Op) error
}

func (d *disk) Open(p string, flag int, mode fs.FileMode) (target.File, error) {
	if err := d.before(Op{"open", p, flag == 0}); err != nil {
		return nil, err
	}
	f, err := d.Disk.Open(p, flag, mode)
	if err != nil {
		return nil, err
	}
	return &file{f, p, d}, nil
}

func (d *disk) Lstat(p string) (fs.FileInfo, error) {
	if err := d.before(Op{"lstat", p, true}); err != nil {
		return nil, err
	}
	return d.Disk.Lstat(p)
}

func (d *disk) Readlink(p string) (string, error) {
	if err := d.before(Op{"readlink", p, true}); err != nil {
		return "", err
	}
	return d.Disk.Readlink(p)
}

func (d *disk) ReadDir(p string) ([]fs.DirEntry, error) {
	if err := d.before(Op{"readdir", p, true}); err != nil {
		return nil, err
	}
	return d.Disk.ReadDir(p)
}

func (d *disk) Mkdir(p string, mode fs.FileMode) error {
	if err := d.before(Op{"mkdir", p, false}); err != nil {
		return err
	}
	return d.Disk.Mkdir(p, mode)
}

func (d *disk) Symlink(to, p string) error {
	if err := d.before(Op{"symlink", p, false}); err != nil {
		return err
	}
	return d.Disk.Symlink(to, p)
}

func (d *disk) Chmod(p string, mode fs.FileMode) error {
	if err := d.before(Op{"chmod", p, false}); err != nil {
		return err
	}
	return d.Disk.Chmod(p, mode)
}

func (d *disk) Rename(from, to string) error {
	if err := d.before(Op{"rename", to, false}); err != nil {
		return err
	}
	return d.Disk.Rename(from, to)
}

func (d *disk) Remove(p string) error {
	if err := d.before(Op{"remove", p, false}); err != nil {
		return err
	}
	return d.Disk.Remove(p)
}

func (d *disk) Sync(p string) error {
	if err := d.before(Op{"sync", p, false}); err != nil {
		return err
	}
	return d.Disk.Sync(p)
}

func (d *disk) SyncFS(p string) error {
	if err := d.before(Op{"syncfs", p, false}); err != nil {
		return err
	}
	return d.Disk.SyncFS(p)
}

func (d *disk) CopyRange(dst, src target.File, offset, length int64) error {
	to, from := dst.(*file), src.(*file)
	if err := d.before(Op{"copyrange", to.path, false}); err != nil {
		return err
	}
	return d.Disk.CopyRange(to.File, from.File, offset, length)
}

func (d *disk) Reserve(f target.File, size int64) error {
	own := f.(*file)
	if err := d.before(Op{"reserve", own.path, false}); err != nil {
		return err
	}
	return d.Disk.Reserve(own.File, size)
}

type file struct {
	target.File
	path string
	d    *disk
}

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	if err := f.d.before(Op{"readat", f.path, true}); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, off)
}

func (f *file) WriteAt(b []byte, off int64) (int, error) {
	if err := f.d.before(Op{"writeat", f.path, false}); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, off)
}

func (f *file) Truncate(size int64) error {
	if err := f.d.before(Op{"truncate", f.path, false}); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *file) Sync() error {
	if err := f.d.before(Op{"fsync", f.path, false}); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *file) Close() error {
	if err := f.d.before(Op{"close", f.path, true}); err != nil {
		_ = f.File.Close()
		return err
	}
	return f.File.Close()
}
