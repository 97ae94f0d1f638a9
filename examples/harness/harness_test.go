// Package harness shows how to test that a rewind makes an old primary what the new one
// is, except for what it is to keep. It needs no server. It is a module of its own.
//
//	go test -v .
package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/rewindtest"
	"github.com/gorewind/gorewind/source"
)

func TestARewindLeavesNoDifferenceButTheConfiguration(t *testing.T) {
	pair := rewindtest.New(t, rewindtest.Options{})
	before := filepath.Join(t.TempDir(), "before")
	check(t, os.CopyFS(before, os.DirFS(pair.Target)))

	r, err := rewind.Prepare(t.Context(), rewind.Options{
		TargetDir: pair.Target, Source: pair.OpenSource(t), Keep: []string{rewindtest.Configuration},
	})
	check(t, err)
	defer r.Close()

	// The dry run: every file that differs is in the plan or kept, and nothing changes.
	plan := r.Document(t.Context(), nil)
	for _, f := range diff(t, pair.Target, pair.Source) {
		t.Log(f)
		if !slices.ContainsFunc(plan.Files, func(p report.File) bool { return p.Path == f.Path }) {
			t.Errorf("%s differs, and is not in the plan", f.Path)
		}
	}
	rewindtest.Equal(t, pair.Target, before, 0)

	// The real run: once both have replayed their WAL, all that differs is what was kept.
	check(t, r.Apply(t.Context()))
	rewindtest.Equal(t, pair.Target, pair.Source, pair.SourceEnd, rewindtest.Configuration)
	left, err := rewindtest.Differences(t.Context(), pair.Target, pair.Source, pair.SourceEnd)
	check(t, err)
	if want := []string{"postgresql.conf: content"}; !slices.Equal(left, want) {
		t.Errorf("%q differ, not %q", left, want)
	}
}

// TestADifferenceIsReported spoils the result, so the check above would fail.
func TestADifferenceIsReported(t *testing.T) {
	pair := rewindtest.New(t, rewindtest.Options{})
	r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: pair.Target, Source: pair.OpenSource(t)})
	check(t, err)
	defer r.Close()
	check(t, r.Apply(t.Context()))

	table := filepath.Join(pair.Target, "base/5/16384")
	pages, err := os.ReadFile(table)
	check(t, err)
	pages[4*8192-10]++ // in a row of block 3
	check(t, os.WriteFile(table, pages, 0o600))

	var failed recorder
	if rewindtest.Equal(&failed, pair.Target, pair.Source, pair.SourceEnd) {
		t.Fatal("the difference went unnoticed")
	}
	t.Log(failed.said)
	for _, part := range []string{"base/5/16384: content", " 3: content"} {
		if !strings.Contains(failed.said, part) {
			t.Errorf("the report does not say %q", part)
		}
	}
}

// recorder records what fails a test, instead of failing it.
type recorder struct {
	testing.TB // for the methods that are not called
	said       string
}

func (*recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) { r.said += fmt.Sprintf(format, args...) }

// diff returns how two directories differ.
func diff(t *testing.T, a, b string) []rewind.FileDiff {
	t.Helper()
	one, err := source.OpenDir(a)
	check(t, err)
	defer func() { _ = one.Close() }()
	other, err := source.OpenDir(b)
	check(t, err)
	defer func() { _ = other.Close() }()
	d, err := rewind.Diff(t.Context(), rewind.DiffOptions{A: one, B: other})
	check(t, err)
	return d.Files
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
