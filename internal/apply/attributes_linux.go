package apply

import (
	"bytes"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const accessList = "system.posix_acl_access"

// copyXattrs copies extended attributes, except those that sign a file's content.
func copyXattrs(to, from *os.File, mode uint32) []Loss {
	names, err := xattrs(from)
	if err != nil {
		return []Loss{{"extended attributes", err}}
	}
	var lost []Loss
	listed := false
	for _, name := range names {
		switch name {
		case "", "security.ima", "security.evm", "security.capability":
			continue
		}
		listed = listed || name == accessList
		if err := copyXattr(to, from, name); err != nil {
			lost = append(lost, Loss{"extended attribute " + name, err})
			if name == accessList {
				_ = unix.Fchmod(int(to.Fd()), mode&0o707) // with a list, these bits are the list's mask, not the group's permissions
			}
		}
	}
	if !listed {
		_ = unix.Fremovexattr(int(to.Fd()), accessList) // the one that the directory gives to new files
	}
	return lost
}

func copyXattr(to, from *os.File, name string) error {
	want, err := xattr(from, name)
	if errors.Is(err, unix.ENODATA) {
		return nil
	} else if err != nil {
		return err
	}
	if have, err := xattr(to, name); err == nil && bytes.Equal(have, want) {
		return nil
	}
	return unix.Fsetxattr(int(to.Fd()), name, want, 0)
}

// xattrs lists the names of a file's extended attributes, none if the file system
// does not support them.
func xattrs(f *os.File) ([]string, error) {
	b, err := grown(func(b []byte) (int, error) { return unix.Flistxattr(int(f.Fd()), b) })
	if isRefused(err) {
		return nil, nil
	}
	return strings.Split(string(b), "\x00"), err
}

func xattr(f *os.File, name string) ([]byte, error) {
	return grown(func(b []byte) (int, error) { return unix.Fgetxattr(int(f.Fd()), name, b) })
}

// grown calls get with buffers until one is large enough.
func grown(get func([]byte) (int, error)) ([]byte, error) {
	for size := 256; ; size *= 4 {
		b := make([]byte, size)
		n, err := get(b)
		if errors.Is(err, unix.ERANGE) && size < 1<<20 {
			continue
		}
		if err != nil {
			return nil, err
		}
		return b[:n], nil
	}
}
