//go:build unix

package archive_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/pgdata"
)

const (
	segment = "00000001000000000000000A"
	content = "sixteen bytes..."
)

// place is a data directory, a staging directory in it, and an archive that has
// one file.
type place struct{ data, dst, store string }

func newPlace(t *testing.T, name string) (place, *archive.Archive) {
	t.Helper()
	root := filepath.Join(t.TempDir(), name)
	p := place{data: filepath.Join(root, "data"), store: filepath.Join(root, "archive")}
	p.dst = filepath.Join(p.data, "staging", segment)
	require.NoError(t, os.MkdirAll(filepath.Dir(p.dst), 0o700))
	require.NoError(t, os.MkdirAll(p.store, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(p.store, segment), []byte(content), 0o600))
	a := &archive.Archive{DataDir: p.data, Version: pgdata.VersionByName("17"), Pause: time.Millisecond}
	t.Cleanup(a.Close)
	return p, a
}

func TestRestoreBringsTheFile(t *testing.T) {
	for _, c := range []struct{ name, dir, command string }{
		{"by a copy", "x", `cp ../archive/%f %p`},
		{"with blanks and quotes in the path", `it's "a" $HOME b`, `cp ../archive/%f %p`},
		{"at the third attempt", "x", `n=$(cat n 2>/dev/null); echo x$n >n; test "$n" = xx && cp ../archive/%f %p`},
		{"after a partial one", "x", `test -e n && cp ../archive/%f %p || { : >n; echo part >%p; }`},
		{"after a success without a file", "x", `test -e n && cp ../archive/%f %p || : >n`},
		{"as a symbolic link", "x", `ln -s "$PWD"/../archive/%f %p`},
		{"as another name of the archive's own", "x", `ln ../archive/%f %p`},
		{"over what was left before", "x", `test ! -e %p && cp ../archive/%f %p`},
		{"beside what is prefetched", "x", `d=$(dirname %p)/.wal-g/prefetch; mkdir -p $d/running && cp ../archive/%f $d/ && rmdir $d/running && mv $d/%f %p`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, a := newPlace(t, c.dir)
			require.NoError(t, os.Mkdir(p.dst, 0o700)) // left by somebody
			a.Command = c.command
			checked := ""
			err := a.Restore(t.Context(), segment, p.dst, int64(len(content)), func(path string) error {
				checked = path
				return nil
			})
			require.NoError(t, err)
			assert.Equal(t, p.dst, checked)
			got, err := os.ReadFile(p.dst)
			require.NoError(t, err)
			assert.Equal(t, content, string(got))

			require.NoError(t, os.WriteFile(p.dst, []byte("changed"), 0o600))
			kept, err := os.ReadFile(filepath.Join(p.store, segment))
			require.NoError(t, err)
			assert.Equal(t, content, string(kept), "what is done to the file does not reach the archive")
		})
	}
}

