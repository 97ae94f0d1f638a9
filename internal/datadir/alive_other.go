//go:build !unix

package datadir

import "os"

// askProcess finds out whether a process lives.
func askProcess(pid int) error {
	p, err := os.FindProcess(pid) // opens the process where there is no signal 0
	if err != nil {
		return errNoProcess
	}
	return p.Release()
}

func (d *Dir) isOwn() bool { return true }
