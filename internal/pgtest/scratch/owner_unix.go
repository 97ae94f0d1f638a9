//go:build unix

package scratch

import (
	"fmt"
	"os"
	"syscall"
)

// OwnedAlone fails unless dir is a directory of this user that nobody else can
// write to.
func OwnedAlone(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || !ok || int(st.Uid) != os.Getuid() {
		return fmt.Errorf("%s is not a directory that only this user can write to", dir)
	}
	return nil
}
