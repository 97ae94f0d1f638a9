//go:build unix

package datadir

import (
	"os"
	"syscall"
)

// askProcess checks whether a process is alive, and whether it belongs to this user.
func askProcess(pid int) error {
	switch err := syscall.Kill(pid, 0); err {
	case syscall.ESRCH:
		return errNoProcess
	case syscall.EPERM:
		return errOtherPeople
	default:
		return err
	}
}

// isOwn reports whether the data directory belongs to this process's user.
func (d *Dir) isOwn() bool {
	info, err := d.root.Stat(".")
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
