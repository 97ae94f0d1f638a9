package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
)

// ArchiveOf returns the settings of servers that share an archive, and a function that
// sets a target's restore_command on majors that have recovery.conf.
func (l *Lab) ArchiveOf(restore string) (conf map[string]string, dir string, give func(c *pgtest.Cluster)) {
	l.Helper()
	dir = l.TempDir()
	require.NoError(l, os.Chmod(dir, 0o755))
	if restore == "" {
		restore = fmt.Sprintf("cp %s/%%f %%p", dir)
	}
	restore = strings.ReplaceAll(restore, "ARCHIVE", dir)
	conf = map[string]string{"archive_mode": "on", "archive_command": fmt.Sprintf("test ! -f %[1]s/%%f && cp %%p %[1]s/.%%f && mv %[1]s/.%%f %[1]s/%%f", dir)}
	if !l.In.Version.RecoveryConf {
		conf["restore_command"] = restore
		return conf, dir, func(*pgtest.Cluster) {}
	}
	return conf, dir, func(c *pgtest.Cluster) {
		text := "restore_command = '" + restore + "'\nrecovery_target_timeline = 'latest'\n"
		require.NoError(l, os.WriteFile(filepath.Join(c.Dir, "recovery.done"), []byte(text), 0o600))
	}
}

// Archived waits until a file is in an archive.
func (l *Lab) Archived(dir, name string) {
	l.Helper()
	require.Eventually(l, func() bool { return Exists(filepath.Join(dir, name)) }, WaitLong, Tick, name)
}
