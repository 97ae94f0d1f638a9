package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// Dir is the data directory of a server that was shut down cleanly.
type Dir struct {
	dir *datadir.Dir
}

// OpenDir opens a stopped server's data directory. Whether the server really is
// stopped, the rewind checks.
func OpenDir(name string) (*Dir, error) {
	d, err := datadir.Open(name)
	if err != nil {
		return nil, err
	}
	return &Dir{dir: d}, nil
}

// Close gives back the directory handles.
func (s *Dir) Close() error { return s.dir.Close() }

func (s *Dir) String() string { return s.dir.Name() }

// Path is the directory's absolute path.
func (s *Dir) Path() string { return s.dir.Name() }

// ServerPID is the process of the server that runs in the directory, or zero.
func (s *Dir) ServerPID() (int, error) { return s.dir.ServerPID() }

// Files lists the directory.
func (s *Dir) Files(ctx context.Context) iter.Seq2[pgdata.FileInfo, error] {
	return func(yield func(pgdata.FileInfo, error) bool) {
		for info, err := range s.dir.Files() {
			if err == nil {
				err = ctx.Err()
			}
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

// ReadFile reads a small file.
func (s *Dir) ReadFile(_ context.Context, path string) ([]byte, error) { return s.dir.ReadFile(path) }

// copyBuffer is how much of a file is read at once.
const copyBuffer = 1 << 20

// Fetch reads the ranges one after the other.
func (s *Dir) Fetch(ctx context.Context, ranges iter.Seq[Range], dst Sink) error {
	var f *os.File // the file of the last range, which often is that of the next one
	var name string
	defer func() {
		if f != nil {
			f.Close()
		}
	}()
	buf := make([]byte, copyBuffer)
	for r := range ranges {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f == nil || name != r.Path {
			if f != nil {
				f.Close()
			}
			var err error
			f, err = s.dir.Open(r.Path)
			name = r.Path
			if errors.Is(err, fs.ErrNotExist) {
				f = nil
				if err := dst.Vanished(r.Path); err != nil {
					return err
				}
				continue
			} else if err != nil {
				return err
			}
		}
		if err := s.copyRange(f, r, buf, dst); err != nil {
			return err
		}
	}
	return nil
}

func (s *Dir) copyRange(f *os.File, r Range, buf []byte, dst Sink) error {
	for done := int64(0); ; {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), r.Length-done)], r.Offset+done)
		if err != nil && err != io.EOF {
			return fmt.Errorf("could not read file %q at offset %d: %w", s.dir.Join(r.Path), r.Offset+done, datadir.Reason(err))
		}
		if werr := dst.WriteAt(r.Path, buf[:n], r.Offset+done); werr != nil {
			return werr
		}
		done += int64(n)
		if err == io.EOF || n == 0 || done == r.Length {
			return nil
		}
	}
}
