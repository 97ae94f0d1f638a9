//go:build unix && !linux

package pgtest

import "errors"

func mountSmallDisk(string, int, int) error {
	return errors.New("this system has no file systems in memory that only one process sees")
}

func unmountSmallDisk(string) {}
