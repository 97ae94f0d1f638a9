package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gorewind/gorewind/internal/regular"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/timeline"
)

// Archive runs a server's restore_command, or a function in its place. Its
// methods may be used concurrently; commands run one at a time, since no server
// runs two at once.
type Archive struct {
	Command string          // restore_command as configured; it can contain passwords
	Option  string          // the caller's option that gave Command, for messages; empty: the server's configuration
	DataDir string          // the server's data directory
	WorkDir string          // the command's working directory; DataDir if empty, as for a server's commands
	Env     []string        // the command's environment; nil: that of this process
	Version *pgdata.Version // the server's major
	// Fetch, if not nil, is called instead of the command. It must write the archive's
	// file of that name, a segment or a history, to dst. The error is
	// ErrNotInArchive if the archive does not have it; after any other error it is called again.
	Fetch    func(ctx context.Context, name, dst string) error
	Attempts int           // the number of attempts; 3 if zero
	Pause    time.Duration // between the first two attempts, doubled each time; a second if zero
	Logger   *slog.Logger  // gets what the command prints; nil discards

	mu        sync.Mutex
	processes processes
}

// The settings that contain commands.
const (
	restoreCommand = "restore_command"
	archiveCommand = "archive_command"
)

const defaultAttempts = 3

// NotFoundError says that the archive did not provide a file. With a command it is
// unknown whether the archive has it: commands have one status for all failures.
type NotFoundError struct {
	Name       string
	Command    string // as it was run; it can contain passwords
	ExitStatus int    // of the last attempt
	Attempts   int
	Certain    bool  // Archive.Fetch said that there is no such file
	Err        error // what Fetch returned, or what was wrong with the file if the command ended with 0; or nil
}

func (e *NotFoundError) Error() string {
	if e.Certain {
		return fmt.Sprintf("could not restore file %q from archive: %v; check that it is the right archive, otherwise take a base backup", e.Name, e.Err)
	}
	why := fmt.Sprintf("restore_command exited with status %d", e.ExitStatus)
	if e.Err != nil {
		why = e.Err.Error()
	}
	return fmt.Sprintf("could not restore file %q from archive: %s in attempt %d; try again if the archive has it, otherwise take a base backup",
		e.Name, why, e.Attempts)
}

// Unwrap returns what was wrong with the file.
func (e *NotFoundError) Unwrap() error { return e.Err }

// CommandError says that a command cannot work, or that it was killed.
type CommandError struct {
	Setting string // restore_command or archive_command
	Option  string // the caller's option that gave it; empty: the server's configuration
	Command string // as it was run; it can contain passwords
	Reason  string
	// ExitStatus is the shell's; zero if nothing was run, -1 if a signal ended it.
	ExitStatus int
}

// MayPass reports whether the unchanged command may succeed later: a signal ended
// it, or it reported a failure itself. A command that the shell cannot find or run will
// not.
func (e *CommandError) MayPass() bool {
	return e.ExitStatus != 0 && e.ExitStatus != notExecutable && e.ExitStatus != notFound
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("%s failed: %s; run it by hand to see why, and correct it in %s", e.Setting, e.Reason, cmp.Or(e.Option, "the target's configuration"))
}

// Restore gets a file into dst, which must be in a directory of the caller's own,
// because commands may put other things next to it. The file has exactly size bytes, if
// that is not zero, has no other links, and passed check, which may be
// nil. Any file at dst is lost, and after a failure there is none.
//
// A failing command or an invalid file is tried again,
// because archives across a network fail briefly; finally the error is a
// *NotFoundError. If a signal killed the command or the shell could not run it, which is
// a status over 125, the error is a *CommandError at once. If a Fetch says that
// there is no such file, the error is a *NotFoundError at once; after its other errors
// it is finally a *FetchError.
func (a *Archive) Restore(ctx context.Context, name, dst string, size int64, check func(path string) error) error {
	return a.restore(ctx, name, dst, cmp.Or(a.Attempts, defaultAttempts), size, check)
}

// RestoreHistory gets the history of a timeline into dst, as Restore does, and
// reads it. Most histories that are requested do not exist, which is how a server finds
// the latest timeline, so there is only one attempt, except with a Fetch, which can tell
// a missing file from a failure. The error is a *NotFoundError if the archive has none,
// but not if the file is too large to be a history.
func (a *Archive) RestoreHistory(ctx context.Context, tli pgdata.TimelineID, dst string) ([]byte, error) {
	name := pgdata.HistoryFileName(tli)
	err := a.restore(ctx, name, dst, 1, 0, nil)
	if err != nil {
		return nil, err
	}
	history, err := readHistory(dst)
	if err != nil {
		err = fmt.Errorf("could not read file %q from archive: %w", name, err)
		return nil, errors.Join(err, os.RemoveAll(dst))
	}
	return history, nil
}

