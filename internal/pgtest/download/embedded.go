package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"

	"github.com/gorewind/gorewind/internal/pgtest/cache"
	"github.com/gorewind/gorewind/internal/pgtest/lockfile"
	"github.com/gorewind/gorewind/internal/pgtest/scratch"
)

// embedded lists the builds that can be downloaded, by the names of their
// majors. They hold nothing but initdb, pg_ctl and postgres. 19 has no build
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

// embeddedAdvice is what to do where one is not available.
const embeddedAdvice = "its first use downloads it from repo1.maven.org and keeps it: run the tests once with a network that reaches that"

// HasEmbedded tells whether there is a build of a major.
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
// first call on a machine downloads it; several processes may do so at a time. What
// was downloaded is kept if check has nothing against its programs. The error wraps
// ErrUnavailable if there is none or it cannot be had.
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

var (
	fetching sync.Mutex
	offline  error // why no download of this process will succeed
)

// fetchEmbedded returns the directory that an embedded build is unpacked in. It
// appears there by a rename, so if it exists it is whole.
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
	// The library fetches one at a time.
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
	if err := os.RemoveAll(stage); err != nil { // of a process that was killed
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- fetchInto(stage, version, check) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		// The download goes on, holding a lock inside the library.
		offline = fmt.Errorf("download: %w", ctx.Err())
		return "", offline
	}
	defer func() { _ = os.RemoveAll(stage) }()
	if err != nil {
		if strings.Contains(err.Error(), "unable to connect") {
			offline = err
		}
		return "", err
	}
	return final, os.Rename(filepath.Join(stage, "tree"), final)
}

// fetchInto downloads a build and unpacks it in stage/tree. The library does so
// only on the way to starting a server. To stop it there, its runtime directory,
// which is the next thing that it makes, is to be below a regular file of the
// build.
func fetchInto(stage, version string, check func(bindir string) error) error {
	tree := filepath.Join(stage, "tree")
	if _, err := scratch.Run(); err != nil { // takes the library's log file
		return err
	}
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return err
	}
	err := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.PostgresVersion(version)).
		Port(0).
		CachePath(filepath.Join(stage, "archive")).
		BinariesPath(tree).
		RuntimePath(filepath.Join(tree, "bin", "postgres", "not-started")).
		DataPath(filepath.Join(stage, "data")).
		Logger(io.Discard)).Start()
	switch {
	case err == nil:
		return errors.New("the download started a server")
	case !strings.HasPrefix(err.Error(), "unable to create runtime directory"):
		return err
	}
	if err := check(filepath.Join(tree, "bin")); err != nil {
		return fmt.Errorf("what was downloaded is no server: %w", err)
	}
	return nil
}
