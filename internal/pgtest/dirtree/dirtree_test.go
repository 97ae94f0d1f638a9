package dirtree

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTreesOfDataDirectories(t *testing.T) {
	build := func(t *testing.T, conf string) string {
		t.Helper()
		dir, outside := t.TempDir(), t.TempDir()
		for _, d := range []string{"base/1", "pg_tblspc"} {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, d), 0o700))
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "base/1/1259"), make([]byte, 200_000), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "postgresql.conf"), []byte(conf), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(outside, "PG_VERSION"), []byte("17\n"), 0o600))
		require.NoError(t, os.Symlink(outside, filepath.Join(dir, "pg_tblspc/16400")))
		require.NoError(t, os.Symlink("postgresql.conf", filepath.Join(dir, "link")))
		return dir
	}
	tree := func(t *testing.T, dir string) Tree {
		t.Helper()
		tree, err := Read(dir)
		require.NoError(t, err)
		return tree
	}
	a := build(t, "port = 1")

	t.Run("equal content in other places has no difference", func(t *testing.T) {
		assert.Empty(t, tree(t, a).Diff(tree(t, build(t, "port = 1"))))
	})
	t.Run("files behind tablespace links are included and other links are not followed", func(t *testing.T) {
		got := tree(t, a)
		assert.Contains(t, got, "pg_tblspc/16400/PG_VERSION")
		assert.Equal(t, "link to postgresql.conf", got["link"])
	})
	t.Run("content, permissions, presence and absence are told by path", func(t *testing.T) {
		b := build(t, "port = 2")
		require.NoError(t, os.Chmod(filepath.Join(b, "base"), 0o750))
		require.NoError(t, os.Remove(filepath.Join(b, "base/1/1259")))
		require.NoError(t, os.WriteFile(filepath.Join(b, "new"), nil, 0o600))
		diff := tree(t, a).Diff(tree(t, b))
		require.Len(t, diff, 4)
		assert.Equal(t, "base: directory 0700, directory 0750", diff[0])
		assert.Regexp(t, `^base/1/1259: file 0600 200000 bytes \w+, nothing$`, diff[1])
		assert.Regexp(t, `^new: nothing, file 0600 0 bytes`, diff[2])
		assert.Regexp(t, `^postgresql.conf: file`, diff[3])
	})
	t.Run("what is left out is left out with all below", func(t *testing.T) {
		got := tree(t, a).Without(func(path string) bool { return path == "base" || path == "pg_tblspc/16400" })
		assert.Len(t, got, 3)
		assert.NotContains(t, got, "base/1/1259")
	})
	t.Run("a copy is equal, with zeros at its end and links kept", func(t *testing.T) {
		copied := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, Copy(a, copied))
		assert.Empty(t, tree(t, a).Diff(tree(t, copied)))
	})
}
