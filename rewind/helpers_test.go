package rewind_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
)

// treeOf describes a directory, including files that nobody may read.
func treeOf(t *testing.T, dir string) dirtree.Tree {
	t.Helper()
	type locked struct {
		name string
		mode fs.FileMode
	}
	var all []locked
	defer func() {
		for i := len(all) - 1; i >= 0; i-- {
			require.NoError(t, os.Chmod(all[i].name, all[i].mode))
		}
	}()
	for retry := true; retry; {
		retry = false
		_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if info, serr := os.Lstat(name); serr == nil && info.Mode().Perm()&0o400 == 0 {
				all, retry = append(all, locked{name, info.Mode()}), true
				require.NoError(t, os.Chmod(name, info.Mode()|0o700))
			}
			return nil
		})
	}
	tree, err := dirtree.Read(dir)
	require.NoError(t, err)
	return tree
}
