package archive

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// Archiver runs a server's archive_command, as the server's own archiver does
// (postmaster/pgarch.c; from 15 on archive/shell_archive.c). Its method may be used
// concurrently; commands run one at a time, since no server runs two at once.
type Archiver struct {
	Command  string          // archive_command as configured; it can contain passwords
	DataDir  string          // the server's data directory
	WorkDir  string          // the command's working directory; DataDir if empty
	Env      []string        // the command's environment; nil: that of this process
	Version  *pgdata.Version // the server's major
	Attempts int             // how often a command that fails is run; 3 if zero
	Pause    time.Duration   // between two attempts; a second if zero
	Logger   *slog.Logger    // gets what the command prints; nil discards

	mu        sync.Mutex
	processes processes
}

// NotArchivedError says that a file could not be archived.
type NotArchivedError struct {
	Name       string
	Command    string // as it was run; it can contain passwords
	ExitStatus int    // of the last attempt
	Attempts   int
}

func (e *NotArchivedError) Error() string {
	return fmt.Sprintf("could not archive file %q: archive_command exited with status %d in attempt %d; run it by hand to see why",
		e.Name, e.ExitStatus, e.Attempts)
}

// Archive archives a file under a name. The path is relative to the data
// directory, as in a server's command. If the command runs elsewhere, it gets the
// absolute path.
//
// A failing command is tried again; finally the error is a *NotArchivedError.
// If a signal killed the command or the shell could not run it, which is a status over
// 125, the error is a *CommandError at once. If the file does not exist, the error is
// fs.ErrNotExist, and nothing is run.
func (a *Archiver) Archive(ctx context.Context, path, name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, err := a.expand(path, name)
	if err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(a.DataDir, filepath.FromSlash(path)))
	if err != nil {
		return fmt.Errorf("could not archive file %q: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("could not archive file %q: %q is not a regular file", name, path)
	}
	attempts, pause := cmp.Or(a.Attempts, defaultAttempts), cmp.Or(a.Pause, time.Second)
	for n := 1; ; n++ {
		c.log.Debug(fmt.Sprintf("executing archive command %q", c.text), "setting", c.setting, "command", c.text)
		status, err := a.processes.run(ctx, c)
		if ctx.Err() != nil {
			return fmt.Errorf("could not archive file %q: %w", name, ctx.Err())
		}
		if err != nil || status == 0 {
			return err
		}
		if n >= attempts {
			return &NotArchivedError{Name: name, Command: c.text, ExitStatus: status, Attempts: n}
		}
		c.log.Info(fmt.Sprintf("could not archive file %q in attempt %d of %d, trying again in %s", name, n, attempts, pause),
			"segment", name, "attempt", n, "attempts", attempts, "pause", pause, "status", status)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// Close kills what commands left running in the background.
func (a *Archiver) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.processes.close()
}

// expand builds the command line for one file. %r is not supported.
func (a *Archiver) expand(path, name string) (command, error) {
	c := command{setting: archiveCommand, text: a.Command, dir: cmp.Or(a.WorkDir, a.DataDir), env: a.Env, log: orDiscard(a.Logger)}
	switch {
	case a.Command == "":
		return c, c.broken("it is not set")
	case !archivable(name):
		return c, fmt.Errorf("%q is not the name of a WAL file that servers archive", name)
	case !filepath.IsLocal(filepath.FromSlash(path)) || strings.ContainsFunc(path, notOfWALPaths) || path[0] == '-':
		return c, fmt.Errorf("%q cannot be used as a path in a command", path)
	}
	if path = filepath.FromSlash(path); a.WorkDir != "" {
		dir, err := filepath.Abs(a.DataDir)
		if err != nil {
			return c, err
		}
		path = filepath.Join(dir, path)
	}
	return c.expand(a.Version.StrictCommands, map[byte]string{'p': path, 'f': name})
}

// archivable reports whether servers archive files of a name: segments, including
// partial ones, histories and backup labels. The characters are those of
// such names (MIN_XFN_CHARS, MAX_XFN_CHARS and VALID_XFN_CHARS, postmaster/pgarch.h).
func archivable(name string) bool {
	return len(name) >= 16 && len(name) <= 40 && strings.Trim(name, "0123456789ABCDEF.abchikloprstuy") == ""
}

// notOfWALPaths rejects characters that a shell would interpret.
func notOfWALPaths(r rune) bool { return r != '/' && r != '_' && r != '-' && notOfWALNames(r) }
