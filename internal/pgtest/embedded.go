package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
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

// Embedded returns the downloadable server of a major, such as "17". The first
// call on a machine downloads it; several processes may do so at a time. The
// error wraps ErrUnavailable if there is none or it cannot be had.
func Embedded(ctx context.Context, major string) (*Installation, error) {
	for _, e := range embedded {
		if e.major == major {
			dir, err := fetchEmbedded(ctx, e.version)
			if err != nil {
				return nil, fmt.Errorf("PostgreSQL %s is %w: %w (%s)", e.version, ErrUnavailable, err, embeddedAdvice)
			}
			return inspectOnce(filepath.Join(dir, "bin"))
		}
	}
	return nil, fmt.Errorf("PostgreSQL %s is %w as a download", major, ErrUnavailable)
}

var inspected sync.Map // bin directory → *Installation

func inspectOnce(bindir string) (*Installation, error) {
	if in, ok := inspected.Load(bindir); ok {
		return in.(*Installation), nil
	}
	in, err := Inspect(bindir)
	if err != nil {
		return nil, err
	}
	known, _ := inspected.LoadOrStore(bindir, in)
	return known.(*Installation), nil
}

const fetchTimeout = 5 * time.Minute

var (
	fetching sync.Mutex
	offline  error // why no download of this process will succeed
)

// fetchEmbedded returns the directory that an embedded build is unpacked in. It
// appears there by a rename, so if it exists it is whole.
func fetchEmbedded(ctx context.Context, version string) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	base := filepath.Join(cache, "embedded")
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
	unlock, err := lockFile(filepath.Join(base, version+".lock"))
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
	go func() { done <- fetchInto(stage, version) }()
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
func fetchInto(stage, version string) error {
	tree := filepath.Join(stage, "tree")
	if _, err := run(); err != nil { // takes the library's log file
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
		RuntimePath(filepath.Join(tree, "bin", exe("postgres"), "not-started")).
		DataPath(filepath.Join(stage, "data")).
		Logger(io.Discard)).Start()
	switch {
	case err == nil:
		return errors.New("the download started a server")
	case !strings.HasPrefix(err.Error(), "unable to create runtime directory"):
		return err
	}
	if _, err := Inspect(filepath.Join(tree, "bin")); err != nil {
		return fmt.Errorf("what was downloaded is no server: %w", err)
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
