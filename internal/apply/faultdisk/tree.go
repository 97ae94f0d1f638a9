package faultdisk

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Node is a file, directory or symbolic link, held in memory. Data is never
// changed, only replaced.
type Node struct {
	Mode    fs.FileMode
	Data    []byte // of a file
	Link    string
	Entries map[string]*Node // of a directory
	ModTime time.Time        // of a file; Diff ignores it
}

// buffers are for reading files: most are the same as before, so their data is not
// kept.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Load reads a tree from disk. It follows no links. Data that is also in one of the
// known trees is shared with it.
func Load(name string, known ...*Node) (*Node, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	n := &Node{Mode: info.Mode()}
	switch n.Mode.Type() {
	case 0:
		n.ModTime = info.ModTime()
		n.Data, err = load(name, known)
	case fs.ModeSymlink:
		n.Link, err = os.Readlink(name)
	case fs.ModeDir:
		var entries []fs.DirEntry
		if entries, err = os.ReadDir(name); err != nil {
			return nil, err
		}
		n.Entries = map[string]*Node{}
		for _, e := range entries {
			there := make([]*Node, 0, len(known))
			for _, k := range known {
				if entry := k.entry(e.Name()); entry != nil {
					there = append(there, entry)
				}
			}
			if n.Entries[e.Name()], err = Load(filepath.Join(name, e.Name()), there...); err != nil {
				return nil, err
			}
		}
	default:
		err = fmt.Errorf("%q is neither a file nor a directory nor a link", name)
	}
	return n, err
}

func (n *Node) entry(base string) *Node {
	if n == nil {
		return nil
	}
	return n.Entries[base]
}

func load(name string, known []*Node) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	if _, err := buf.ReadFrom(f); err != nil {
		return nil, err
	}
	for _, k := range known {
		if k != nil && bytes.Equal(k.Data, buf.Bytes()) {
			return k.Data, nil
		}
	}
	return bytes.Clone(buf.Bytes()), nil
}

// Store makes a directory on disk equal to the tree.
func (n *Node) Store(name string) error {
	now, err := Load(name, n)
	if err != nil {
		return err
	}
	return n.update(name, now)
}

// update writes what differs from now.
func (n *Node) update(name string, now *Node) error {
	if !n.like(now) || !bytes.Equal(n.Data, now.Data) {
		return errors.Join(os.RemoveAll(name), n.write(name))
	}
	if n.Mode.IsRegular() && !n.ModTime.Equal(now.ModTime) {
		return os.Chtimes(name, n.ModTime, n.ModTime)
	}
	for base := range now.Entries {
		if n.Entries[base] == nil {
			if err := os.RemoveAll(filepath.Join(name, base)); err != nil {
				return err
			}
		}
	}
	for base, e := range n.Entries {
		if err := e.update(filepath.Join(name, base), now.Entries[base]); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) write(name string) error {
	switch n.Mode.Type() {
	case fs.ModeSymlink:
		return os.Symlink(n.Link, name)
	case fs.ModeDir:
		err := os.Mkdir(name, 0o700)
		for base, e := range n.Entries {
			err = errors.Join(err, e.write(filepath.Join(name, base)))
		}
		return errors.Join(err, os.Chmod(name, n.Mode.Perm()))
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = f.Truncate(int64(len(n.Data)))
	const chunk = 64 << 10
	var zeros [chunk]byte
	for at := 0; at < len(n.Data) && err == nil; at += chunk { // most of a WAL segment is zeros
		if part := n.Data[at:min(at+chunk, len(n.Data))]; !bytes.Equal(part, zeros[:len(part)]) {
			_, err = f.WriteAt(part, int64(at))
		}
	}
	return errors.Join(err, f.Chmod(n.Mode.Perm()), f.Close(), os.Chtimes(name, n.ModTime, n.ModTime))
}

// Find returns the node at a path below this one, or nil.
func (n *Node) Find(p string) *Node {
	for p != "" && p != "." && n != nil {
		var first string
		first, p = cut(p)
		n = n.Entries[first]
	}
	return n
}

func cut(p string) (first, rest string) {
	for i := range len(p) {
		if p[i] == '/' {
			return p[:i], p[i+1:]
		}
	}
	return p, ""
}

// Diff lists the paths at which two trees differ, with what each has there. It
// leaves out the paths for which skip returns true, and everything below them.
func Diff(a, b *Node, skip func(p string) bool) []string {
	var diff []string
	compare(".", a, b, func(p string, a, b *Node) bool {
		if skip != nil && skip(p) {
			return false
		}
		if !a.like(b) {
			diff = append(diff, fmt.Sprintf("%q: %s, %s", p, a.describe(), b.describe()))
		} else if a != nil && !bytes.Equal(a.Data, b.Data) {
			diff = append(diff, fmt.Sprintf("%q: the contents differ", p))
		}
		return true
	})
	return diff
}

func compare(p string, a, b *Node, visit func(p string, a, b *Node) bool) {
	if !visit(p, a, b) {
		return
	}
	names := map[string]bool{}
	for _, n := range []*Node{a, b} {
		if n != nil {
			for name := range n.Entries {
				names[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		compare(path.Join(p, name), a.Find(name), b.Find(name), visit)
	}
}

// like reports whether two nodes have the same description.
func (n *Node) like(other *Node) bool {
	if n == nil || other == nil {
		return n == other
	}
	return n.Mode == other.Mode && len(n.Data) == len(other.Data) && n.Link == other.Link
}

func (n *Node) describe() string {
	if n == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s %d bytes %q", n.Mode, len(n.Data), n.Link)
}
