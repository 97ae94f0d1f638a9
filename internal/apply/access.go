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

// AccessError is an error about what the system did not let gorewind do in a target:
// for want of permission or of room. It tells it from one of a source or of
// another directory, which may lie on the same machine.
type AccessError struct{ Err error }

func (e *AccessError) Error() string { return e.Err.Error() }

// Unwrap gives what it is about.
func (e *AccessError) Unwrap() error { return e.Err }

// NoSpace reports whether the file system is full, or a quota is used up.
func (e *AccessError) NoSpace() bool {
	return errors.Is(e.Err, syscall.ENOSPC) || errors.Is(e.Err, syscall.EDQUOT)
}

// accessError makes an *AccessError of an error that is one.
func accessError(err error) error {
	if e := (&AccessError{err}); errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || e.NoSpace() {
		return e
	}
	return err
}

// What follows is of the directory, with its errors told from those of a source.

// ReadFile is that of the directory.
func (t *Target) ReadFile(p string) ([]byte, error) {
	b, err := t.Dir.ReadFile(p)
	return b, accessError(err)
}

// Open is that of the directory.
func (t *Target) Open(p string) (*os.File, error) {
	f, err := t.Dir.Open(p)
	return f, accessError(err)
}

// Hash is that of the directory.
func (t *Target) Hash(ctx context.Context, newHash func() hash.Hash, ranges []datadir.Range) ([][]byte, error) {
	sums, err := t.Dir.Hash(ctx, newHash, ranges)
	return sums, accessError(err)
}

// Files is that of the directory.
func (t *Target) Files() iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) {
		for f, err := range t.Dir.Files() {
			if !yield(f, accessError(err)) {
				return
			}
		}
	}
}
