package target

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/internal/datadir"
)

// syncWorkers is how many fsyncs are under way at once: the disk merges them.
const syncWorkers = 8

// syncAll makes files and directories durable. One that is gone needs nothing.
func (t *Target) syncAll(ctx context.Context, paths []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(syncWorkers)
	for _, p := range paths {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			root, rest, err := t.ResolveDir(p) // of files it is the same
			if err == nil {
				err = syncPath(root, rest)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("could not fsync %q: %w", t.Join(p), datadir.Reason(err))
			}
			return nil
		})
	}
	return g.Wait()
}

// syncPath fsyncs a file or directory.
func syncPath(root *os.Root, p string) error {
	f, err := root.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	if runtime.GOOS == "windows" {
		info, err := f.Stat()
		if err != nil || info.IsDir() {
			return err // there is no fsync for directories there
		}
		w, err := root.OpenFile(p, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer w.Close()
		return w.Sync()
	}
	return f.Sync()
}
