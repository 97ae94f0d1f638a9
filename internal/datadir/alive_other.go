//go:build !unix

package datadir

import "os"

// askProcess checks whether a process is alive.
func askProcess(pid int) error {
	p, err := os.FindProcess(pid) // opens the process on systems without signal 0
	if err != nil {
		return errNoProcess
	}
	return p.Release()
}

func (d *Dir) isOwn() bool { return true }
