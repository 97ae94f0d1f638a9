package pgtest

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/internal/pgtest/process"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
)

// atATime is how many tests run concurrently. They wait for servers about as much as they
// work, so it is more than the number of processors.
var atATime = max(4, 2*runtime.NumCPU())

// running limits the concurrent subtests of Each and EachGenuine: a test
// has two or three servers.
var running = make(chan struct{}, atATime)

// Each runs fn as a parallel subtest for every installation: the downloadable
// build of every major, the genuine one of majors without such a build, and all
// that GOREWIND_TEST_BINDIRS names. An unavailable major is skipped with
// the reason.
func Each(t *testing.T, fn func(t *testing.T, in *cluster.Installation)) {
	t.Helper()
	needUnprivileged(t)
	EachOf(t, servers.Majors(), fn)
	eachFromEnvironment(t, func(*cluster.Installation) bool { return true }, fn)
}

// EachGenuine is Each for the installations that have all the programs of a
// release, including pg_rewind. It is skipped if there are none.
func EachGenuine(t *testing.T, fn func(t *testing.T, in *cluster.Installation)) {
	t.Helper()
	needUnprivileged(t)
	for _, major := range servers.GenuineMajors() {
		subtest(t, major, "pg_rewind of "+major, func() (*cluster.Installation, error) { return servers.GenuineMajor(context.Background(), major) }, fn)
	}
	eachFromEnvironment(t, func(in *cluster.Installation) bool { return in.Genuine }, fn)
}

// EachOf is Each for the majors that are named.
func EachOf(t *testing.T, majors []string, fn func(t *testing.T, in *cluster.Installation)) {
	t.Helper()
	needUnprivileged(t)
	for _, major := range majors {
		if servers.Selected(major) {
			subtest(t, major, major, func() (*cluster.Installation, error) { return servers.Major(context.Background(), major) }, fn)
		}
	}
}

func eachFromEnvironment(t *testing.T, want func(*cluster.Installation) bool, fn func(t *testing.T, in *cluster.Installation)) {
	t.Helper()
	env := servers.FromEnvironment()
	for dir, err := range env.Broken {
		t.Errorf("%s: %s: %v", servers.EnvBinDirs, dir, err)
	}
	for i, in := range env.Found {
		if want(in) {
			name := fmt.Sprintf("%s-bindir%d", in.Full, i+1)
			subtest(t, name, name, func() (*cluster.Installation, error) { return in, nil }, fn)
		}
	}
}

func subtest(t *testing.T, name, what string, find func() (*cluster.Installation, error), fn func(t *testing.T, in *cluster.Installation)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		running <- struct{}{}
		t.Cleanup(func() { <-running })
		in, err := find()
		if err != nil {
			noteMissing(what, err)
			t.Skip(err)
		}
		noteUsed(in)
		fn(t, in)
	})
}

// needUnprivileged fails a test that would start servers as root.
func needUnprivileged(t *testing.T) {
	t.Helper()
	if process.IsRoot() {
		t.Fatal("PostgreSQL does not run as root: call pgtest.Main from TestMain (with -fuzz, as another user)")
	}
}
