package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/gorewind/gorewind/internal/datadir"
)

// isRefused reports whether a system call is not available, on this file system or
// in this process: gorewind then uses another way or does without. Go's library and
// the server treat the same errors alike.
func isRefused(err error) bool {
	for _, errno := range []error{syscall.ENOSYS, syscall.EPERM, syscall.EINVAL, syscall.ENOTSUP, syscall.EOPNOTSUPP} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// sync makes a file or directory durable. Some systems cannot fsync directories at
// all; there the server does without, too (fsync_fname_ext, file_utils.c).
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

// syncOutside is sync for a directory outside of the target, by its absolute path.
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
	t.warnOnce("sync", fmt.Sprintf("directory %q cannot be fsynced: after a power cut, files may be missing in it and in other directories: %v", dir, datadir.Reason(err)))
}

// chmod changes permissions, if the file system has any.
func (t *Target) chmod(p string, mode fs.FileMode) error {
	err := t.disk.Chmod(p, mode)
	if !isRefused(err) {
		return err
	}
	t.warnOnce("chmod", fmt.Sprintf("file %q does not get the permissions %#o; other files may not get theirs either: %v", t.Join(p), mode, datadir.Reason(err)))
	return nil
}
