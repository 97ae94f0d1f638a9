//go:build unix

package datadir_test

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/regular"
)

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = root.Close() })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o600))
	require.NoError(t, os.Symlink("file", filepath.Join(dir, "link")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "directory"), 0o700))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	require.NoError(t, syscall.Mknod(filepath.Join(dir, "socket"), syscall.S_IFSOCK|0o600, 0))
	require.NoError(t, os.Symlink("fifo", filepath.Join(dir, "link to a fifo")))
	for name, want := range map[string]string{
		"file":           "",
		"link":           "",
		"directory":      "a directory and no regular file",
		"fifo":           "it is a fifo and no regular file: remove it",
		"socket":         "it is a socket and no regular file: remove it",
		"link to a fifo": "it is a fifo",
		"nothing":        "no such file",
	} {
		for _, flag := range []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC} {
			f, err := datadir.OpenRegular(root, name, flag, 0)
			if want != "" {
				if name != "directory" || flag == os.O_RDONLY { // else the system says that it is one
					assert.ErrorContains(t, err, want, name)
				}
				require.Error(t, err)
				continue
			}
			require.NoError(t, err, name)
			require.NoError(t, f.Close())
		}
		f, err := regular.Open(filepath.Join(dir, name))
		if want != "" {
			assert.ErrorContains(t, err, want, name)
			continue
		}
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	f, err := regular.Open(os.DevNull)
	require.NoError(t, err, "a configuration file that is switched off")
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	assert.Empty(t, b)
	require.NoError(t, f.Close())
	_, err = regular.Open("/dev/zero")
	assert.ErrorContains(t, err, "it is a device and no regular file", "which has no end")

	_, err = datadir.OpenDirectory(root, "fifo")
	assert.ErrorIs(t, err, syscall.ENOTDIR)
	_, err = datadir.OpenDirectory(root, "file")
	assert.ErrorIs(t, err, syscall.ENOTDIR)
}
