package faultdisk

import (
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorewind/gorewind/internal/apply"
)

// PowerCut is a disk that loses data. It records every change and which changes
// were made durable, and computes what a strict file system may contain after a
// power cut. Of what was not fsynced, each change may be there or not:
//   - writes to a file, also those before other ones that survived,
//   - the entries of a directory, each name on its own; the changes of one name
//     survive in their order.
//
// It assumes that a file that was moved to another directory is in exactly one of
// the two, and that a surviving entry does not bring back lost file contents. Modes
// are always kept.
type PowerCut struct {
	mu      sync.Mutex
	dir     string // the data directory, in root
	links   map[string]string
	root    *inode
	inodes  []*inode
	changes []*change
}

type inode struct {
	node    *Node             // as it was at the beginning, or when it was made
	first   map[string]*inode // its entries at that time
	entries map[string]*inode // its entries now

	data     []byte            // what survives
	survives map[string]*inode // the same for a directory
}

// change is a change of a file's content or of directory entries.
type change struct {
	file *inode
	at   int64
	data []byte // written there; nil: the file is truncated there

	entries []entry
	durable bool
}

type entry struct {
	dir  *inode
	name string
	to   *inode // nil: the entry is removed
}

type slot struct {
	dir  *inode
	name string
}

// NewPowerCut begins with a tree that is entirely on disk. dir is the data
// directory's path in the tree, and links maps links in the data directory to paths
// in the tree.
func NewPowerCut(root *Node, dir string, links map[string]string) *PowerCut {
	c := &PowerCut{dir: dir, links: links}
	c.root = c.load(root)
	return c
}

func (c *PowerCut) load(n *Node) *inode {
	i := c.newInode(n)
	for name, e := range n.Entries {
		i.entries[name] = c.load(e)
	}
	i.first = maps.Clone(i.entries)
	return i
}

func (c *PowerCut) newInode(n *Node) *inode {
	made := n.ModTime
	if made.IsZero() { // unique, and kept when the file is renamed
		made = time.Unix(1_000_000_000, int64(len(c.inodes))*1000)
	}
	i := &inode{node: &Node{Mode: n.Mode, Data: n.Data, Link: n.Link, ModTime: made}, entries: map[string]*inode{}, first: map[string]*inode{}}
	c.inodes = append(c.inodes, i)
	return i
}

// Disk records what is done to a disk.
func (c *PowerCut) Disk(d apply.Disk) apply.Disk { return &noting{d, c} }

// locate finds a path of the data directory: the directory, and the name in it.
// With follow, it finds what a link leads to instead of the link.
func (c *PowerCut) locate(p string, follow bool) (dir *inode, name string) {
	for link, to := range c.links {
		if p == link && follow {
			return c.walk(to)
		}
		if rest, ok := strings.CutPrefix(p, link+"/"); ok {
			return c.walk(path.Join(to, rest))
		}
	}
	return c.walk(path.Join(c.dir, p))
}

func (c *PowerCut) walk(p string) (dir *inode, name string) {
	dir = c.root
	for _, part := range strings.Split(path.Dir(p), "/") {
		if part != "." && dir != nil {
			dir = dir.entries[part]
		}
	}
	return dir, path.Base(p)
}

func (c *PowerCut) find(p string, follow bool) *inode {
	dir, name := c.locate(p, follow)
	if dir == nil {
		return nil
	}
	return dir.entries[name]
}

func (c *PowerCut) change(changes ...entry) {
	for _, e := range changes {
		if e.to == nil {
			delete(e.dir.entries, e.name)
		} else {
			e.dir.entries[e.name] = e.to
		}
	}
	c.changes = append(c.changes, &change{entries: changes})
}

// make records a new file, directory or link.
func (c *PowerCut) make(p string, n *Node) *inode {
	dir, name := c.locate(p, false)
	i := c.newInode(n)
	c.change(entry{dir, name, i})
	return i
}

// sync makes the changes to a file or a directory durable.
func (c *PowerCut) sync(i *inode) {
	for _, ch := range c.changes {
		ch.durable = ch.durable || ch.file == i || slices.ContainsFunc(ch.entries, func(e entry) bool { return e.dir == i })
	}
}

// Worst is what is left if everything is lost that may be lost.
func (c *PowerCut) Worst() *Node { return c.afterCut(func() bool { return false }) }

// Random is what is left if each change survives at random.
func (c *PowerCut) Random(r *rand.Rand) *Node {
	kept := r.Float64()
	return c.afterCut(func() bool { return r.Float64() < kept })
}

func (c *PowerCut) afterCut(keep func() bool) *Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range c.inodes {
		i.data = i.node.Data
		i.survives = maps.Clone(i.first)
	}
	lost := map[slot]bool{}
	for _, ch := range c.changes {
		kept := ch.durable
		if !kept {
			kept = keep()
			for _, e := range ch.entries {
				kept = kept && !lost[slot{e.dir, e.name}]
			}
		}
		for _, e := range ch.entries {
			lost[slot{e.dir, e.name}] = !kept
		}
		if kept {
			ch.apply()
		}
	}
	return c.root.snapshot()
}

