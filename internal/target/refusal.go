package target

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

// Refusal is an error about what the system did not let gorewind do in a target:
// for want of permission or of room. It tells it from one of a source or of
// another directory, which may lie on the same machine.
type Refusal struct{ Err error }

func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap gives what it is about.
func (r *Refusal) Unwrap() error { return r.Err }

// NoRoom reports whether the file system is full, or a quota is used up.
func (r *Refusal) NoRoom() bool {
	return errors.Is(r.Err, syscall.ENOSPC) || errors.Is(r.Err, syscall.EDQUOT)
}

// refusal makes a *Refusal of an error that is one.
func refusal(err error) error {
	if r := (&Refusal{err}); errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || r.NoRoom() {
		return r
	}
	return err
}

// ReadFile is that of the directory.
func (t *Target) ReadFile(p string) ([]byte, error) {
	b, err := t.Dir.ReadFile(p)
	return b, refusal(err)
}

// Open is that of the directory.
func (t *Target) Open(p string) (*os.File, error) {
	f, err := t.Dir.Open(p)
	return f, refusal(err)
}

// Hash is that of the directory.
func (t *Target) Hash(ctx context.Context, newHash func() hash.Hash, ranges []datadir.Range) ([][]byte, error) {
	sums, err := t.Dir.Hash(ctx, newHash, ranges)
	return sums, refusal(err)
}

// Files is that of the directory.
func (t *Target) Files() iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) {
		for f, err := range t.Dir.Files() {
			if !yield(f, refusal(err)) {
				return
			}
		}
	}
}
