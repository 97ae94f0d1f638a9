package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/rewind"
)

func TestMain(m *testing.M) {
	signalledIfAsked()
	pgtest.Main(m)
}

// result is the result of a run of the program.
type result struct {
	status         int
	stdout, stderr string
}

// gorewind runs the program in this process.
func gorewind(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(context.WithoutCancel(t.Context()), context.WithoutCancel(t.Context()), append([]string{"/usr/bin/gorewind"}, args...), noEnvironment, &stdout, &stderr)
	return result{status, stdout.String(), stderr.String()}
}

func noEnvironment(string) (string, bool) { return "", false }

// restore creates two diverged data directories.
func restore(t *testing.T) (target, source string) {
	t.Helper()
	home := t.TempDir()
	target, source = filepath.Join(home, "target"), filepath.Join(home, "source")
	require.NoError(t, restoreIn(home, "18-basic"))
	return target, source
}

// restoreIn creates two data directories, target and source, from a stored cluster.
func restoreIn(home, cluster string) error {
	stored := filepath.Join("..", "..", "testdata", "clusters", cluster)
	return errors.Join(
		savedcluster.Restore(filepath.Join(stored, "target"), filepath.Join(home, "target")),
		savedcluster.Restore(filepath.Join(stored, "source"), filepath.Join(home, "source")))
}

func treeIn(dir string) (dirtree.Tree, error) { return dirtree.Read(dir) }

func treeOf(t *testing.T, dir string) dirtree.Tree {
	t.Helper()
	tree, err := treeIn(dir)
	require.NoError(t, err)
	return tree
}

func TestMessagesCarryTheNameThatItWasCalledBy(t *testing.T) {
	for name, want := range map[string]string{"/usr/bin/pg_rewind": "pg_rewind", "gorewind.exe": "gorewind", "": "gorewind"} {
		var stdout, stderr bytes.Buffer
		run(t.Context(), t.Context(), []string{name}, noEnvironment, &stdout, &stderr)
		assert.Equal(t, want+": error: no source specified (--source-pgdata or --source-server)\n"+
			want+": hint: Try \""+want+" --help\" for more information.\n", stderr.String())
	}
}

