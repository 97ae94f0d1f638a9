//go:build unix

package libpq

import (
	"io/fs"
	"os"
	"syscall"
)

var errNotDir error = syscall.ENOTDIR

// keyIsPrivate checks the permissions of a private key as libpq does: the group may
// read it only if root owns it.
func keyIsPrivate(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	if ok && st.Uid == 0 && mode&0o037 == 0 {
		return true
	}
	return mode&0o077 == 0 && (!ok || st.Uid == 0 || int(st.Uid) == os.Geteuid())
}
