package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// Dir is the data directory of a server that was shut down cleanly.
type Dir struct {
	dir *datadir.Dir
}

// OpenDir opens a stopped server's data directory. The rewind checks that the server is
// really stopped. The error is a *DirError.
func OpenDir(name string) (*Dir, error) {
	d, err := datadir.Open(name)
	if err != nil {
		return nil, &DirError{Dir: name, Err: err}
	}
	return &Dir{dir: d}, nil
}

// DirError says why a directory could not be opened as a source.
type DirError struct {
	Dir string
	Err error
}

func (e *DirError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("data directory %q could not be opened", e.Dir)
	}
	return e.Err.Error()
}

// Unwrap returns the reason.
func (e *DirError) Unwrap() error { return e.Err }

// Close closes the directory handles.
func (s *Dir) Close() error {
	if s == nil || s.dir == nil {
		return nil
	}
	return s.dir.Close()
}

func (s *Dir) String() string {
	if s == nil || s.dir == nil {
		return ""
	}
	return s.dir.Name()
}

// State is the zero State of a stopped server.
func (s *Dir) State(context.Context) (State, error) { return State{}, nil }

// Path is the directory's absolute path.
func (s *Dir) Path() string { return s.dir.Name() }

// ServerPID is the process ID of the server that runs in the directory, or zero.
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

// Spare leaves unreadable directories out of listings if spared accepts their paths.
func (s *Dir) Spare(spared func(dir string) bool) { s.dir.Spare(spared) }

// ReadFile reads a small file.
func (s *Dir) ReadFile(_ context.Context, path string) ([]byte, error) { return s.dir.ReadFile(path) }

const (
	// maxPart is how many bytes of one file a worker copies before another may help.
	maxPart = 32 << 20
	// maxRanges is how many ranges of one file a worker gets at once.
	maxRanges = 1024
)

// part is a piece of work: ranges of one file.
type part struct {
	path   string
	ranges []Range
}

// Fetch copies on all processors. Large files are shared by several workers.
func (s *Dir) Fetch(ctx context.Context, ranges iter.Seq[Range], dst Sink) error {
	g, ctx := errgroup.WithContext(ctx)
	queue := make(chan part)
	g.Go(func() error {
		defer close(queue)
		for p := range split(ranges) {
			select {
			case queue <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for p := range queue {
				if err := s.copyPart(ctx, p, dst); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// split groups ranges into work: short ranges of one file are combined.
func split(ranges iter.Seq[Range]) iter.Seq[part] {
	return func(yield func(part) bool) {
		var next part
		var size int64
		for r := range ranges {
			for {
				now := r
				now.Length = min(r.Length, maxPart)
				if len(next.ranges) > 0 && (next.path != r.Path || size+now.Length > maxPart || len(next.ranges) == maxRanges) {
					if !yield(next) {
						return
					}
					next, size = part{}, 0
				}
				next.path = r.Path
				next.ranges = append(next.ranges, now)
				size += now.Length
				r.Offset += now.Length
				if r.Length -= now.Length; r.Length == 0 {
					break
				}
			}
		}
		if len(next.ranges) > 0 {
			yield(next)
		}
	}
}

func (s *Dir) copyPart(ctx context.Context, p part, dst Sink) error {
	f, err := s.dir.Open(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return dst.Vanished(p.path)
	} else if err != nil {
		return err
	}
	defer f.Close()
	for _, r := range p.ranges {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := CopyFrom(dst, r.Path, f, r.Offset, r.Length); err != nil {
			return err
		}
	}
	return nil
}
