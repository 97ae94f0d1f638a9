package target

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// reserve allocates blocks; file systems that cannot get zeros instead.
func reserve(f File, size int64) error {
	file, ok := f.(*os.File)
	if !ok || size == 0 {
		return writeZeros(f, size)
	}
	err := unix.Fallocate(int(file.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return writeZeros(f, size)
	}
	return err
}

// copyRange is copy_file_range(2), which shares blocks on file systems that can.
func copyRange(dst, src File, offset, length int64) error {
	to, ok := dst.(*os.File)
	from, also := src.(*os.File)
	if !ok || !also {
		return copyThrough(dst, src, offset, length)
	}
	for length > 0 {
		in, out := offset, offset
		n, err := unix.CopyFileRange(int(from.Fd()), &in, int(to.Fd()), &out, int(min(length, 1<<30)), 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EXDEV), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
			return copyThrough(dst, src, offset, length)
		case err != nil:
			return os.NewSyscallError("copy_file_range", err)
		case n == 0:
			return nil // the file ends here
		}
		offset, length = offset+int64(n), length-int64(n)
	}
	return nil
}

// syncFS is syncfs(2).
func syncFS(f *os.File) error { return unix.Syncfs(int(f.Fd())) }

// look finds out what permissions do not tell: whether a file or directory is
// immutable, and which mount it lies on. Where the kernel cannot say (mount ids:
// before 5.8) the device stands for the mount.
func look(name string) (mount uint64, err error) {
	var st unix.Statx_t
	err = unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st)
	if errors.Is(err, unix.ENOSYS) {
		return lookDevice(name)
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
