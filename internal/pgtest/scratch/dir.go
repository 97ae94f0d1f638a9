package scratch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/gorewind/gorewind/internal/pgtest/lockfile"
)

// MaxTempDir keeps the names of sockets below the 104 bytes that every system allows.
const MaxTempDir = 50

// A Dir is a temporary directory that is locked while this process lives, so that
// the next process can remove what a killed one left.
type Dir struct {
	Path   string
	Unlock func()
}

// New creates one below temp, and removes what dead processes left there.
func New(temp, prefix string) (*Dir, error) {
	removeAbandoned(temp, prefix)
	// It gets its name after it is locked, or another process might consider it abandoned.
	dir, err := os.MkdirTemp(temp, ".new-"+prefix)
	if err != nil {
		return nil, err
	}
	unlock, err := lockfile.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	named := filepath.Join(temp, strings.TrimPrefix(filepath.Base(dir), ".new-"))
	if err := os.Rename(dir, named); err != nil {
		unlock()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Dir{Path: named, Unlock: unlock}, nil
}

func (d *Dir) remove() {
	_ = os.RemoveAll(d.Path)
	d.Unlock()
}

// removeAbandoned removes the scratch directories of this user's dead processes.
func removeAbandoned(temp, prefix string) {
	locks, _ := filepath.Glob(filepath.Join(temp, prefix+"*", "lock"))
	for _, lock := range locks {
		if OwnedAlone(filepath.Dir(lock)) != nil {
			continue
		}
		if unlock, ok := lockfile.TryLock(lock); ok {
			_ = os.RemoveAll(filepath.Dir(lock))
			unlock()
		}
	}
}