func TestPlaceholders(t *testing.T) {
	const zeros = "000000000000000000000000"
	for _, c := range []struct{ name, major, command, want string }{
		{"all", "17", `%f %p %r %%f`, segment + " staging/" + segment + " " + zeros + " %f"},
		{"unknown ones up to 15", "15", `%x %m %%x %é %`, "%x %m %x %é %"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, a := newPlace(t, "x")
			a.Version = pgdata.VersionByName(c.major)
			a.Command = `cp ../archive/%f %p; printf '%%s' '` + c.command + `' >args`
			if !a.Version.StrictCommands {
				a.Command = `cp ../archive/%f %p; printf '%s' '` + c.command + `' >args`
			}
			require.NoError(t, a.Restore(t.Context(), segment, p.dst, 0, nil))
			got, err := os.ReadFile(filepath.Join(p.data, "args"))
			require.NoError(t, err)
			assert.Equal(t, c.want, string(got))
		})
	}
	t.Run("outside of the data directory", func(t *testing.T) {
		_, a := newPlace(t, "x")
		a.Command = `printf '%%s' "%p" >"%p"`
		dst := filepath.Join(t.TempDir(), "a file")
		require.NoError(t, a.Restore(t.Context(), segment, dst, int64(len(dst)), nil))
	})
	for command, reason := range map[string]string{`x %x`: `unexpected placeholder "%x"`, `secret %`: "ends unexpectedly"} {
		t.Run("refused from 16 on: "+command, func(t *testing.T) {
			p, a := newPlace(t, "x")
			a.Command = command
			err := a.Restore(t.Context(), segment, p.dst, 0, nil)
			var failed *archive.CommandError
			require.ErrorAs(t, err, &failed)
			assert.ErrorContains(t, err, reason)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
	t.Run("refused: a name for the shell", func(t *testing.T) {
		p, a := newPlace(t, "x")
		a.Command = "touch ran"
		require.ErrorContains(t, a.Restore(t.Context(), "x;y", p.dst, 0, nil), "not the name of a WAL file")
		assert.NoFileExists(t, filepath.Join(p.data, "ran"))
	})
}

func TestRestoreGivesUp(t *testing.T) {
	damaged := errors.New("page header is damaged")
	for _, c := range []struct {
		name, command string
		check         error
		status        int
		message       string
	}{
		{"a command that fails", `exit 3`, nil, 3, "exited with status 3"},
		{"the highest status of one that ran", `exit 125`, nil, 125, "exited with status 125"},
		{"a command that does nothing", `true`, nil, 0, "did not create the file"},
		{"a short file", `echo x >%p`, nil, 0, "unexpected file size: 2 instead of 16"},
		{"a long file", `cat ../archive/%f ../archive/%f >%p`, nil, 0, "unexpected file size: 32 instead of 16"},
		{"a directory", `mkdir -p %p/x`, nil, 0, "not a regular file"},
		{"another file", `cp ../archive/%f %p`, damaged, 0, "page header is damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, a := newPlace(t, "x")
			a.Command, a.Attempts = `echo . >>count; : secret; `+c.command, 4
			err := a.Restore(t.Context(), segment, p.dst, int64(len(content)), func(string) error { return c.check })
			var missing *archive.NotFoundError
			require.ErrorAs(t, err, &missing)
			assert.Equal(t, segment, missing.Name)
			assert.Equal(t, c.status, missing.ExitStatus)
			assert.Equal(t, 4, missing.Attempts)
			assert.ErrorContains(t, err, `could not restore file "`+segment+`" from archive`)
			assert.ErrorContains(t, err, c.message)
			assert.NotContains(t, err.Error(), "secret")
			if c.check != nil {
				assert.ErrorIs(t, err, c.check)
			}
			count, err := os.ReadFile(filepath.Join(p.data, "count"))
			require.NoError(t, err)
			assert.Len(t, count, 2*4)
			_, err = os.Lstat(p.dst)
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}

func TestCommandsThatCannotWorkAreNotTriedAgain(t *testing.T) {
	for command, reason := range map[string]string{
		`no-such-program`: "command not found",
		`./data`:          "command not executable",
		`exit 128`:        "exit code 128",
		`kill -9 $$`:      "terminated by signal: killed",
		`kill -TERM $$`:   "terminated by signal: terminated",
	} {
		t.Run(reason, func(t *testing.T) {
			p, a := newPlace(t, "x")
			require.NoError(t, os.WriteFile(filepath.Join(p.data, "data"), []byte("x"), 0o600))
			a.Command = "echo part >%p; echo . >>count; " + command
			err := a.Restore(t.Context(), segment, p.dst, 0, nil)
			var failed *archive.CommandError
			require.ErrorAs(t, err, &failed)
			assert.ErrorContains(t, err, "restore_command failed: ")
			assert.ErrorContains(t, err, reason)
			count, err := os.ReadFile(filepath.Join(p.data, "count"))
			require.NoError(t, err)
			assert.Len(t, count, 2)
			assert.NoFileExists(t, p.dst)
		})
	}
	t.Run("no data directory", func(t *testing.T) {
		p, a := newPlace(t, "x")
		a.Command, a.DataDir = "true", filepath.Join(p.data, "no")
		assert.ErrorContains(t, a.Restore(t.Context(), segment, p.dst, 0, nil), a.DataDir)
	})
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "still not: %s", what)
	}
}

// hasReader reports whether a process that a command started holds a fifo open. A process
// that has ended, in whatever way, does not.
func hasReader(fifo string) bool {
	f, err := os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err == nil {
		f.Close()
	}
	return err == nil
}

func TestAnEndedContextEndsWhateverTheCommandStarted(t *testing.T) {
	p, a := newPlace(t, "x")
	fifo := filepath.Join(p.data, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	a.Command = `echo part >%p; (trap '' TERM; sleep 600 <>fifo) & wait`
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Restore(ctx, segment, p.dst, 0, nil) }()
	waitUntil(t, "the command runs", func() bool { return hasReader(fifo) })
	cancel()
	err := <-ended
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, segment)
	waitUntil(t, "its child is gone", func() bool { return !hasReader(fifo) })
	assert.NoFileExists(t, p.dst)
}

func TestCloseEndsWhatPrefetches(t *testing.T) {
	p, a := newPlace(t, "x")
	fifo := filepath.Join(p.data, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	a.Command = `sleep 600 <>fifo & cp ../archive/%f %p`
	require.NoError(t, a.Restore(t.Context(), segment, p.dst, 0, nil), "is not waited for")
	waitUntil(t, "it runs", func() bool { return hasReader(fifo) })
	a.Close()
	waitUntil(t, "it is gone", func() bool { return !hasReader(fifo) })
}

func TestCancelEndsTheWaitBetweenAttempts(t *testing.T) {
	p, a := newPlace(t, "x")
	a.Command, a.Pause = `echo . >>ran; exit 1`, time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Restore(ctx, segment, p.dst, 0, nil) }()
	waitUntil(t, "the command ran", func() bool { _, err := os.Stat(filepath.Join(p.data, "ran")); return err == nil })
	cancel()
	assert.ErrorIs(t, <-ended, context.Canceled)
}

func TestOutputIsLoggedAndTheCommandOnlyForDebugging(t *testing.T) {
	for level, debug := range map[slog.Level]bool{slog.LevelInfo: false, slog.LevelDebug: true} {
		p, a := newPlace(t, "x")
		var log bytes.Buffer
		a.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, at slog.Attr) slog.Attr {
			if at.Key == slog.MessageKey {
				return at
			}
			return slog.Attr{}
		}}))
		a.Command = `: geheim; cat; echo one; echo two >&2; printf three; head -c 100000 /dev/zero | tr '\0' '\171'; cp ../archive/%f %p`
		require.NoError(t, a.Restore(t.Context(), segment, p.dst, 0, nil))
		for _, line := range []string{`"restore_command: one"`, `"restore_command: two"`, `"restore_command: three`} {
			assert.Equal(t, debug, strings.Count(log.String(), line) == 1, line)
		}
		assert.Equal(t, debug, strings.Count(log.String(), "y") == 100000)
		assert.Equal(t, debug, strings.Contains(log.String(), "geheim"))
	}
}

