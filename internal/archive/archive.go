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

// Archive runs a server's restore_command, or a function in the place of it. Its
// methods may be used concurrently; commands run one after the other, since no server
// runs two at once.
type Archive struct {
	Command string          // restore_command as it is configured; it can hold passwords
	DataDir string          // the server's data directory
	WorkDir string          // the command's working directory; DataDir if empty, as of those that a server runs
	Env     []string        // the command's environment; nil: that of this process
	Version *pgdata.Version // the server's major
	// Fetch, if not nil, is called instead of the command. It makes a file dst of what the
	// archive has by that name, which is a segment's or a history's. The error is
	// ErrNotInArchive where that is nothing; after any other it is called again.
	Fetch    func(ctx context.Context, name, dst string) error
	Attempts int           // how often what fails is tried; 3 if zero
	Pause    time.Duration // between the first two attempts, then twice as long each time; a second if zero
	Logger   *slog.Logger  // gets what the command prints; nil discards

	mu        sync.Mutex
	processes processes
}

// The settings that have commands.
const (
	restoreCommand = "restore_command"
	archiveCommand = "archive_command"
)

const defaultAttempts = 3

// NotFoundError says that the archive did not give a file. Of a command it cannot be
// told whether the archive has it: commands have one status for all failures.
type NotFoundError struct {
	Name       string
	Command    string // as it was run; it can hold passwords
	ExitStatus int    // of the last attempt
	Attempts   int
	Certain    bool  // Archive.Fetch said that there is no such file
	Err        error // what it said, or what was wrong with the file if the command ended with 0; or nil
}

func (e *NotFoundError) Error() string {
	if e.Certain {
		return fmt.Sprintf("could not restore file %q from archive: %v; see that it is the right archive, else take a base backup", e.Name, e.Err)
	}
	why := fmt.Sprintf("restore_command exited with status %d", e.ExitStatus)
	if e.Err != nil {
		why = e.Err.Error()
	}
	return fmt.Sprintf("could not restore file %q from archive: %s in attempt %d; try again if the archive has it, else take a base backup",
		e.Name, why, e.Attempts)
}

// Unwrap gives what was wrong with the file.
func (e *NotFoundError) Unwrap() error { return e.Err }

// CommandError says that a command cannot work, or that it was killed.
type CommandError struct {
	Setting string // restore_command or archive_command
	Command string // as it was run; it can hold passwords
	Reason  string
	// ExitStatus is that of the shell; zero if nothing was run, -1 if a signal ended it.
	ExitStatus int
}

// MayPass reports whether the command, left as it is, may succeed later: a signal ended
// it, or itself says that it could not do its work. What the shell cannot find or run, it
// will not.
func (e *CommandError) MayPass() bool {
	return e.ExitStatus != 0 && e.ExitStatus != notExecutable && e.ExitStatus != notFound
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("%s failed: %s; run it by hand to see why, and correct it in the target's configuration", e.Setting, e.Reason)
}

// Restore gets a file into dst, which must be in a directory of the caller's own:
// commands may put other things beside it. The file has exactly size bytes, if
// that is not zero, is nobody else's by a link, and passed check, which may be
// nil. Whatever was at dst before is lost, and a failure leaves nothing there.
//
// A command that fails and a file that is not what it should be are tried again,
// for archives on the other side of a network fail for moments; the error is a
// *NotFoundError in the end. If a signal killed the command or the shell could not
// run it, which is a status over 125, the error is a *CommandError at once. So is the
// *NotFoundError of a Fetch that says that there is no such file; its other errors are a
// *FetchError in the end.
func (a *Archive) Restore(ctx context.Context, name, dst string, size int64, check func(path string) error) error {
	return a.restore(ctx, name, dst, cmp.Or(a.Attempts, defaultAttempts), size, check)
}

// RestoreHistory gets the history of a timeline into dst, as Restore does, and
// reads it. Most that are asked for do not exist, which is how a server finds the
// latest timeline: so there is one attempt only, but for a Fetch, which tells that from
// trouble. The error is a *NotFoundError where the archive has none; of one that is too
// large to be a history it is another one.
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
		err = fmt.Errorf("it has more than %d bytes, which is no history", timeline.MaxSize)
	}
	return b, err
}

// getter makes an attempt to get one file.
type getter struct {
	by    string // what it is called in messages
	text  string // the command as it is run, or empty
	again int    // how many attempts there are after errors that are no *NotFoundError
	log   *slog.Logger
	get   func(ctx context.Context) error
}

// commander has the command get a file.
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

// restore gets a file that has a size and passes check.
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
			return fmt.Errorf("could not restore file %q from archive: %w", name, context.Cause(ctx))
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

// attempt tries once. The error of what is worth another attempt is a *NotFoundError or
// a *FetchError.
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
		return errors.New(g.by + " succeeded, but did not make the file")
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New(g.by + " made something that is no regular file")
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

// ownCopy replaces a link to a file of the archive, as some commands make, by a
// copy: a server will write to its WAL files when it uses them again.
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

// Close ends what commands left running in the background, as those do that
// fetch the next files early. The caller may remove its directory then.
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
