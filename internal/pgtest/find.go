package pgtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gorewind/gorewind/pgdata"
)

const (
	envBinDirs = "GOREWIND_TEST_BINDIRS"
	envMajors  = "GOREWIND_TEST_MAJORS"
)

// selected tells whether the environment wants tests of a major.
func selected(major string) bool {
	want := os.Getenv(envMajors)
	return want == "" || slices.ContainsFunc(strings.Split(want, ","), func(m string) bool {
		return strings.TrimSpace(m) == major
	})
}

type environment struct {
	found  []*Installation
	broken map[string]error // by bin directory
}

// fromEnvironment inspects the installations that the environment names.
var fromEnvironment = sync.OnceValue(func() environment {
	e := environment{broken: map[string]error{}}
	for _, dir := range filepath.SplitList(os.Getenv(envBinDirs)) {
		if dir == "" {
			continue
		}
		if in, err := inspectOnce(dir); err != nil {
			e.broken[dir] = err
		} else if selected(in.Version.Name) {
			e.found = append(e.found, in)
		}
	}
	return e
})

// byVersion sorts installations, oldest first, and drops doubles.
func byVersion(ins []*Installation) []*Installation {
	slices.SortStableFunc(ins, func(a, b *Installation) int { return a.Version.ServerNum - b.Version.ServerNum })
	return slices.CompactFunc(ins, func(a, b *Installation) bool { return a.BinDir == b.BinDir })
}

// atATime is how many tests run at a time. They wait for servers as often as they
// work, so it is more than there are processors.
var atATime = max(4, 2*runtime.NumCPU())

// running bounds the subtests of Each and EachGenuine that run at a time: a test
// has two or three servers.
var running = make(chan struct{}, atATime)

// Each runs fn as a parallel subtest for every installation: the downloadable
// build of every major, the genuine one of majors without such a build, and all
// that GOREWIND_TEST_BINDIRS names. A major that cannot be had is skipped with
// the reason.
func Each(t *testing.T, fn func(t *testing.T, in *Installation)) {
	t.Helper()
	needUnprivileged(t)
	for _, v := range pgdata.Versions() {
		if selected(v.Name) {
			subtest(t, v.Name, v.Name, func() (*Installation, error) { return Major(context.Background(), v.Name) }, fn)
		}
	}
	eachFromEnvironment(t, func(*Installation) bool { return true }, fn)
}

// EachGenuine is Each for the installations that have all the programs of a
// release, pg_rewind among them. It is skipped where there are none.
func EachGenuine(t *testing.T, fn func(t *testing.T, in *Installation)) {
	t.Helper()
	needUnprivileged(t)
	for _, major := range genuineMajors {
		if selected(major) {
			subtest(t, major, "pg_rewind of "+major, func() (*Installation, error) { return genuineMajor(context.Background(), major) }, fn)
		}
	}
	eachFromEnvironment(t, func(in *Installation) bool { return in.Genuine }, fn)
}

// Major returns the installation of a major, such as "17", that Each uses. The
// error wraps ErrUnavailable if it cannot be had.
func Major(ctx context.Context, name string) (*Installation, error) {
	for _, e := range embedded {
		if e.major == name {
			return Embedded(ctx, name)
		}
	}
	return genuineMajor(ctx, name)
}

func eachFromEnvironment(t *testing.T, want func(*Installation) bool, fn func(t *testing.T, in *Installation)) {
	t.Helper()
	env := fromEnvironment()
	for dir, err := range env.broken {
		t.Errorf("%s: %s: %v", envBinDirs, dir, err)
	}
	for i, in := range env.found {
		if want(in) {
			name := fmt.Sprintf("%s-bindir%d", in.Full, i+1)
			subtest(t, name, name, func() (*Installation, error) { return in, nil }, fn)
		}
	}
}

func subtest(t *testing.T, name, what string, find func() (*Installation, error), fn func(t *testing.T, in *Installation)) {
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

// needUnprivileged fails a test that would try to start servers as root.
func needUnprivileged(t *testing.T) {
	t.Helper()
	if isRoot() {
		t.Fatal("PostgreSQL does not run as root: call pgtest.Main from TestMain (with -fuzz, as another user)")
	}
}

func exe(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}