// TestTheLastLinesOfACommandThatFailedAreTold checks that they are visible without
// debug messages.
func TestTheLastLinesOfACommandThatFailedAreTold(t *testing.T) {
	p, a := newPlace(t, "x")
	var log bytes.Buffer
	a.Logger, a.Attempts = slog.New(slog.NewTextHandler(&log, nil)), 1
	a.Command = `seq 1 9; echo no such bucket >&2; exit 3`
	require.Error(t, a.Restore(t.Context(), segment, p.dst, 0, nil))
	assert.Equal(t, 1, strings.Count(log.String(), "level=INFO"), log.String())
	assert.Contains(t, log.String(), `"restore_command printed, and failed: 6; 7; 8; 9; no such bucket"`)
}

func TestRestoreHistory(t *testing.T) {
	const name, history = "0000000B.history", "1\t0/3000000\tno recovery target specified\n"
	for _, c := range []struct {
		name, command, want string
		status              int    // of the command, where there is no history
		err                 string // where it is no history
	}{
		{"brings one", `test %f = ` + name + ` && cp ../archive/%f %p`, history, 0, ""},
		{"brings one that is a link", `ln -s "$PWD/../archive/%f" %p`, history, 0, ""},
		{"brings an empty one", `: >%p`, "", 0, ""},
		{"says that there is none", `exit 1`, "", 1, ""},
		{"says that there is none after a partial one", `echo x >%p; exit 2`, "", 2, ""},
		{"takes a command that makes no file for one that has none", `true`, "", -1, "did not create the file"},
		{"takes a directory for none", `mkdir %p`, "", -1, "not a regular file"},
		{"refuses one that is too large", `truncate -s 17M %p`, "", 0, "more than 16777216 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, a := newPlace(t, "x")
			require.NoError(t, os.WriteFile(filepath.Join(p.store, name), []byte(history), 0o600))
			a.Command, a.Pause = "echo >>count; "+c.command, time.Hour
			got, err := a.RestoreHistory(t.Context(), 11, p.dst)
			assert.Equal(t, 1, lines(t, filepath.Join(p.data, "count")), "it is asked for once")
			if c.status == 0 && c.err == "" {
				require.NoError(t, err)
				assert.Equal(t, c.want, string(got))
				kept, err := os.ReadFile(p.dst)
				require.NoError(t, err)
				assert.Equal(t, c.want, string(kept))
				return
			}
			require.ErrorContains(t, err, name)
			assert.ErrorContains(t, err, c.err)
			assert.NoFileExists(t, p.dst)
			var missing *archive.NotFoundError
			if c.status == 0 {
				assert.False(t, errors.As(err, &missing))
				return
			}
			require.ErrorAs(t, err, &missing)
			assert.Equal(t, max(c.status, 0), missing.ExitStatus)
			assert.Equal(t, 1, missing.Attempts)
		})
	}
	t.Run("does not take a broken command for an archive that has none", func(t *testing.T) {
		p, a := newPlace(t, "x")
		a.Command = "no-such-program %f"
		_, err := a.RestoreHistory(t.Context(), 2, p.dst)
		var failed *archive.CommandError
		assert.ErrorAs(t, err, &failed)
	})
}
