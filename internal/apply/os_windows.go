package apply

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// openDirect is zero: this system has no flag for direct I/O.
const openDirect = 0

// writable returns nil: here this cannot be found out without writing.
func writable(string) error { return nil }

func copyRange(dst File, to int64, src io.ReaderAt, at, length int64) (int64, error) {
	return copyThrough(dst, to, src, at, length)
}

func allocate(File, int64) {}

func flush(File) {}

func reserve(f File, size int64) error { return writeZeros(f, size) }

func syncFS(*os.File) error {
	return errors.New("this system has no syncfs: use the sync method fsync")
}

func statMount(name string) (mount uint64, err error) {
	_, err = os.Lstat(name)
	return 0, err
}

func free(dir string) (bytes int64, device uint64, ok bool) {
	p, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, false
	}
	var available uint64
	err = windows.GetDiskFreeSpaceEx(p, &available, nil, nil)
	return int64(available), 0, err == nil
}

func lock(f *os.File) (taken bool, err error) {
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{Offset: 1 << 30}) // not a byte that a server reads
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

func renameBetween(from *os.Root, a string, to *os.Root, b string) error {
	return os.Rename(filepath.Join(from.Name(), filepath.FromSlash(a)), filepath.Join(to.Name(), filepath.FromSlash(b)))
}

func linkBetween(from *os.Root, a string, to *os.Root, b string) error {
	return os.Link(filepath.Join(from.Name(), filepath.FromSlash(a)), filepath.Join(to.Name(), filepath.FromSlash(b)))
}

// inode returns 0: fs.FileInfo has no file number here.
func inode(fs.FileInfo) uint64 { return 0 }

// copyAttributes does nothing: new files inherit from their directory.
func copyAttributes(_, _ *os.File) []Loss { return nil }
