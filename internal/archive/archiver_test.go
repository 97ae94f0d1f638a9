//go:build unix

package archive_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/pgdata"
)

const waiting = "pg_wal/" + segment

// newArchiver returns an archiver for a data directory with a segment; the archive next to it is empty.
func newArchiver(t *testing.T, name, command string) (dir, store string, a *archive.Archiver) {
	t.Helper()
	root := filepath.Join(t.TempDir(), name)
	dir, store = filepath.Join(root, "data"), filepath.Join(root, "archive")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "pg_wal"), 0o700))
	require.NoError(t, os.MkdirAll(store, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, waiting), []byte(content), 0o600))
	a = &archive.Archiver{Command: command, DataDir: dir, Version: pgdata.VersionByName("17"), Pause: time.Millisecond}
	t.Cleanup(a.Close)
	return dir, store, a
}

func lines(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return bytes.Count(b, []byte("\n"))
}

func TestArchiveHandsTheFileOver(t *testing.T) {
	for _, c := range []struct{ name, dir, command string }{
		{"by the command of the manual", "x", `test ! -f ../archive/%f && cp %p ../archive/%f`},
		{"from a directory with blanks and quotes", `it's "a" $HOME b`, `cp %p ../archive/%f`},
		{"at the third attempt", "x", `echo >>n; test $(wc -l <n) -ge 3 && cp %p ../archive/%f`},
		{"with nothing to wait for at the terminal", "x", `cat; cp %p ../archive/%f`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, store, a := newArchiver(t, c.dir, c.command)
			require.NoError(t, a.Archive(t.Context(), waiting, segment))
			got, err := os.ReadFile(filepath.Join(store, segment))
			require.NoError(t, err)
			assert.Equal(t, content, string(got))
		})
	}
}

func TestArchivePlaceholders(t *testing.T) {
	for _, c := range []struct{ name, major, command, want string }{
		{"path and name are put in", "17", `%f %p %%f`, segment + " " + waiting + " %f"},
		{"up to 15 all others stand for themselves", "15", `%f %r %x %%r %é %`, segment + " %r %x %r %é %"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, _, a := newArchiver(t, "x", `cat >args <<'E'`+"\n"+c.command+"\nE")
			a.Version = pgdata.VersionByName(c.major)
			require.NoError(t, a.Archive(t.Context(), waiting, segment))
			got, err := os.ReadFile(filepath.Join(dir, "args"))
			require.NoError(t, err)
			assert.Equal(t, c.want+"\n", string(got))
		})
	}
	for command, reason := range map[string]string{
		`x %x`: `unexpected placeholder "%x"`, `secret %r`: `unexpected placeholder "%r"`, `secret %`: "ends unexpectedly", "": "not set",
	} {
		t.Run("refused from 16 on: "+command, func(t *testing.T) {
			_, _, a := newArchiver(t, "x", command)
			err := a.Archive(t.Context(), waiting, segment)
			var failed *archive.CommandError
			require.ErrorAs(t, err, &failed)
			assert.ErrorContains(t, err, "archive_command failed: ")
			assert.ErrorContains(t, err, reason)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestArchiveTakesNoNameThatAServerWouldNotArchive(t *testing.T) {
	for name, c := range map[string]struct {
		path, name string
		ok         bool
	}{
		"a segment":                            {waiting, segment, true},
		"a segment that was put aside":         {"pgsql_tmp_gorewind/wal/" + segment, segment, true},
		"a partial segment":                    {waiting, segment + ".partial", true},
		"a history":                            {waiting, "00000002.history", true},
		"a backup label":                       {waiting, segment + ".00000028.backup", true},
		"a name with a command":                {waiting, segment + ";touch ran", false},
		"a name with a blank":                  {waiting, segment + " x", false},
		"a name in another directory":          {waiting, "../../" + segment, false},
		"a name that is too short":             {waiting, "00000002", false},
		"a name that is too long":              {waiting, segment + segment, false},
		"a name in small letters":              {waiting, "00000001000000000000000a0000000d", false},
		"no name":                              {waiting, "", false},
		"a path with a command":                {"pg_wal/$(touch ran)", segment, false},
		"a path with a quote":                  {"pg_wal/x'y", segment, false},
		"a path with a new line":               {"pg_wal/x\ny", segment, false},
		"a path that is an option":             {"-rf", segment, false},
		"a path out of the data directory":     {"../archive/x", segment, false},
		"a path from the root":                 {"/etc/passwd", segment, false},
		"no path":                              {"", segment, false},
		"a file that is not there":             {"pg_wal/gone", segment, false},
		"a directory":                          {"pg_wal", segment, false},
		"a link to something that was removed": {"pg_wal/link", segment, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _, a := newArchiver(t, "x", "echo %p %f; touch ran")
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "pgsql_tmp_gorewind/wal"), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "pgsql_tmp_gorewind/wal", segment), nil, 0o600))
			require.NoError(t, os.Symlink("gone", filepath.Join(dir, "pg_wal/link")))
			err := a.Archive(t.Context(), c.path, c.name)
			if c.ok {
				assert.NoError(t, err)
				assert.FileExists(t, filepath.Join(dir, "ran"))
				return
			}
			assert.Error(t, err)
			assert.NoFileExists(t, filepath.Join(dir, "ran"))
		})
	}
	_, _, a := newArchiver(t, "x", "true")
	assert.ErrorIs(t, a.Archive(t.Context(), "pg_wal/gone", segment), os.ErrNotExist)
}

