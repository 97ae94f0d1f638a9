package dirtree

import (
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Tree describes everything below a data directory: for each slash-separated path
// its kind, permissions, size and content.
type Tree map[string]string

// Read reads a data directory. It follows the symbolic links that
// PostgreSQL creates there, those in pg_tblspc and that of the WAL directory; paths
// are as if they were directories. Their destinations do not matter.
func Read(dir string) (Tree, error) {
	tree := Tree{}
	return tree, tree.add(dir, "")
}

func (tree Tree) add(dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path, name := filepath.Join(dir, entry.Name()), prefix+entry.Name()
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		linked := info.Mode()&fs.ModeSymlink != 0 && (prefix == "pg_tblspc/" || name == "pg_wal" || name == "pg_xlog")
		switch {
		case linked || info.IsDir():
			tree[name] = fmt.Sprintf("directory %04o", info.Mode().Perm())
			if linked {
				tree[name] = "link to directory"
			}
			if err := tree.add(path, name+"/"); err != nil {
				return err
			}
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			tree[name] = "link to " + link
		case info.Mode().IsRegular():
			digest, err := digestFile(path)
			if err != nil {
				return err
			}
			tree[name] = fmt.Sprintf("file %04o %d bytes %s", info.Mode().Perm(), info.Size(), digest)
		default:
			tree[name] = info.Mode().Type().String()
		}
	}
	return nil
}

// digestSeed makes digests specific to this process. Nobody stores them.
var digestSeed = maphash.MakeSeed()

func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	buf := buffers.Get().(*[len(zeros)]byte)
	defer buffers.Put(buf)
	var h maphash.Hash
	h.SetSeed(digestSeed)
	for {
		n, err := f.Read(buf[:])
		_, _ = h.Write(buf[:n])
		if err == io.EOF {
			return fmt.Sprintf("%016x", h.Sum64()), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// Diff lists the differences of two trees, sorted by path: "path: content in tree, content in
// other", or "nothing" if one lacks the path.
func (tree Tree) Diff(other Tree) []string {
	var diff []string
	describe := func(tree Tree, path string) string {
		if s, ok := tree[path]; ok {
			return s
		}
		return "nothing"
	}
	all := maps.Clone(tree)
	maps.Copy(all, other)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if a, b := describe(tree, path), describe(other, path); a != b {
			diff = append(diff, fmt.Sprintf("%s: %s, %s", path, a, b))
		}
	}
	return diff
}

// Without removes paths for which skip is true, and everything below them.
func (tree Tree) Without(skip func(path string) bool) Tree {
	kept := Tree{}
	for path, what := range tree {
		drop := false
		for i := range len(path) + 1 {
			if (i == len(path) || path[i] == '/') && skip(path[:i]) {
				drop = true
				break
			}
		}
		if !drop {
			kept[path] = what
		}
	}
	return kept
}

// String lists the tree, for messages.
func (tree Tree) String() string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		fmt.Fprintf(&b, "%s: %s\n", path, tree[path])
	}
	return b.String()
}
