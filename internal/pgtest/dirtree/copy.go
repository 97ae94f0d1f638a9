package dirtree

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Copy copies a directory with its modes and symbolic links. Blocks of
// zeros become holes.
func Copy(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch {
		case info.IsDir():
			if err := os.Mkdir(target, 0o700); err != nil {
				return err
			}
			return os.Chmod(target, info.Mode().Perm())
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case info.Mode().IsRegular():
			return CopyFile(path, target, info)
		}
		return nil // a socket
	})
}

var zeros [64 << 10]byte

// buffers are as large as zeros, and reused: new memory is expensive when thousands
// of files are read.
var buffers = sync.Pool{New: func() any { return new([len(zeros)]byte) }}

// CopyFile copies one file, with its mode.
func CopyFile(from, to string, info fs.FileInfo) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	mode := info.Mode().Perm()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	pooled := buffers.Get().(*[len(zeros)]byte)
	defer buffers.Put(pooled)
	if err := copyData(out, in, info.Size(), pooled[:]); err != nil {
		return err
	}
	if mode&0o077 == 0 { // no umask changes this
		return nil
	}
	return out.Chmod(mode)
}

// copyData makes as few system calls as possible: most files of a cluster fit
// into the buffer, and most of the cost of a copy is a thousand of them.
func copyData(out, in *os.File, size int64, buf []byte) error {
	if size <= int64(len(buf)) {
		n, err := io.ReadFull(in, buf[:size])
		if err != nil {
			return err
		}
		if bytes.Equal(buf[:n], zeros[:n]) {
			return out.Truncate(size)
		}
		_, err = out.Write(buf[:n])
		return err
	}
	for at := int64(0); ; {
		var err error
		if at, err = nextData(in, at); err != nil {
			return err
		}
		n, err := in.ReadAt(buf, at)
		if n > 0 && !bytes.Equal(buf[:n], zeros[:n]) {
			if _, err := out.WriteAt(buf[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return out.Truncate(at)
		}
		if err != nil {
			return err
		}
	}
}
