package faultdisk_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/pgdata"
)

// TestPowerCut does a few operations on a disk and checks what is left.
func TestPowerCut(t *testing.T) {
	write := func(d apply.Disk, p string, flag int, sync bool) {
		f, err := d.Open(p, os.O_WRONLY|flag, 0o600)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte("new"), 0)
		require.NoError(t, err)
		if sync {
			require.NoError(t, f.Sync())
		}
		require.NoError(t, f.Close())
	}
	for _, c := range []struct {
		name string
		do   func(d apply.Disk) error
		path string
		left string // the content in the worst case; "" if the file is missing
		luck string // the content in the best case
	}{
		{"a write", func(d apply.Disk) error { write(d, "a", 0, false); return nil }, "a", "old", "new"},
		{"a write that was synced", func(d apply.Disk) error { write(d, "a", 0, true); return nil }, "a", "new", "new"},
		{"a new file whose content was synced, but not its directory", func(d apply.Disk) error { write(d, "n", os.O_CREATE, true); return nil }, "n", "", "new"},
		{"a new file", func(d apply.Disk) error { write(d, "n", os.O_CREATE, true); return d.Sync(".") }, "n", "new", "new"},
		{"a removed file", func(d apply.Disk) error { return d.Remove("a") }, "a", "old", ""},
		{"a removed file in a directory that was synced", func(d apply.Disk) error {
			require.NoError(t, d.Remove("a"))
			return d.Sync(".")
		}, "a", "", ""},
		{"a file that was moved from a directory that was synced", func(d apply.Disk) error {
			require.NoError(t, d.Rename("a", "dir/a"))
			return d.Sync(".")
		}, "dir/a", "old", "old"},
		{"a file that was moved", func(d apply.Disk) error { return d.Rename("a", "dir/a") }, "dir/a", "", "old"},
		{"a file in a directory that was not synced", func(d apply.Disk) error {
			require.NoError(t, d.Mkdir("dir/deep", 0o700))
			write(d, "dir/deep/n", os.O_CREATE, true)
			return d.Sync("dir/deep")
		}, "dir/deep/n", "", "new"},
		{"everything on the file system", func(d apply.Disk) error { write(d, "n", os.O_CREATE, false); return d.SyncFS(".") }, "n", "new", "new"},
	} {
		root := t.TempDir()
		dir := filepath.Join(root, "target")
		for p, text := range map[string]string{"a": "old", "dir/x": "", pgdata.VersionPath: "17\n", pgdata.ControlFilePath: ""} {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, p)), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, p), []byte(text), 0o600))
		}
		before, err := faultdisk.Load(root)
		require.NoError(t, err)
		cut := faultdisk.NewPowerCut(before, "target", nil)
		var disk apply.Disk
		opened, err := apply.Open(dir, func(d apply.Disk) apply.Disk { disk = cut.Disk(d); return disk })
		require.NoError(t, err)
		require.NoError(t, c.do(disk), c.name)
		require.NoError(t, opened.Close())

		content := func(n *faultdisk.Node) string {
			if n = n.Find("target/" + c.path); n == nil {
				return ""
			}
			return string(n.Data)
		}
		assert.Equal(t, c.left, content(cut.Worst()), "%s, at worst", c.name)
		seen := map[string]bool{}
		r := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			left := cut.Random(r)
			seen[content(left)] = true
			assert.True(t, c.path != "dir/a" || (left.Find("target/a") == nil) != (left.Find("target/dir/a") == nil), "a file is in one directory")
		}
		assert.True(t, seen[c.luck], "%s, at best: %v", c.name, seen)
		assert.True(t, seen[c.left] || c.left == c.luck, c.name)

		require.NoError(t, cut.Worst().Store(root))
		again, err := faultdisk.Load(root)
		require.NoError(t, err)
		assert.Empty(t, faultdisk.Diff(cut.Worst(), again, func(p string) bool { return p == "." }), c.name)
	}
}
