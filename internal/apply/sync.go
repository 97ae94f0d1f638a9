package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/regular"
)

// syncWorkers is how many fsyncs run at once: the disk merges them.
const syncWorkers = 8

// syncAll makes files and directories durable.
func (t *Target) syncAll(ctx context.Context, paths []string) error {
	t.work.begin(true, len(paths))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(syncWorkers)
	for _, p := range paths {
		g.Go(func() error { return t.syncOne(ctx, p) })
	}
	return g.Wait()
}

// syncOne makes a file or directory durable. It may be gone.
func (t *Target) syncOne(ctx context.Context, p string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := t.sync(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t.failed("fsync", p, err)
	}
	t.work.done()
	return nil
}

// errNoSyncFS says that file systems cannot be synced as a whole here.
var errNoSyncFS = errors.New("file systems cannot be synced as a whole")

// syncFileSystems makes everything on the file systems of some directories durable.
// A directory may be gone. The error is errNoSyncFS if files must be synced one by
// one.
func (t *Target) syncFileSystems(dirs []string) error {
	t.work.begin(true, 0) // the system does not say how far it is
	synced := map[uint64]bool{}
	for _, dir := range dirs {
		_, device, known := t.disk.Free(dir)
		if known && synced[device] {
			continue
		}
		err := t.disk.SyncFS(dir)
		if isRefused(err) {
			t.warnOnce("syncfs", fmt.Sprintf("files are fsynced one by one, as the file system of %q cannot be synced as a whole: %v", t.Join(dir), datadir.Reason(err)))
			return errNoSyncFS
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return t.failed("sync the file system of", dir, err)
		} else if err == nil && known {
			synced[device] = true
		}
	}
	return nil
}

// syncPath fsyncs a file or directory.
func syncPath(root *os.Root, p string) error {
	f, err := root.OpenFile(p, os.O_RDONLY|regular.NoWaiting, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if runtime.GOOS == "windows" {
		info, err := f.Stat()
		if err != nil || info.IsDir() {
			return err // directories cannot be fsynced there
		}
		w, err := root.OpenFile(p, os.O_WRONLY|regular.NoWaiting, 0)
		if err != nil {
			return err
		}
		defer w.Close()
		return w.Sync()
	}
	return f.Sync()
}
