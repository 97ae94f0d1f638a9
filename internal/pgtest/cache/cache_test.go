//go:build unix

package cache

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestADirectoryThatOthersCanWriteToIsNoCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	require.NoError(t, Usable(dir))
	require.NoError(t, os.Chmod(dir, 0o777))
	assert.Error(t, Usable(dir))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Chmod(dir, 0o700))
	require.NoError(t, os.Symlink(dir, link))
	assert.Error(t, Usable(link))
}
