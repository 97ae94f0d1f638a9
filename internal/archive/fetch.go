package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// ErrNotInArchive says that the archive certainly does not have a file.
var ErrNotInArchive = errors.New("the archive does not have the file")

// FetchError says that a file could not be fetched. It is unknown whether the archive has
// it: the archive may be temporarily unreachable.
type FetchError struct {
	Name     string
	Attempts int
	// Err is the error of the last attempt. It is not unwrapped: what it wraps, such as
	// fs.ErrNotExist or the end of its own context, would be mistaken for another
	// problem.
	Err error
}

func (e *FetchError) Error() string {
	return fmt.Sprintf("could not fetch file %q from archive: %v in attempt %d; make sure that the archive can be reached, and try again", e.Name, e.Err, e.Attempts)
}

// notInArchive wraps the error of a function that says that there is no file. Only that
// fact is unwrapped.
type notInArchive struct{ error }

func (notInArchive) Unwrap() error { return ErrNotInArchive }

// fetcher gets a file with the caller's function.
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
