package pgtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
)

// envCache names the variable that moves the cache.
const envCache = "GOREWIND_TEST_CACHE"

// cacheDir is the directory that keeps downloads between runs. It is made if it
// does not exist.
var cacheDir = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv(envCache); dir != "" {
		abs, err := filepath.Abs(dir)
		if err == nil {
			err = os.MkdirAll(abs, 0o755)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", envCache, err)
		}
		return abs, nil
	}
	if user, err := os.UserCacheDir(); err == nil {
		dir := filepath.Join(user, "gorewind-test")
		if usable(dir) == nil {
			return dir, nil
		}
	}
	return ownTempDir()
})

// ownTempDir is a directory of this user's below the temporary directory.
func ownTempDir() (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("gorewind-test-%d", os.Getuid()))
	if err := usable(dir); err != nil {
		return "", fmt.Errorf("no place to keep the servers: %w; set %s", err, envCache)
	}
	return dir, nil
}

// usable makes dir and finds out whether this user can write there and nobody
// else can: its programs are going to be run.
func usable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := ownedAlone(dir); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// maxTempDir keeps sockets' names below the 104 bytes that every system allows.
const maxTempDir = 50

// A scratchDir is a temporary directory that is locked while this process lives,
// so that the next process can remove what a killed one left.
type scratchDir struct {
	path   string
	unlock func()
}

func newScratchDir(temp, prefix string) (*scratchDir, error) {
	removeAbandoned(temp, prefix)
	// It gets its name when it is locked, or another process might take it for abandoned.
	dir, err := os.MkdirTemp(temp, ".new-"+prefix)
	if err != nil {
		return nil, err
	}
	unlock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	named := filepath.Join(temp, strings.TrimPrefix(filepath.Base(dir), ".new-"))
	if err := os.Rename(dir, named); err != nil {
		unlock()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &scratchDir{path: named, unlock: unlock}, nil
}

// removeAbandoned removes the scratch directories of this user's dead processes.
func removeAbandoned(temp, prefix string) {
	locks, _ := filepath.Glob(filepath.Join(temp, prefix+"*", "lock"))
	for _, lock := range locks {
		if ownedAlone(filepath.Dir(lock)) != nil {
			continue
		}
		if unlock, ok := tryLockFile(lock); ok {
			_ = os.RemoveAll(filepath.Dir(lock))
			unlock()
		}
	}
}

// run is the directory that holds everything that this process makes: clusters,
// sockets and the tests' own temporary directories.
var run = sync.OnceValues(func() (*scratchDir, error) {
	temp := os.TempDir()
	if len(temp) > maxTempDir {
		temp = "/tmp"
	}
	r, err := newScratchDir(temp, "gorewind-run-")
	if err != nil {
		return nil, err
	}
	made.Store(true)
	// For t.TempDir, and for libraries that leave files behind.
	return r, os.Setenv("TMPDIR", r.path)
})

var (
	made    atomic.Bool // the run directory exists
	cleaned sync.Once
	atEnd   struct {
		sync.Mutex
		do []func()
	}
)

// atCleanUp adds something that CleanUp does.
func atCleanUp(do func()) {
	atEnd.Lock()
	defer atEnd.Unlock()
	atEnd.do = append(atEnd.do, do)
}

// CleanUp stops every server that this process started and removes what it left
// on disk. Main calls it; a program does so at its end and when interrupted.
func CleanUp() {
	cleaned.Do(func() {
		stopAll()
		atEnd.Lock()
		for _, do := range atEnd.do {
			do()
		}
		atEnd.Unlock()
		if !made.Load() {
			return
		}
		if r, err := run(); err == nil {
			_ = os.RemoveAll(r.path)
			r.unlock()
		}
	})
}
