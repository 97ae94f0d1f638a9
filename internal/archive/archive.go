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

// Archive runs a server's restore_command. Its methods may be used concurrently;
// commands run one after the other, since no server runs two at once.
type Archive struct {
	Command  string          // restore_command as it is configured; it can hold passwords
	DataDir  string          // the command's working directory, as of those that a server runs
	Version  *pgdata.Version // the server's major
	Attempts int             // how often a command that fails is run; 3 if zero
	Pause    time.Duration   // between the first two attempts, then twice as long each time; a second if zero
	Logger   *slog.Logger    // gets what the command prints; nil discards

	mu        sync.Mutex
	processes processes
}

// The settings that have commands.
const (
	restoreCommand = "restore_command"
	archiveCommand = "archive_command"
)

// NotFoundError says that the archive did not give a file. Whether it has it
// cannot be told: commands have one status for all failures.
type NotFoundError struct {
	Name       string
	Command    string // as it was run; it can hold passwords
	ExitStatus int    // of the last attempt
	Attempts   int
	Err        error // what was wrong with the file if the command ended with 0, or nil
}

func (e *NotFoundError) Error() string {
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
// run it, which is a status over 125, the error is a *CommandError at once.
func (a *Archive) Restore(ctx context.Context, name, dst string, size int64, check func(path string) error) error {
	return a.restore(ctx, name, dst, cmp.Or(a.Attempts, 3), func(path string) error { return accept(path, size, check) })
}

// RestoreHistory gets the history of a timeline into dst, as Restore does, and
// reads it. Most that are asked for do not exist, which is how a server finds the
// latest timeline: so there is one attempt only. The error is a *NotFoundError
// where the archive has none; of one that is too large to be a history it is
// another one.
func (a *Archive) RestoreHistory(ctx context.Context, tli pgdata.TimelineID, dst string) ([]byte, error) {
	name := pgdata.HistoryFileName(tli)
	err := a.restore(ctx, name, dst, 1, func(path string) error { return accept(path, 0, nil) })
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

// restore has the command make a file that passes check.
func (a *Archive) restore(ctx context.Context, name, dst string, attempts int, check func(path string) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	dst, err := filepath.Abs(dst)
	if err != nil {
		return err
	}
	c, err := a.expand(name, dst)
	if err != nil {
		return err
	}
	pause := cmp.Or(a.Pause, time.Second)
	for n := 1; ; n, pause = n+1, 2*pause {
		err := a.attempt(ctx, c, dst, check)
		if err == nil {
			return nil
		}
		if rerr := os.RemoveAll(dst); rerr != nil {
			return fmt.Errorf("%w; could not remove what it left: %w", err, rerr)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("could not restore file %q from archive: %w", name, context.Cause(ctx))
		}
		var missing *NotFoundError
		if !errors.As(err, &missing) {
			return err
		}
		missing.Name, missing.Command, missing.Attempts = name, c.text, n
		if n >= attempts {
			return missing
		}
		c.log.Info(fmt.Sprintf("could not restore file %q from archive in attempt %d of %d, trying again in %s", name, n, attempts, pause))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// attempt runs the command once. The error of what is worth another attempt is a
// *NotFoundError.
func (a *Archive) attempt(ctx context.Context, c command, dst string, check func(path string) error) error {
	if err := os.RemoveAll(dst); err != nil {
		return fmt.Errorf("could not remove %q before it is restored: %w", dst, err)
	}
	c.log.Debug(fmt.Sprintf("executing restore command %q", c.text))
	status, err := a.processes.run(ctx, c)
	if err != nil {
		return err
	}
	if status != 0 {
		return &NotFoundError{ExitStatus: status}
	}
	if err := check(dst); err != nil {
		return &NotFoundError{Err: err}
	}
	return nil
}

func accept(dst string, size int64, check func(string) error) error {
	info, err := os.Stat(dst)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("restore_command succeeded, but did not make the file")
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("restore_command made something that is no regular file")
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
