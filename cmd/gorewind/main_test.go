package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/fixture"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// result is what a run of the program left behind.
type result struct {
	status         int
	stdout, stderr string
}

// gorewind runs the program in this process.
func gorewind(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(context.WithoutCancel(t.Context()), append([]string{"/usr/bin/gorewind"}, args...), &stdout, &stderr)
	return result{status, stdout.String(), stderr.String()}
}

// restore makes two data directories that have diverged.
func restore(t *testing.T) (target, source string) {
	t.Helper()
	home := t.TempDir()
	target, source = filepath.Join(home, "target"), filepath.Join(home, "source")
	stored := filepath.Join("..", "..", "testdata", "clusters", "18-basic")
	require.NoError(t, fixture.Restore(filepath.Join(stored, "target"), target))
	require.NoError(t, fixture.Restore(filepath.Join(stored, "source"), source))
	return target, source
}

func treeOf(t *testing.T, dir string) pgtest.Tree {
	t.Helper()
	tree, err := pgtest.ComputeTree(dir)
	require.NoError(t, err)
	return tree
}

func TestHelpAndVersion(t *testing.T) {
	for _, flag := range []string{"--help", "-?"} {
		got := gorewind(t, flag)
		assert.Equal(t, 0, got.status)
		assert.Empty(t, got.stderr)
		assert.True(t, strings.HasPrefix(got.stdout, "gorewind resynchronizes a PostgreSQL cluster"))
		for _, option := range []string{"--target-pgdata", "--source-pgdata", "--source-server", "--dry-run", "--no-sync", "--progress", "--debug", "--version", "--help"} {
			assert.Contains(t, got.stdout, option)
		}
		for line := range strings.Lines(got.stdout) {
			assert.LessOrEqual(t, len(strings.TrimSuffix(line, "\n")), 95, line)
			assert.NotContains(t, line, "\t")
		}
	}
	for _, flag := range []string{"--version", "-V"} {
		got := gorewind(t, flag)
		assert.Equal(t, 0, got.status)
		assert.Regexp(t, `^gorewind \(gorewind\) \S+\n$`, got.stdout)
		assert.Empty(t, got.stderr)
	}
}

func TestMessagesCarryTheNameThatItWasCalledBy(t *testing.T) {
	for name, want := range map[string]string{"/usr/bin/pg_rewind": "pg_rewind", "gorewind.exe": "gorewind", "": "gorewind"} {
		var stdout, stderr bytes.Buffer
		run(t.Context(), []string{name}, &stdout, &stderr)
		assert.Equal(t, want+": error: no source specified (--source-pgdata or --source-server)\n"+
			want+": hint: Try \""+want+" --help\" for more information.\n", stderr.String())
	}
}

// The order of the checks is pg_rewind's: of two mistakes the first listed here
// is reported.
func TestUsageErrors(t *testing.T) {
	const target, dir, server = "--target-pgdata=/t", "--source-pgdata=/s", "--source-server=host=x"
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"nothing", nil, "no source specified (--source-pgdata or --source-server)"},
		{"no source, before too many arguments", []string{target, "extra"}, "no source specified (--source-pgdata or --source-server)"},
		{"two sources, before no target", []string{dir, server}, "only one of --source-pgdata or --source-server can be specified"},
		{"no target, before too many arguments", []string{dir, "extra"}, "no target data directory specified (--target-pgdata)"},
		{"too many arguments", []string{"first", "-D", "/t", dir, "second"}, `too many command-line arguments (first is "first")`},
		{"an option that there is not", []string{"--frobnicate"}, "unknown flag: --frobnicate"},
		{"an option without its value", []string{dir, "-D"}, "flag needs an argument: 'D' in -D"},
		{"a value that an option does not take", []string{"--progress=maybe", target, dir}, `invalid argument "maybe" for "-P, --progress" flag`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := gorewind(t, c.args...)
			assert.Equal(t, 2, got.status)
			assert.Empty(t, got.stdout)
			lines := strings.Split(got.stderr, "\n")
			require.Len(t, lines, 3, got.stderr)
			assert.True(t, strings.HasPrefix(lines[0], "gorewind: error: "+c.want), lines[0])
			assert.Equal(t, `gorewind: hint: Try "gorewind --help" for more information.`, lines[1])
		})
	}
}

func TestFailuresBeforeTheTargetIsTouched(t *testing.T) {
	target, source := restore(t)
	t.Run("a target that is not there", func(t *testing.T) {
		got := gorewind(t, "-D", target+"x", "--source-pgdata", source)
		assert.Equal(t, 1, got.status)
		assert.Equal(t, `gorewind: error: could not read permissions of directory "`+target+"x\": no such file or directory\n"+
			"gorewind: detail: The target was not changed.\n", got.stderr)
	})
	t.Run("a server that is not there", func(t *testing.T) {
		got := gorewind(t, "-D", target, "--source-server", "host="+t.TempDir()+" password=TopSecret")
		assert.Equal(t, 1, got.status)
		assert.Contains(t, got.stderr, "gorewind: error: could not connect to the source server on "+os.TempDir())
		assert.NotContains(t, got.stderr, "TopSecret")
		assert.Equal(t, 1, strings.Count(got.stderr, "\n"), got.stderr)
	})
	t.Run("a segment of the WAL is missing", func(t *testing.T) {
		require.NoError(t, os.Remove(filepath.Join(target, "pg_wal", "00000001000000000000000B")))
		before := treeOf(t, target)
		got := gorewind(t, "-D", target, "--source-pgdata", source)
		assert.Equal(t, 3, got.status)
		assert.Contains(t, got.stderr, "00000001000000000000000B")
		assert.Contains(t, got.stderr, "take a base backup")
		assert.Contains(t, got.stderr, "gorewind: detail: The target was not changed.\n")
		assert.Empty(t, before.Diff(treeOf(t, target)))
	})
}

