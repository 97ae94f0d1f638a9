package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/gorewind/gorewind/internal/pgtest/scratch"
)

// Env names the variable that moves the cache.
const Env = "GOREWIND_TEST_CACHE"

var (
	mu    sync.Mutex
	known string // the directory, once determined
)

// Dir is the directory that keeps downloads between runs. It is created if it does
// not exist.
func Dir() (string, error) {
	mu.Lock()
	defer mu.Unlock()
	if known == "" {
		dir, err := find()
		if err != nil {
			return "", err
		}
		known = dir
	}
	return known, nil
}

// MoveTo makes another directory the cache, for this process and those that it
// starts.
func MoveTo(dir string) error {
	mu.Lock()
	defer mu.Unlock()
	known = dir
	return os.Setenv(Env, dir)
}

func find() (string, error) {
	if dir := os.Getenv(Env); dir != "" {
		abs, err := filepath.Abs(dir)
		if err == nil {
			err = os.MkdirAll(abs, 0o755)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", Env, err)
		}
		return abs, nil
	}
	if user, err := os.UserCacheDir(); err == nil {
		dir := filepath.Join(user, "gorewind-test")
		if Usable(dir) == nil {
			return dir, nil
		}
	}
	return OwnTempDir()
}

// OwnTempDir is a directory of this user's below the temporary directory.
func OwnTempDir() (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("gorewind-test-%d", os.Getuid()))
	if err := Usable(dir); err != nil {
		return "", fmt.Errorf("no place to keep the servers: %w; set %s", err, Env)
	}
	return dir, nil
}

// Usable creates dir and checks that this user can write there and nobody
// else can, because its programs are going to be run.
func Usable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := scratch.OwnedAlone(dir); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// Embedded is where the downloaded builds are.
func Embedded(cache string) string { return filepath.Join(cache, "embedded") }

// Genuine is where the genuine programs are.
func Genuine(cache string) string { return filepath.Join(cache, "genuine") }

// Templates is the directory of a user's clusters from which others are copied: nobody else
// can read a data directory.
func Templates(cache string, uid int) string {
	return filepath.Join(cache, fmt.Sprintf("templates-%d", uid))
}
