package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/gorewind/gorewind/internal/datadir"
)

// isRefused tells the errors of a system call that is not to be had, on this file
// system or in this process at all: what it does better is then done in another way.
// Go's own library and the server take them for the same.
func isRefused(err error) bool {
	for _, errno := range []error{syscall.ENOSYS, syscall.EPERM, syscall.EINVAL, syscall.ENOTSUP, syscall.EOPNOTSUPP} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// sync makes a file or directory durable. Some systems do not let directories be
// fsynced at all; the server does without there, too (fsync_fname_ext, file_utils.c).
func (t *Target) sync(p string) error {
	err := t.disk.Sync(p)
	if !noSyncOfDirs(err) {
		return err
	}
	if info, serr := t.disk.Lstat(p); serr != nil || !info.IsDir() && !t.LinkPoint(p) {
		return err
	}
	t.warnNotSynced(t.Join(p), err)
	return nil
}

// syncOutside is sync for a directory outside of the target, by its whole path.
func (t *Target) syncOutside(dir string) error {
	err := t.disk.SyncOutside(dir)
	if noSyncOfDirs(err) {
		t.warnNotSynced(dir, err)
		return nil
	}
	return err
}

func noSyncOfDirs(err error) bool {
	return err != nil && (isRefused(err) || errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EISDIR))
}

func (t *Target) warnNotSynced(dir string, err error) {
	t.warnOnce("sync", fmt.Sprintf("directory %q cannot be fsynced, so that after a power cut files may be missing in it and in others: %v", dir, datadir.Reason(err)))
}

// chmod changes permissions, where the file system has any.
func (t *Target) chmod(p string, mode fs.FileMode) error {
	err := t.disk.Chmod(p, mode)
	if !isRefused(err) {
		return err
	}
	t.warnOnce("chmod", fmt.Sprintf("file %q does not get the permissions %#o, as others may not: %v", t.Join(p), mode, datadir.Reason(err)))
	return nil
}
