//go:build unix

package apply

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// copyAttributes copies owner, group and extended attributes (including access
// control lists and security labels) from one file to another, and returns those
// that it could not copy. It does not change permissions, except that the group
// loses those that a lost access control list would have masked.
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