func TestFailuresBeforeTheTargetIsTouched(t *testing.T) {
	target, source := restore(t)
	t.Run("a target that is not there", func(t *testing.T) {
		got := gorewind(t, "-D", target+"x", "--source-pgdata", source)
		assert.Equal(t, 1, got.status)
		assert.Equal(t, `gorewind: error: could not read permissions of directory "`+target+"x\": No such file or directory\n", got.stderr)
	})
	t.Run("a server that is not there", func(t *testing.T) {
		got := gorewind(t, "-D", target, "--source-server", "host="+t.TempDir()+" password=TopSecret")
		assert.Equal(t, 1, got.status)
		assert.Contains(t, got.stderr, "gorewind: error: could not connect to the source server on "+os.TempDir())
		assert.NotContains(t, got.stderr, "TopSecret")
		first, rest, _ := strings.Cut(got.stderr, "\n")
		assert.NotEmpty(t, first)
		assert.Equal(t, "gorewind: detail: The target was not changed.\n", rest)
	})
	t.Run("a segment of the WAL is missing", func(t *testing.T) {
		require.NoError(t, os.Remove(filepath.Join(target, "pg_wal", "00000001000000000000000B")))
		for conf, status := range map[string]int{"restore_command = 'false'\n": 1, "": 3} { // an archive may have it, or there is none
			require.NoError(t, os.WriteFile(filepath.Join(target, "postgresql.conf"), []byte(conf), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(target, "postgresql.auto.conf"), nil, 0o600))
			before := treeOf(t, target)
			got := gorewind(t, "-D", target, "--source-pgdata", source)
			assert.Equal(t, status, got.status)
			assert.Contains(t, got.stderr, "00000001000000000000000B")
			assert.Contains(t, got.stderr, "take a base backup")
			assert.Contains(t, got.stderr, "gorewind: detail: The target was not changed.\n")
			assert.Empty(t, before.Diff(treeOf(t, target)))
		}
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
	mustContainInOrder(t, got.stdout, `Plan of a rewind`, `Where they diverge`, `What is lost`, `What is copied`, `Whether it will start`)
	mustContainInOrder(t, got.stderr,
		`gorewind: executing in dry-run mode`, `gorewind: detail: The target directory will not be modified\.`,
		`gorewind: servers diverged at WAL location 0/[0-9A-F]+ on timeline 1`,
		`gorewind: need to copy \d+ MB \(total source directory size is \d+ MB\)`, `gorewind: Done!`)
	assert.NotContains(t, got.stderr, "copied")
	assert.Empty(t, before.Diff(treeOf(t, target)), "a dry run changes nothing")

	got = gorewind(t, "-NP", "--debug", "--summary", "--target-pgdata="+target, "--source-pgdata="+source)
	assert.Equal(t, 0, got.status, got.stderr)
	assert.Empty(t, got.stdout)
	mustContainInOrder(t, got.stderr,
		`gorewind: Source timeline history:`, `gorewind: 1: 0/0 - 0/[0-9A-F]+`, `gorewind: 2: 0/[0-9A-F]+ - 0/0`,
		`gorewind: Target timeline history:`, `gorewind: 1: 0/0 - 0/0`,
		`gorewind: servers diverged at WAL location 0/[0-9A-F]+ on timeline 1`,
		`gorewind: reading WAL in target`,
		`gorewind: rewinding from last common checkpoint at 0/[0-9A-F]+ on timeline 1`,
		`gorewind: reading source file list`, `gorewind: reading target file list`,
		`gorewind: base/\d+/\d+ \(COPY\)`,
		`gorewind: pg_wal/00000001000000000000000C \(REMOVE\)`,
		`gorewind: need to copy \d+ MB \(total source directory size is \d+ MB\)`,
		` *\d+/\d+ kB \(\d+%\) copied`, `(\d+)/(\d+) kB \(100%\) copied`,
		`gorewind: creating backup label and updating control file`, `gorewind: Done!`,
		`The target is rewound and can follow the source\.`, `What it took`, ` +[\d.]+ s  stage, .* copied`, `Not copied`, `What was lost`, `  \d+ committed transactions?, .* of WAL`)
	assert.NotContains(t, got.stderr, "syncing", "-N")
	assert.NotContains(t, got.stderr, "\r")
	assert.NotContains(t, got.stderr, "\x1b")
	assert.Empty(t, sourceBefore.Diff(treeOf(t, source)), "the source stays as it is")

	// The rewound target is on the source's timeline.
	got = gorewind(t, "-D", target, "--source-pgdata", source)
	assert.Equal(t, 0, got.status)
	assert.Equal(t, "gorewind: source and target cluster are on the same timeline\ngorewind: no rewind required\n", got.stderr)
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
	p.report(rewind.Progress{Activity: rewind.Copying, TotalBytes: 10 * mb})
	p.report(rewind.Progress{Activity: rewind.Copying, DoneBytes: 5 * mb, TotalBytes: 10 * mb, Rate: mb, Remaining: 5 * time.Second})
	out.detail("in between")
	p.report(rewind.Progress{Activity: rewind.Copying, DoneBytes: 7 * mb, TotalBytes: 10 * mb, Waiting: 12 * time.Second})
	p.report(rewind.Progress{Activity: rewind.Copying, DoneBytes: 12 * mb, TotalBytes: 10 * mb}) // a file grew
	p.report(rewind.Progress{Step: "syncing target data directory"})
	p.report(rewind.Progress{Activity: rewind.Syncing, DoneFiles: 1, TotalFiles: 2})
	_, _ = terminal.WriteString("^C") // which the terminal shows by itself
	p.close()
	out.error("the rewind was interrupted")
	got := text()
	assert.Contains(t, got, "copying: 50%, 5.0 MB of 10 MB, 1.0 MB/s, 5 s left")
	assert.Contains(t, got, "copying: 70%, 7.0 MB of 10 MB, source lost for 12 s, waiting for it")
	assert.Contains(t, got, "\r\x1b[Kgorewind: detail: in between\r\n", "a message takes the line's place")
	assert.Contains(t, got, "\r\x1b[Kgorewind: syncing target data directory\r\n", "%q", got)
	assert.True(t, strings.HasSuffix(got, "^C\r\x1b[Kgorewind: error: the rewind was interrupted\r\n"), "an interruption leaves a clean line: %q", got)
	assert.NotContains(t, got, "kB (", "that is for pipes")
}

func TestProgressInAPipe(t *testing.T) {
	const mb = 1 << 20
	copying := rewind.Progress{Activity: rewind.Copying, DoneBytes: 5 * mb, TotalBytes: 10 * mb, Rate: mb, Remaining: 5 * time.Second}
	lost := copying
	lost.Rate, lost.Remaining, lost.Waiting = 0, 0, 90*time.Second
	for _, c := range []struct {
		says, program string
		reports       []rewind.Progress
		want          string
		apart         time.Duration // from report to report
	}{
		{"what is copied has pg_rewind's line, with rate and remaining time", "gorewind", []rewind.Progress{copying}, " 5120/10240 kB (50%) copied, 1.0 MB/s, 5 s left\n", 0},
		{"in the place of pg_rewind it has nothing else", "pg_rewind", []rewind.Progress{copying, lost}, " 5120/10240 kB (50%) copied\n 5120/10240 kB (50%) copied\n", 0},
		{"a source that is lost has no rate", "gorewind", []rewind.Progress{lost}, " 5120/10240 kB (50%) copied, source lost for 1m30s, waiting for it\n", 0},
		{"WAL whose end is not known has no remaining time", "gorewind", []rewind.Progress{{Activity: rewind.ReadingWAL, DoneBytes: 3 * mb, Rate: 2 * mb}}, "gorewind: reading WAL: 3.0 MB, 2.0 MB/s\n", 0},
		{"files are counted where nothing else is", "gorewind", []rewind.Progress{{Activity: rewind.ListingFiles, DoneFiles: 7, Rate: 1}}, "gorewind: listing files: 7 files, 1 file/s\n", 0},
		{"syncing has a remaining time", "gorewind", []rewind.Progress{{Activity: rewind.Syncing, DoneFiles: 3, TotalFiles: 12, Rate: 3, Remaining: 3 * time.Second}}, "gorewind: syncing: 25%, 3 of 12 files, 3 files/s, 3 s left\n", 0},
		{"syncing a whole file system shows how long it takes", "gorewind", []rewind.Progress{{Step: "syncing"}, {Activity: rewind.Syncing}, {Activity: rewind.Syncing}}, "gorewind: syncing\ngorewind: syncing: for 7 s\ngorewind: syncing: for 14 s\n", 7 * time.Second},
		{"a file that takes long shows how long", "gorewind", []rewind.Progress{{Activity: rewind.Applying}, {Activity: rewind.Syncing, DoneFiles: 1, TotalFiles: 2}, {Activity: rewind.Syncing, DoneFiles: 1, TotalFiles: 2}}, "gorewind: applying changes\ngorewind: syncing: 50%, 1 of 2 files\ngorewind: syncing: 50%, 1 of 2 files, for 7 s\n", 7 * time.Second},
		{"all but copying is said seldom", "gorewind", []rewind.Progress{{Activity: rewind.Applying, DoneFiles: 1, TotalFiles: 4}, {Activity: rewind.Applying, DoneFiles: 2, TotalFiles: 4}}, "gorewind: applying changes: 25%, 1 of 4 files\n", 0},
		{"pg_rewind says nothing of it", "pg_rewind", []rewind.Progress{{Activity: rewind.ComparingFiles, DoneBytes: 1, TotalBytes: 4}}, "", 0},
	} {
		t.Run(c.says, func(t *testing.T) {
			var b strings.Builder
			p := newProgress(&messages{name: c.program, w: &b})
			now := time.Now()
			p.now = func() time.Time { return now }
			for _, r := range c.reports {
				p.report(r)
				now = now.Add(c.apart)
			}
			assert.Equal(t, c.want, b.String())
		})
	}
}

func TestAWholeRewindOnATerminal(t *testing.T) {
	terminal, text := openTerminal(t)
	target, source := restore(t)
	status := run(t.Context(), t.Context(), []string{"gorewind", "-P", "-N", "-D", target, "--source-pgdata", source}, noEnvironment, terminal, terminal)
	got := text()
	assert.Equal(t, 0, status, got)
	assert.Contains(t, got, "gorewind: Done!\r\n")
	assert.Contains(t, got, "\r\n\x1b[1mWhat was lost\x1b[0m\r\n")
	assert.NotContains(t, got, "kB (", "that is for pipes")
}
