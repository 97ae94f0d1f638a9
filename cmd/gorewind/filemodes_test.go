package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest/built"
)

// Files that gorewind creates are readable by the group if the data directory is, and by
// nobody else, whatever the umask is.
func TestModesDoNotDependOnTheUmask(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skipf("sh is needed, install it: %v", err)
	}
	for _, c := range []struct {
		name, umask            string
		directory, file, inner fs.FileMode
	}{
		{"the server's user alone", "000", 0o700, 0o600, 0o700},
		{"the group, too", "077", 0o750, 0o640, 0o750},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, source := restore(t)
			require.NoError(t, os.Chmod(target, c.directory))
			require.NoError(t, os.RemoveAll(filepath.Join(target, "base", "5")))
			cmd := exec.Command(sh, "-c", "umask "+c.umask+` && exec "$0" "$@"`,
				built.Gorewind(t), "-N", "-D", target, "--source-pgdata", source)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			for path, want := range map[string]fs.FileMode{
				".": c.directory, "base/5": c.inner, "base/5/1259": c.file, "backup_label": c.file,
			} {
				info, err := os.Stat(filepath.Join(target, filepath.FromSlash(path)))
				require.NoError(t, err)
				assert.Equal(t, want, info.Mode().Perm(), path)
			}
		})
	}
}

// Others may read a report and a saved plan if the umask allows it; choosing
// the umask is up to the user.
func TestReportsAndPlansHaveTheModeThatTheUmaskAllows(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skipf("sh is needed, install it: %v", err)
	}
	for _, c := range []struct {
		umask string
		want  fs.FileMode
	}{{"022", 0o644}, {"027", 0o640}, {"077", 0o600}} {
		t.Run("umask "+c.umask, func(t *testing.T) {
			target, source := restore(t)
			dir := t.TempDir()
			written := []string{filepath.Join(dir, "report.html"), filepath.Join(dir, "saved.plan")}
			require.NoError(t, os.WriteFile(written[0], []byte("an older one"), 0o600))
			cmd := exec.Command(sh, "-c", "umask "+c.umask+` && exec "$0" "$@"`, built.Gorewind(t),
				"-n", "-D", target, "--source-pgdata", source, "--report", written[0], "--save-plan", written[1])
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			for _, path := range written {
				info, err := os.Stat(path)
				require.NoError(t, err)
				assert.Equal(t, c.want, info.Mode().Perm(), path)
			}
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			assert.Len(t, left, len(written), "nothing else is left")
		})
	}
}
