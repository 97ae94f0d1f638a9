package apply

import (
	"context"
	"errors"
	"hash"
	"io/fs"
	"iter"
	"os"
	"syscall"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// AccessError is an error of an operation on the target that the system refused,
// because of permissions or lack of space. Its type tells it from errors of a source
// or of another directory, which may be on the same machine.
type AccessError struct{ Err error }

func (e *AccessError) Error() string { return e.Err.Error() }

// Unwrap returns the system's error.
func (e *AccessError) Unwrap() error { return e.Err }

// NoSpace reports whether the file system is full, or a quota is used up.
func (e *AccessError) NoSpace() bool {
	return errors.Is(e.Err, syscall.ENOSPC) || errors.Is(e.Err, syscall.EDQUOT)
}

// accessError turns an error that is about permissions or space into an
// *AccessError.
func accessError(err error) error {
	if e := (&AccessError{err}); errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || e.NoSpace() {
		return e
	}
	return err
}

// The methods below are those of the directory. Their errors are AccessErrors.

// ReadFile reads a file of the target.
func (t *Target) ReadFile(p string) ([]byte, error) {
	b, err := t.Dir.ReadFile(p)
	return b, accessError(err)
}

// Open opens a file of the target for reading.
func (t *Target) Open(p string) (*os.File, error) {
	f, err := t.Dir.Open(p)
	return f, accessError(err)
}

// Hash hashes parts of the target's files.
func (t *Target) Hash(ctx context.Context, newHash func() hash.Hash, ranges []datadir.Range) ([][]byte, error) {
	sums, err := t.Dir.Hash(ctx, newHash, ranges)
	return sums, accessError(err)
}

// Files lists the target's files.
func (t *Target) Files() iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) {
		for f, err := range t.Dir.Files() {
			if !yield(f, accessError(err)) {
				return
			}
		}
	}
}
