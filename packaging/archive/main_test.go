package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tree makes the same files in the given order, at another time and with other
// modes than the last ones.
func tree(t *testing.T, private bool, names ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "gorewind-1.0.0")
	mode, program := os.FileMode(0o644), os.FileMode(0o755)
	if private {
		mode, program = 0o600, 0o700
	}
	for i, name := range names {
		full := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		m := mode
		if filepath.Base(name) == "gorewind" {
			m = program
		}
		require.NoError(t, os.WriteFile(full, []byte(name), m))
		when := time.Unix(int64(1_000_000*(i+1)), 0)
		require.NoError(t, os.Chtimes(full, when, when))
	}
	return dir
}

func TestTheSameFilesGiveTheSameArchive(t *testing.T) {
	at := time.Unix(1_700_000_000, 0).UTC()
	for _, suffix := range []string{".tar.gz", ".zip"} {
		t.Run(suffix, func(t *testing.T) {
			var archives [][]byte
			for _, dir := range []string{
				tree(t, false, "gorewind", "LICENSE", "completions/gorewind.bash"),
				tree(t, true, "completions/gorewind.bash", "LICENSE", "gorewind"),
			} {
				out := filepath.Join(t.TempDir(), "x"+suffix)
				require.NoError(t, create(out, dir, at))
				content, err := os.ReadFile(out)
				require.NoError(t, err)
				archives = append(archives, content)
			}
			assert.Equal(t, archives[0], archives[1])
		})
	}
}

func TestWhatIsNoRegularFileIsNotPacked(t *testing.T) {
	dir := tree(t, false, "gorewind")
	if err := os.Symlink("gorewind", filepath.Join(dir, "pg_rewind")); err != nil {
		t.Skipf("symbolic links are needed, on Windows switch on its developer mode: %v", err)
	}
	err := create(filepath.Join(t.TempDir(), "x.zip"), dir, time.Unix(0, 0))
	assert.ErrorContains(t, err, "pg_rewind is not a regular file")
}