func (ch *change) apply() {
	switch f := ch.file; {
	case f == nil:
		for _, e := range ch.entries {
			if e.to == nil {
				delete(e.dir.survives, e.name)
			} else {
				e.dir.survives[e.name] = e.to
			}
		}
	case ch.data == nil:
		f.data = resize(f.data, int(ch.at))
	default:
		f.data = resize(f.data, max(len(f.data), int(ch.at)+len(ch.data)))
		copy(f.data[ch.at:], ch.data)
	}
}

// resize returns a copy of b with another size.
func resize(b []byte, size int) []byte {
	n := make([]byte, size)
	copy(n, b)
	return n
}

func (i *inode) snapshot() *Node {
	n := &Node{Mode: i.node.Mode, Data: i.data, Link: i.node.Link, ModTime: i.node.ModTime}
	if n.Mode.IsDir() {
		n.Entries = map[string]*Node{}
		for name, e := range i.survives {
			n.Entries[name] = e.snapshot()
		}
	}
	return n
}

// noting records operations after they were done.
type noting struct {
	apply.Disk
	c *PowerCut
}

func (d *noting) note(err error, note func()) error {
	if err == nil {
		note()
	}
	return err
}

func (d *noting) Open(p string, flag int, mode fs.FileMode) (apply.File, error) {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	f, err := d.Disk.Open(p, flag, mode)
	if err != nil {
		return nil, err
	}
	i := d.c.find(p, false)
	if i == nil {
		i = d.c.make(p, &Node{Mode: mode})
	} else if flag&os.O_TRUNC != 0 {
		d.c.changes = append(d.c.changes, &change{file: i})
	}
	return &notingFile{f, i, d.c}, nil
}

// Lstat reports of files what it would report of them in a stored tree.
func (d *noting) Lstat(p string) (fs.FileInfo, error) {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	info, err := d.Disk.Lstat(p)
	if err != nil {
		return nil, err
	}
	if i := d.c.find(p, false); i != nil {
		return notedInfo{info, i.node.ModTime}, nil
	}
	return info, nil
}

type notedInfo struct {
	fs.FileInfo
	made time.Time
}

func (i notedInfo) ModTime() time.Time { return i.made }
func (notedInfo) Sys() any             { return nil }

func (d *noting) Mkdir(p string, mode fs.FileMode) error {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.note(d.Disk.Mkdir(p, mode), func() { d.c.make(p, &Node{Mode: mode | fs.ModeDir}) })
}

func (d *noting) Symlink(to, p string) error {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.note(d.Disk.Symlink(to, p), func() { d.c.make(p, &Node{Mode: fs.ModeSymlink | 0o777, Link: to}) })
}

func (d *noting) Chmod(p string, mode fs.FileMode) error {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.note(d.Disk.Chmod(p, mode), func() {
		n := d.c.find(p, false).node
		n.Mode = n.Mode.Type() | mode
	})
}

func (d *noting) Link(from, to string) error {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.note(d.Disk.Link(from, to), func() {
		dir, name := d.c.locate(to, false)
		d.c.change(entry{dir, name, d.c.find(from, false)})
	})
}

func (d *noting) Rename(from, to string) error {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.note(d.Disk.Rename(from, to), func() {
		old, oldName := d.c.locate(from, false)
		dir, name := d.c.locate(to, false)
		d.c.change(entry{old, oldName, nil}, entry{dir, name, old.entries[oldName]})
	})
}

func (d *noting) Remove(p string) error {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.note(d.Disk.Remove(p), func() {
		dir, name := d.c.locate(p, false)
		d.c.change(entry{dir, name, nil})
	})
}

// Sync does nothing to the real disk.
func (d *noting) Sync(p string) error {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	i := d.c.find(p, true)
	if i == nil {
		return &fs.PathError{Op: "sync", Path: p, Err: fs.ErrNotExist}
	}
	d.c.sync(i)
	return nil
}

// SyncFS treats the whole tree as one file system.
func (d *noting) SyncFS(string) error {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	for _, ch := range d.c.changes {
		ch.durable = true
	}
	return nil
}

// CopyRange is a write like any other.
func (d *noting) CopyRange(dst apply.File, to int64, src io.ReaderAt, at, length int64) (int64, error) {
	return io.Copy(io.NewOffsetWriter(dst, to), io.NewSectionReader(src, at, length))
}

// Allocate and Flush promise nothing.
func (d *noting) Allocate(apply.File, int64) {}

// Flush does nothing.
func (d *noting) Flush(apply.File) {}

func (d *noting) Reserve(f apply.File, size int64) error {
	return d.Disk.Reserve(f.(*notingFile).File, size)
}

type notingFile struct {
	apply.File
	i *inode
	c *PowerCut
}

func (f *notingFile) WriteAt(b []byte, off int64) (int, error) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	n, err := f.File.WriteAt(b, off)
	if n > 0 {
		f.c.changes = append(f.c.changes, &change{file: f.i, at: off, data: slices.Clone(b[:n])})
	}
	return n, err
}

func (f *notingFile) Truncate(size int64) error {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	err := f.File.Truncate(size)
	if err == nil {
		f.c.changes = append(f.c.changes, &change{file: f.i, at: size})
	}
	return err
}

// Sync does nothing to the real disk.
func (f *notingFile) Sync() error {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.c.sync(f.i)
	return nil
}
