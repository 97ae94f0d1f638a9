package apply

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// openDirect opens a file for direct I/O.
const openDirect = unix.O_DIRECT

// reserve allocates blocks. If the file system cannot, it writes zeros.
func reserve(f File, size int64) error {
	file, ok := f.(*os.File)
	if !ok || size == 0 {
		return writeZeros(f, size)
	}
	for {
		err := unix.Fallocate(int(file.Fd()), 0, 0, size)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case isRefused(err), errors.Is(err, unix.EIO), errors.Is(err, unix.ENODEV):
			return writeZeros(f, size)
		}
		return err
	}
}

// copyRange is copy_file_range(2), which shares blocks on file systems that can.
func copyRange(dst File, to int64, src io.ReaderAt, at, length int64) (int64, error) {
	out, ok := dst.(*os.File)
	in, also := src.(*os.File)
	if !ok || !also {
		return copyThrough(dst, to, src, at, length)
	}
	var sum int64
	for sum < length {
		from, into := at+sum, to+sum
		n, err := unix.CopyFileRange(int(in.Fd()), &from, int(out.Fd()), &into, int(min(length-sum, 1<<30)), 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EXDEV), errors.Is(err, unix.EIO), isRefused(err), err == nil && n == 0:
			// A disk error will show again. If the file seems to end here, it may be that
			// the file system does not support the call.
			n, err := copyThrough(dst, to+sum, src, at+sum, length-sum)
			return sum + n, err
		case err != nil:
			return sum, os.NewSyscallError("copy_file_range", err)
		}
		sum += int64(n)
	}
	return sum, nil
}

// allocate is fallocate(2). It does not change the file's size.
func allocate(f File, size int64) {
	if file, ok := f.(*os.File); ok {
		_ = unix.Fallocate(int(file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size) // a file system may not know it
	}
}

// flush is sync_file_range(2).
func flush(f File) {
	if file, ok := f.(*os.File); ok {
		_ = unix.SyncFileRange(int(file.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE) // a file system may not know it
	}
}

// syncFS is syncfs(2).
func syncFS(f *os.File) error { return unix.Syncfs(int(f.Fd())) }

// statMount finds out what permissions do not show: whether a file or directory is
// immutable, and on which mount it is. If the kernel cannot say (mount IDs: before
// 5.8, or if statx(2) is refused), the device is used for the mount.
func statMount(name string) (mount uint64, err error) {
	var st unix.Statx_t
	err = unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st)
	if isRefused(err) {
		return deviceOf(name)
	}
	if err != nil {
		return 0, err
	}
	if st.Attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0 {
		err = errImmutable
	}
	if st.Mask&unix.STATX_MNT_ID != 0 {
		return st.Mnt_id, err
	}
	return unix.Mkdev(st.Dev_major, st.Dev_minor), err
}

// lockOfFile is the fcntl(2) command for a lock.
const lockOfFile = unix.F_OFD_SETLK
