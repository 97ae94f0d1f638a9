package download

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gorewind/gorewind/internal/pgtest/built"
	"github.com/gorewind/gorewind/internal/pgtest/cache"
	"github.com/gorewind/gorewind/internal/pgtest/lockfile"
	"github.com/gorewind/gorewind/internal/pgtest/process"
)

// embedded lists the builds that can be downloaded, by the names of their
// majors. They contain only initdb, pg_ctl and postgres. There is no build of 19
// yet.
var embedded = []struct{ major, version string }{
	{"9.6", "9.6.24"},
	{"10", "10.23.0"},
	{"11", "11.22.0"},
	{"12", "12.22.0"},
	{"13", "13.22.0"},
	{"14", "14.18.0"},
	{"15", "15.13.0"},
	{"16", "16.9.0"},
	{"17", "17.5.0"},
	{"18", "18.3.0"},
}

// embeddedAdvice is what to do if one is not available.
const embeddedAdvice = "its first use downloads it from the public Maven repository and keeps it: run the tests once with a network that reaches that"

// HasEmbedded reports whether there is a build of a major.
func HasEmbedded(major string) bool { return versionOf(major) != "" }

func versionOf(major string) string {
	for _, e := range embedded {
		if e.major == major {
			return e.version
		}
	}
	return ""
}

// Embedded returns the directory of the programs of a major's downloadable build. The
// first call on a machine downloads it; several processes may do so concurrently. A
// download is kept if check accepts its programs. The error wraps
// ErrUnavailable if there is no build or it cannot be downloaded.
func Embedded(ctx context.Context, major string, check func(bindir string) error) (string, error) {
	version := versionOf(major)
	if version == "" {
		return "", fmt.Errorf("PostgreSQL %s is %w as a download", major, ErrUnavailable)
	}
	dir, err := fetchEmbedded(ctx, version, check)
	if err != nil {
		return "", fmt.Errorf("PostgreSQL %s is %w: %w (%s)", version, ErrUnavailable, err, embeddedAdvice)
	}
	return filepath.Join(dir, "bin"), nil
}

// MissingEmbedded are those of the majors whose build has not been downloaded yet.
func MissingEmbedded(majors []string) []string {
	dir, err := cache.Dir()
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(majors), func(m string) bool {
		return !HasEmbedded(m) || isDir(filepath.Join(cache.Embedded(dir), versionOf(m)))
	})
}

var (
	fetching sync.Mutex
	offline  error // why no download of this process will succeed
)

// fetchEmbedded returns the directory into which an embedded build is unpacked. It
// is created by a rename, so if it exists it is complete.
func fetchEmbedded(ctx context.Context, version string, check func(bindir string) error) (string, error) {
	dir, err := cache.Dir()
	if err != nil {
		return "", err
	}
	base := cache.Embedded(dir)
	final := filepath.Join(base, version)
	if isDir(final) {
		return final, nil
	}
	fetching.Lock()
	defer fetching.Unlock()
	if offline != nil {
		return "", offline
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockfile.Lock(filepath.Join(base, version+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if isDir(final) {
		return final, nil
	}
	stage := filepath.Join(base, version+".part")
	if err := os.RemoveAll(stage); err != nil { // left by a killed process
		return "", err
	}
	defer func() { _ = os.RemoveAll(stage) }()
	if err := fetchInto(ctx, stage, version); err != nil {
		return "", err
	}
	tree := filepath.Join(stage, "tree")
	if err := check(filepath.Join(tree, "bin")); err != nil {
		return "", fmt.Errorf("the download is not a server: %w", err)
	}
	return final, os.Rename(tree, final)
}

// fetchInto lets the program in directory "embedded" unpack a build into stage/tree.
func fetchInto(ctx context.Context, stage, version string) error {
	program, err := built.Fetcher()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, version, stage)
	process.KillGroup(cmd)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		offline = fmt.Errorf("download: %w", ctx.Err())
		return offline
	}
	err = fmt.Errorf("%s: %w", bytes.TrimSpace(out), err)
	if bytes.Contains(out, []byte("unable to connect")) {
		offline = err
	}
	return err
}
