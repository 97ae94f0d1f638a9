package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// ErrNotInArchive says that an archive does not have a file, and that this is certain.
var ErrNotInArchive = errors.New("the archive does not have the file")

// FetchError says that a file could not be fetched. Whether the archive has it is not
// known: it may be out of reach for a while.
type FetchError struct {
	Name     string
	Attempts int
	// Err is what the last attempt ended by. It is not unwrapped: what it wraps, such as
	// fs.ErrNotExist or the end of a context of its own, would be taken for another
	// trouble than it is.
	Err error
}

func (e *FetchError) Error() string {
	return fmt.Sprintf("could not fetch file %q from archive: %v in attempt %d; see that the archive can be reached, and try again", e.Name, e.Err, e.Attempts)
}

// notInArchive is the error of a function that says that there is no file. Of what it
// wraps only that counts.
type notInArchive struct{ error }

func (notInArchive) Unwrap() error { return ErrNotInArchive }

// fetcher has the caller's function get a file.
func (a *Archive) fetcher(name, dst string) getter {
	return getter{
		by: "FetchWAL", log: orDiscard(a.Logger), again: cmp.Or(a.Attempts, defaultAttempts),
		get: func(ctx context.Context) error {
			err := a.Fetch(ctx, name, dst)
			switch {
			case err == nil:
				return nil
			case errors.Is(err, ErrNotInArchive):
				return &NotFoundError{Certain: true, Err: notInArchive{err}}
			}
			return &FetchError{Err: err}
		},
	}
}
