//go:build unix

package unprivileged

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestArgumentsOfTheUnprivilegedTestProgram(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "out"), 0o700))
	w := &rootWork{dir: dir, uid: os.Getuid(), gid: os.Getgid()}
	got, err := testArgs(w, []string{
		"-test.testlogfile=/root/log", "-test.v=true", "-test.coverprofile=/root/c.out", "-test.run", "X", "-test.gocoverdir=/root/cov",
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"-test.v=true", "-test.coverprofile=" + dir + "/out/test.coverprofile", "-test.run", "X", "-test.gocoverdir=/root/cov"}, got,
		"after the first word that is no flag all belongs to the test")
	assert.Equal(t, [][2]string{{dir + "/out/test.coverprofile", "/root/c.out"}}, w.copyBack)
}

func TestOutputsOfTheUnprivilegedTestProgramReachTheirPlace(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "c.out"), []byte("mode: set\n"), 0o600))
	w := &rootWork{dir: dir, copyBack: [][2]string{
		{filepath.Join(dir, "c.out"), filepath.Join(to, "c.out")},
		{filepath.Join(dir, "never"), filepath.Join(to, "never")},
	}}
	w.fetchOutputs()
	text, err := os.ReadFile(filepath.Join(to, "c.out"))
	require.NoError(t, err)
	assert.Equal(t, "mode: set\n", string(text))
	assert.NoFileExists(t, filepath.Join(to, "never"))
}

func TestAPathIsReachableIfEveryDirectoryLetsOthersPass(t *testing.T) {
	dir := t.TempDir() // in a directory of this user's
	assert.False(t, reachable(dir))
	assert.True(t, reachable("/"))
	assert.False(t, reachable("/no such directory"))
}
