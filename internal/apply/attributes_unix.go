//go:build unix

package apply

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// copyAttributes gives a file owner, group and extended attributes, access control
// lists and security labels among them, of another one, and says what it could not
// give. The permissions are not touched, except that those of a group are taken away
// where a list was to narrow them.
func copyAttributes(to, from *os.File) []Loss {
	var lost []Loss
	var want, have unix.Stat_t
	if err := errors.Join(unix.Fstat(int(from.Fd()), &want), unix.Fstat(int(to.Fd()), &have)); err != nil {
		return []Loss{{"owner and group", err}}
	}
	if want.Uid != have.Uid {
		if err := unix.Fchown(int(to.Fd()), int(want.Uid), -1); err != nil {
			lost = append(lost, Loss{"owner", err})
		}
	}
	if want.Gid != have.Gid {
		if err := unix.Fchown(int(to.Fd()), -1, int(want.Gid)); err != nil {
			lost = append(lost, Loss{"group", err})
		}
	}
	return append(lost, copyXattrs(to, from, uint32(want.Mode))...) //nolint:unconvert // its type depends on the system
}
