//go:build !unix

package libpq

import (
	"io/fs"
)

var errNotDir = fs.ErrNotExist

// keyIsPrivate checks nothing, like libpq, since these systems have other means.
func keyIsPrivate(fs.FileInfo) bool { return true }