// mustContainInOrder checks that lines appear in a text, one after the other.
func mustContainInOrder(t *testing.T, text string, lines ...string) {
	t.Helper()
	rest := text
	for _, want := range lines {
		found := regexp.MustCompile(`(?m)^` + want + `$`).FindStringIndex(rest)
		if !assert.NotNil(t, found, "line %q in order in:\n%s", want, text) {
			return
		}
		rest = rest[found[1]:]
	}
}

func TestRewindFromADirectory(t *testing.T) {
	target, source := restore(t)
	before, sourceBefore := treeOf(t, target), treeOf(t, source)

	got := gorewind(t, "--dry-run", "-P", "-D", target, "--source-pgdata", source)
	assert.Equal(t, 0, got.status, got.stderr)
	assert.Empty(t, got.stdout)
	mustContainInOrder(t, got.stderr,
		`gorewind: executing in dry-run mode`, `gorewind: detail: The target directory will not be modified\.`,
		`gorewind: servers diverged at WAL location 0/[0-9A-F]+ on timeline 1`,
		`gorewind: need to copy \d+ MB \(total source directory size is \d+ MB\)`, `gorewind: Done!`)
	assert.NotContains(t, got.stderr, "copied")
	assert.Empty(t, before.Diff(treeOf(t, target)), "a dry run changes nothing")

	got = gorewind(t, "-NP", "--debug", "--target-pgdata="+target, "--source-pgdata="+source)
	assert.Equal(t, 0, got.status, got.stderr)
	assert.Empty(t, got.stdout)
	mustContainInOrder(t, got.stderr,
		`gorewind: source timeline history: 1: 0/0 - 0/[0-9A-F]+`,
		`gorewind: servers diverged at WAL location 0/[0-9A-F]+ on timeline 1`,
		`gorewind: reading WAL in target`,
		`gorewind: rewinding from last common checkpoint at 0/[0-9A-F]+ on timeline 1`,
		`gorewind: reading source file list`, `gorewind: reading target file list`,
		`gorewind: base/\d+/\d+ \(COPY\)`,
		`gorewind: pg_wal/00000001000000000000000C \(REMOVE\)`,
		`gorewind: need to copy \d+ MB \(total source directory size is \d+ MB\)`,
		` *\d+/\d+ kB \(\d+%\) copied`, `(\d+)/(\d+) kB \(100%\) copied`,
		`gorewind: creating backup label and updating control file`, `gorewind: Done!`)
	assert.NotContains(t, got.stderr, "syncing", "-N")
	assert.NotContains(t, got.stderr, "\r")
	assert.NotContains(t, got.stderr, "\x1b")
	assert.Empty(t, sourceBefore.Diff(treeOf(t, source)), "the source stays as it is")

	// The rewound target is on the source's timeline, and unclean.
	got = gorewind(t, "-D", target, "--source-pgdata", source)
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, "target server must be shut down cleanly")
}

func TestNoRewindIsRequired(t *testing.T) {
	target, _ := restore(t)
	twin := filepath.Join(t.TempDir(), "twin")
	require.NoError(t, os.CopyFS(twin, os.DirFS(target)))
	got := gorewind(t, "-D", target, "--source-pgdata", twin)
	assert.Equal(t, 0, got.status)
	assert.Equal(t, "gorewind: source and target cluster are on the same timeline\ngorewind: no rewind required\n", got.stderr)
}

func TestProgressOnATerminal(t *testing.T) {
	terminal, text := openTerminal(t)
	out := &messages{name: "gorewind", w: terminal}
	p := newProgress(out)
	const mb = 1 << 20
	p.report(rewind.Progress{Step: "reading source file list"})
	p.report(rewind.Progress{TotalBytes: 10 * mb})
	p.report(rewind.Progress{DoneBytes: 5 * mb, TotalBytes: 10 * mb})
	out.detail("in between")
	p.report(rewind.Progress{DoneBytes: 7 * mb, TotalBytes: 10 * mb})
	p.report(rewind.Progress{DoneBytes: 12 * mb, TotalBytes: 10 * mb}) // a file grew
	p.report(rewind.Progress{Step: "syncing target data directory"})
	p.close()
	got := text()
	assert.Contains(t, got, "copying  50% ")
	assert.Regexp(t, `\(5\.0/10 MiB, \d+ .iB/s\)`, got)
	assert.Contains(t, got, "\rgorewind: detail: in between\r\n", "a message takes the bar's place")
	assert.True(t, strings.HasSuffix(got, "\rgorewind: syncing target data directory\r\n"), "%q", got)
	assert.NotContains(t, got, "kB (", "that is for pipes")
}

func TestAWholeRewindOnATerminal(t *testing.T) {
	terminal, text := openTerminal(t)
	target, source := restore(t)
	status := run(t.Context(), []string{"gorewind", "-P", "-N", "-D", target, "--source-pgdata", source}, terminal, terminal)
	got := text()
	assert.Equal(t, 0, status, got)
	assert.Contains(t, got, "gorewind: Done!\r\n")
	assert.NotContains(t, got, "kB (", "that is for pipes")
}
