//go:build !linux

package dirtree

import "os"

// nextData is the place itself: only Linux says where data begins.
func nextData(_ *os.File, at int64) (int64, error) { return at, nil }
