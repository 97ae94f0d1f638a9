package servers

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/internal/pgtest/download"
	"github.com/gorewind/gorewind/pgdata"
)

// The variables that choose.
const (
	EnvBinDirs = "GOREWIND_TEST_BINDIRS"
	EnvMajors  = "GOREWIND_TEST_MAJORS"
)

// Selected reports whether the environment selects a major for tests.
func Selected(major string) bool {
	want := os.Getenv(EnvMajors)
	return want == "" || slices.ContainsFunc(strings.Split(want, ","), func(m string) bool {
		return strings.TrimSpace(m) == major
	})
}

// Environment is the installations that GOREWIND_TEST_BINDIRS names.
type Environment struct {
	Found  []*cluster.Installation
	Broken map[string]error // by bin directory
}

// FromEnvironment inspects the installations that the environment names.
var FromEnvironment = sync.OnceValue(func() Environment {
	e := Environment{Broken: map[string]error{}}
	for _, dir := range filepath.SplitList(os.Getenv(EnvBinDirs)) {
		if dir == "" {
			continue
		}
		if in, err := inspectOnce(dir); err != nil {
			e.Broken[dir] = err
		} else if Selected(in.Version.Name) {
			e.Found = append(e.Found, in)
		}
	}
	return e
})

// ByVersion sorts installations, oldest first, and removes duplicates.
func ByVersion(ins []*cluster.Installation) []*cluster.Installation {
	slices.SortStableFunc(ins, func(a, b *cluster.Installation) int { return a.Version.ServerNum - b.Version.ServerNum })
	return slices.CompactFunc(ins, func(a, b *cluster.Installation) bool { return a.BinDir == b.BinDir })
}

// Majors are the names of all majors that the environment selects.
func Majors() []string {
	var names []string
	for _, v := range pgdata.Versions() {
		if Selected(v.Name) {
			names = append(names, v.Name)
		}
	}
	return names
}

// Major returns the installation of a major, such as "17": the downloadable build, or the
// genuine one of majors without such a build. The error wraps download.ErrUnavailable
// if there is none.
func Major(ctx context.Context, name string) (*cluster.Installation, error) {
	if !download.HasEmbedded(name) {
		return GenuineMajor(ctx, name)
	}
	bin, err := download.Embedded(ctx, name, func(bindir string) error {
		_, err := cluster.Inspect(bindir)
		return err
	})
	if err != nil {
		return nil, err
	}
	return inspectOnce(bin)
}

// GenuineMajor returns the installation of a major that has all the programs of a
// release, including pg_rewind.
func GenuineMajor(ctx context.Context, name string) (*cluster.Installation, error) {
	bin, err := download.Genuine(ctx, name, Majors())
	if err != nil {
		return nil, err
	}
	return inspectOnce(bin)
}

// GenuineMajors are the names of the majors that the environment selects and
// that are available with all their programs.
func GenuineMajors() []string {
	return slices.DeleteFunc(download.GenuineMajors(), func(m string) bool { return !Selected(m) })
}

// Genuine lists the installations that have all the programs of a PostgreSQL
// release, oldest first: those that the first call on a machine installs, and those of
// GOREWIND_TEST_BINDIRS that have pg_rewind. missing says by major why others are
// unavailable.
func Genuine(ctx context.Context) (ins []*cluster.Installation, missing map[string]error) {
	missing = map[string]error{}
	for _, major := range GenuineMajors() {
		if in, err := GenuineMajor(ctx, major); err != nil {
			missing[major] = err
		} else {
			ins = append(ins, in)
		}
	}
	for _, in := range FromEnvironment().Found {
		if in.Genuine {
			ins = append(ins, in)
		}
	}
	return ByVersion(ins), missing
}

// InstallGenuine installs the missing ones, and reports no errors:
// failures show up where the programs are needed. Other packages' tests find what one
// package's tests installed, and do not check again.
func InstallGenuine(ctx context.Context) {
	for _, major := range download.MissingGenuine(Majors()) {
		_, _ = GenuineMajor(ctx, major)
	}
}

// AreToBeFetched reports whether a download is missing.
func AreToBeFetched() bool { return len(download.MissingEmbedded(Majors())) > 0 }

var inspected sync.Map // bin directory → *cluster.Installation

func inspectOnce(bindir string) (*cluster.Installation, error) {
	if in, ok := inspected.Load(bindir); ok {
		return in.(*cluster.Installation), nil
	}
	in, err := cluster.Inspect(bindir)
	if err != nil {
		return nil, err
	}
	known, _ := inspected.LoadOrStore(bindir, in)
	return known.(*cluster.Installation), nil
}
