//go:build unix

package target

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// writable reports why entries cannot be made in a directory (access(2)).
func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }

// lookDevice takes the device for the mount.
func lookDevice(name string) (mount uint64, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return 0, err
	}
	return uint64(st.Dev), nil //nolint:unconvert // its type depends on the system
}

// free is statfs(2): what an ordinary user may still write.
func free(dir string) (bytes int64, device uint64, ok bool) {
	device, err := lookDevice(dir)
	if err != nil {
		return 0, 0, false
	}
	bytes, err = freeBytes(dir)
	return bytes, device, err == nil
}

// lock takes a lock that ends with the process, or says that another one has it.
func lock(f *os.File) (taken bool, err error) {
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
