package download

import (
	"errors"
	"os"
	"time"
)

// ErrUnavailable is the reason why a server cannot be tested with on this
// machine, for want of a network or of the right operating system.
var ErrUnavailable = errors.New("not available")

const fetchTimeout = 5 * time.Minute

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
