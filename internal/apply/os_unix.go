//go:build unix

package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gorewind/gorewind/internal/datadir"
)

// writable returns why entries cannot be made in a directory, or nil (access(2)).
func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }

// deviceOf returns the device for want of a mount ID.
func deviceOf(name string) (mount uint64, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return 0, err
	}
	return uint64(st.Dev), nil //nolint:unconvert // its type depends on the system
}

// free is statfs(2): how much an ordinary user may still write.
func free(dir string) (bytes int64, device uint64, ok bool) {
	device, err := deviceOf(dir)
	if err != nil {
		return 0, 0, false
	}
	bytes, err = freeBytes(dir)
	return bytes, device, err == nil
}

// lock takes a lock that ends with the process, or reports that another process has
// it. If flock(2) is refused, as on some network file systems, it tries fcntl(2). The
// error is errNoLock if neither works.
func lock(f *os.File) (taken bool, err error) {
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if isNoLock(err) {
		err = unix.FcntlFlock(f.Fd(), lockOfFile, &unix.Flock_t{Type: unix.F_WRLCK, Whence: 0})
	}
	switch {
	case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, unix.EACCES):
		return false, nil
	case isNoLock(err), errors.Is(err, unix.EBADF): // EBADF: the file is open only for reading
		return true, fmt.Errorf("%w: %w", errNoLock, err)
	}
	return err == nil, err
}

func isNoLock(err error) bool {
	return isRefused(err) || errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.EIO)
}

// renameBetween renames a file from one root to another.
func renameBetween(from *os.Root, a string, to *os.Root, b string) error {
	return between("rename", from, a, to, b, unix.Renameat)
}

// linkBetween gives a file of one root a name in another one.
func linkBetween(from *os.Root, a string, to *os.Root, b string) error {
	return between("link", from, a, to, b, func(dir int, name string, other int, otherName string) error {
		return unix.Linkat(dir, name, other, otherName, 0)
	})
}

// between opens the directories of both paths below their roots, so that no link
// leads out of them, and then uses only names in these directories.
func between(op string, from *os.Root, a string, to *os.Root, b string, do func(int, string, int, string) error) error {
	dir, err := datadir.OpenDirectory(from, path.Dir(a))
	if err != nil {
		return err
	}
	defer dir.Close()
	other, err := datadir.OpenDirectory(to, path.Dir(b))
	if err != nil {
		return err
	}
	defer other.Close()
	for {
		err = do(int(dir.Fd()), path.Base(a), int(other.Fd()), path.Base(b))
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return &os.LinkError{Op: op, Old: a, New: b, Err: err}
	}
	return nil
}

// inode is the number that a file keeps when it is renamed, 0 if it is not known.
func inode(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino) //nolint:unconvert // its type depends on the system
	}
	return 0
}
