package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
)

// replica is a copy of a target that contestants rewind, one after the other.
// In between only changed files are copied again: of many thousand files
// a rewind changes few, and creating all of them takes longer than a rewind.
type replica struct {
	*cluster.Cluster
	origin string
	clean  map[string]fs.FileInfo // files that equal the origin's, by path
	size   int64                  // total size of the origin's files
}

func newReplica(t *scope, target *cluster.Cluster) *replica {
	r := &replica{Cluster: target.CloneStopped(t), origin: target.Dir, clean: map[string]fs.FileInfo{}}
	t.must(filepath.WalkDir(r.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if r.clean[path], err = entry.Info(); err == nil {
				r.size += r.clean[path].Size()
			}
		}
		return err
	}))
	return r
}

// restore makes the replica equal to its origin again.
func (r *replica) restore() error {
	err := filepath.WalkDir(r.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if r.inOrigin(path) {
				return nil
			}
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			return fs.SkipDir
		}
		now, err := entry.Info()
		if err != nil {
			return err
		}
		if was := r.clean[path]; was != nil && os.SameFile(was, now) && was.ModTime().Equal(now.ModTime()) && was.Size() == now.Size() {
			return nil
		}
		delete(r.clean, path)
		return os.Remove(path)
	})
	if err != nil {
		return err
	}
	return filepath.WalkDir(r.origin, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(r.origin, path)
		if err != nil {
			return err
		}
		to := filepath.Join(r.Dir, rel)
		if entry.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		if _, err := os.Lstat(to); err == nil {
			return nil // the remaining files are clean
		}
		if err := copyFile(path, to); err != nil {
			return err
		}
		r.clean[to], err = os.Lstat(to)
		return err
	})
}

func (r *replica) inOrigin(path string) bool {
	rel, err := filepath.Rel(r.Dir, path)
	if err != nil {
		return false
	}
	_, err = os.Lstat(filepath.Join(r.origin, rel))
	return err == nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = out.ReadFrom(in)
	return err
}
