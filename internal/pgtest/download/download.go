package download

import (
	"errors"
	"os"
	"time"
)

// ErrUnavailable says that a server is unavailable for tests on this
// machine, for lack of a network or of a suitable operating system.
var ErrUnavailable = errors.New("not available")

const fetchTimeout = 5 * time.Minute

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