func readHistory(path string) ([]byte, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, timeline.MaxSize+1))
	if err == nil && len(b) > timeline.MaxSize {
		err = fmt.Errorf("it has more than %d bytes, which is too large for a history", timeline.MaxSize)
	}
	return b, err
}

// getter makes single attempts to get one file.
type getter struct {
	by    string // its name in messages
	text  string // the command as it is run, or empty
	again int    // number of attempts after errors that are not a *NotFoundError
	log   *slog.Logger
	get   func(ctx context.Context) error
}

// commander gets a file with the command.
func (a *Archive) commander(name, dst string) (getter, error) {
	c, err := a.expand(name, dst)
	return getter{by: restoreCommand, text: c.text, log: c.log, get: func(ctx context.Context) error {
		c.log.Debug(fmt.Sprintf("executing restore command %q", c.text), "setting", c.setting, "command", c.text)
		status, err := a.processes.run(ctx, c)
		if err == nil && status != 0 {
			err = &NotFoundError{ExitStatus: status}
		}
		return err
	}}, err
}

// restore gets a file that must have a size and pass check.
func (a *Archive) restore(ctx context.Context, name, dst string, attempts int, size int64, check func(path string) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	dst, err := filepath.Abs(dst)
	if err != nil {
		return err
	}
	var g getter
	if a.Fetch != nil {
		g = a.fetcher(name, dst)
	} else if g, err = a.commander(name, dst); err != nil {
		return err
	}
	pause := cmp.Or(a.Pause, time.Second)
	for n := 1; ; n, pause = n+1, 2*pause {
		err := g.attempt(ctx, dst, size, check)
		if err == nil {
			return nil
		}
		if rerr := os.RemoveAll(dst); rerr != nil {
			return fmt.Errorf("%w; could not remove what it left: %w", err, rerr)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("could not restore file %q from archive: %w", name, ctx.Err())
		}
		of := attempts
		var missing *NotFoundError
		var failed *FetchError
		switch {
		case errors.As(err, &missing):
			missing.Name, missing.Command, missing.Attempts = name, g.text, n
			if missing.Certain {
				return missing
			}
		case errors.As(err, &failed):
			failed.Name, failed.Attempts, of = name, n, g.again
		default:
			return err
		}
		if n >= of {
			return err
		}
		g.log.Info(fmt.Sprintf("could not restore file %q from archive in attempt %d of %d, trying again in %s", name, n, of, pause),
			"segment", name, "attempt", n, "attempts", of, "pause", pause, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// attempt tries once. The error is a *NotFoundError or a *FetchError if another attempt is
// worthwhile.
func (g getter) attempt(ctx context.Context, dst string, size int64, check func(string) error) error {
	if err := os.RemoveAll(dst); err != nil {
		return fmt.Errorf("could not remove %q before it is restored: %w", dst, err)
	}
	if err := g.get(ctx); err != nil {
		return err
	}
	if err := g.accept(dst, size, check); err != nil {
		return &NotFoundError{Err: err}
	}
	return nil
}

func (g getter) accept(dst string, size int64, check func(string) error) error {
	info, err := os.Stat(dst)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New(g.by + " succeeded, but did not create the file")
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New(g.by + " created something that is not a regular file")
	case size != 0 && info.Size() != size:
		return fmt.Errorf("unexpected file size: %d instead of %d", info.Size(), size)
	}
	if isLink(dst) {
		if err := ownCopy(dst); err != nil {
			return err
		}
	}
	if check == nil {
		return nil
	}
	return check(dst)
}

// ownCopy replaces a link to a file of the archive, which some commands create, with a
// copy: a server will overwrite its WAL files when it recycles them.
func ownCopy(dst string) (err error) {
	from, err := regular.Open(dst)
	if err != nil {
		return err
	}
	defer from.Close()
	temp := dst + ".copy"
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	to, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		return errors.Join(err, to.Close())
	}
	if err := to.Close(); err != nil {
		return err
	}
	return os.Rename(temp, dst)
}

// Close kills what commands left running in the background, for example to
// prefetch the next files. After that the caller may remove its directory.
func (a *Archive) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.processes.close()
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
