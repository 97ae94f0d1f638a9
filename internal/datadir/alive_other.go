//go:build !unix

package datadir

import "os"

func alive(pid int) bool {
	p, err := os.FindProcess(pid) // opens the process where there is no signal 0
	if err != nil {
		return false
	}
	p.Release()
	return true
}