func TestArchiveGivesUp(t *testing.T) {
	for _, c := range []struct {
		name, command string
		status        int // of a command that is tried again
		reason        string
	}{
		{"after some attempts", `exit 3`, 3, ""},
		{"after some attempts with the highest status of one that ran", `exit 125`, 125, ""},
		{"after some attempts where a program of a script was killed", `sh -c 'kill -9 $$' || exit 1`, 1, ""},
		{"at once where there is no program", `no-such-program %p`, 0, "command not found"},
		{"at once where it is no program", `./%p`, 0, "command not executable"},
		{"at once with another status of a shell", `exit 128`, 0, "exit code 128"},
		{"at once where it was killed", `kill -9 $$`, 0, "terminated by signal: killed"},
		{"at once where it was told to end", `kill -TERM $$`, 0, "terminated by signal: terminated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, _, a := newArchiver(t, "x", "echo >>count; : secret; "+c.command)
			err := a.Archive(t.Context(), waiting, segment)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "secret")
			if c.status == 0 {
				var failed *archive.CommandError
				require.ErrorAs(t, err, &failed)
				assert.Equal(t, "archive_command", failed.Setting)
				assert.ErrorContains(t, err, c.reason)
				assert.Equal(t, 1, lines(t, filepath.Join(dir, "count")))
				return
			}
			var missing *archive.NotArchivedError
			require.ErrorAs(t, err, &missing)
			assert.Equal(t, archive.NotArchivedError{Name: segment, Command: a.Command, ExitStatus: c.status, Attempts: 3}, *missing)
			assert.ErrorContains(t, err, segment)
			assert.Equal(t, 3, lines(t, filepath.Join(dir, "count")))
		})
	}
}

func TestAnEndedContextEndsArchiving(t *testing.T) {
	t.Run("and whatever the command started", func(t *testing.T) {
		dir, _, a := newArchiver(t, "x", `(trap '' TERM; sleep 600 <>fifo) & wait`)
		fifo := filepath.Join(dir, "fifo")
		require.NoError(t, syscall.Mkfifo(fifo, 0o600))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.Archive(ctx, waiting, segment) }()
		waitUntil(t, "the command runs", func() bool { return hasReader(fifo) })
		cancel()
		err := <-ended
		require.ErrorIs(t, err, context.Canceled)
		assert.ErrorContains(t, err, segment)
		waitUntil(t, "its child is gone", func() bool { return !hasReader(fifo) })
	})
	t.Run("and the wait between attempts", func(t *testing.T) {
		dir, _, a := newArchiver(t, "x", `echo >>ran; exit 1`)
		a.Pause = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.Archive(ctx, waiting, segment) }()
		waitUntil(t, "the command ran", func() bool { _, err := os.Stat(filepath.Join(dir, "ran")); return err == nil })
		cancel()
		assert.ErrorIs(t, <-ended, context.Canceled)
	})
}

func TestWhatArchivingPrintsIsLogged(t *testing.T) {
	_, _, a := newArchiver(t, "x", `echo one; echo two >&2`)
	var log bytes.Buffer
	a.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	require.NoError(t, a.Archive(t.Context(), waiting, segment))
	assert.Contains(t, log.String(), `"archive_command: one"`)
	assert.Contains(t, log.String(), `"archive_command: two"`)
}
