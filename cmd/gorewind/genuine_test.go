package main

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/pgdata"
)

// situation is a command line in a certain situation. TARGET and SOURCE stand for
// diverged data directories, recreated for every situation that modifies
// them.
type situation struct {
	name  string
	line  string
	spoil func(t *testing.T, target, source string)
	// The target is changed, so each program gets its own.
	changes bool
	// Permitted differences, in addition to what normal removes:
	unordered  bool // the order of lines
	onlyErrors bool // lines that are no errors
	skip       *regexp.Regexp
}

func asItIs(*testing.T, string, string) {}

const both = "-D TARGET --source-pgdata SOURCE "

var situations = []situation{
	{name: "nothing"},
	{name: "help", line: "--help"}, // of which only the status counts
	{name: "unknown long option", line: "--frob=1"},
	{name: "unknown short option", line: "-h"},
	{name: "unknown option in a bundle", line: "-nPx"},
	{name: "short option without its argument", line: "-nD"},
	{name: "long option without its argument", line: "--source-p"},
	{name: "argument that is not allowed", line: "--progress=1"},
	{name: "ambiguous abbreviation", line: "--source"},
	{name: "another one", line: "--d"},
	{name: "three ways to go on", line: "--no"},
	{name: "an unambiguous one", line: "--dry"},
	{name: "two dashes", line: "-- -x"},
	{name: "no source, too many arguments", line: "-D x a b"},
	{name: "two sources, no target", line: "--source-pgdata=x --source-server=y"},
	{name: "no target, too many arguments", line: "--source-pgdata=x a"},
	{name: "an empty source", line: "--source-server="},
	{name: "an empty target", line: "-D= --source-server=x a"},
	{name: "recovery configuration without a server", line: "-R -D x --source-pgdata=y z"},
	{name: "too many arguments", line: "a -D x --source-pgdata=y b"},
	{name: "a target that is not there", line: "-D /nowhere --source-pgdata=SOURCE"},
	{name: "a target that is a file", line: "-D /etc/passwd --source-pgdata=SOURCE"},
	{name: "a target that is no cluster", line: "-D /etc --source-pgdata=SOURCE"},
	{name: "a source that is not there", line: "-D TARGET --source-pgdata=/nowhere"},
	{name: "a source that is no cluster", line: "-D TARGET --source-pgdata=/etc"},

	{name: "a dry run", line: "-n " + both},
	{name: "every spelling", line: "-nNDTARGET --source-pgd SOURCE --no-ensure"},
	{name: "abbreviations that options of gorewind also begin with", line: "-n --p " + both, unordered: true},
	{name: "progress of a dry run", line: "-nP " + both, unordered: true},
	{
		name: "debug messages", line: "--debug --dry-run " + both, unordered: true,
		skip: notAsPgRewind,
	},
	{
		name: "a rewind with progress", line: "-P " + both, unordered: true, spoil: asItIs, changes: true,
		skip: regexp.MustCompile("syncing staged data"),
	},
	{name: "a rewind", line: both, spoil: asItIs, changes: true},
	{
		name: "the same timeline", line: both,
		spoil: func(t *testing.T, target, source string) {
			require.NoError(t, os.RemoveAll(source))
			require.NoError(t, os.CopyFS(source, os.DirFS(target)))
		},
	},
	{
		name: "missing WAL", line: "-n " + both, skip: regexp.MustCompile("rewinding from last common checkpoint"),
		spoil: func(t *testing.T, target, _ string) {
			require.NoError(t, os.Remove(filepath.Join(target, "pg_wal", "00000001000000000000000B")))
		},
	},
	{
		name: "no history of the source", line: "-n " + both,
		spoil: func(t *testing.T, _, source string) {
			require.NoError(t, os.Remove(filepath.Join(source, "pg_wal", "00000002.history")))
		},
	},
	{
		name: "different systems", line: "-n " + both,
		spoil: func(t *testing.T, _, source string) { editControl(t, source, func(b []byte) { b[0]++ }) },
	},
	{
		name: "an unclean target", line: "-n --no-ensure-shutdown " + both, onlyErrors: true,
		spoil: func(t *testing.T, target, _ string) { editControl(t, target, setState(controlfile.InProduction)) },
	},
	{
		name: "an unclean target in a dry run", line: "-n " + both, onlyErrors: true,
		spoil: func(t *testing.T, target, _ string) { editControl(t, target, setState(controlfile.InProduction)) },
	},
	{
		name: "a source that runs", line: "-n " + both,
		spoil: func(t *testing.T, _, source string) { editControl(t, source, setState(controlfile.InProduction)) },
	},
	{
		name: "a control file that is cut short", line: "-n " + both,
		spoil: func(t *testing.T, target, _ string) {
			require.NoError(t, os.Truncate(filepath.Join(target, "global", "pg_control"), 0))
		},
	},
	{
		name: "a damaged control file", line: "-n " + both,
		spoil: func(t *testing.T, _, source string) {
			name := filepath.Join(source, "global", "pg_control")
			b, err := os.ReadFile(name)
			require.NoError(t, err)
			b[40]++
			require.NoError(t, os.WriteFile(name, b, 0o600))
		},
	},
	{
		name: "a control file that cannot be read", line: "-n " + both,
		spoil: func(t *testing.T, _, source string) {
			require.NoError(t, os.Chmod(filepath.Join(source, "global", "pg_control"), 0))
		},
	},
}

func setState(s controlfile.State) func([]byte) {
	return func(b []byte) { binary.LittleEndian.PutUint32(b[16:], uint32(s)) }
}

// editControl changes a control file and its checksum.
func editControl(t *testing.T, dir string, edit func([]byte)) {
	t.Helper()
	name := filepath.Join(dir, filepath.FromSlash(pgdata.ControlFilePath))
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	for at := 200; at < 512; at += 4 {
		if crc32.Checksum(b[:at], castagnoli) == binary.LittleEndian.Uint32(b[at:]) {
			edit(b)
			binary.LittleEndian.PutUint32(b[at:], crc32.Checksum(b[:at], castagnoli))
			require.NoError(t, os.WriteFile(name, b, 0o600))
			return
		}
	}
	t.Fatal("the control file has no valid checksum")
}

// notAsPgRewind are lines about files that differ: WAL that both sides have is not copied, which
// older pg_rewinds copy and 19 reports; what WAL does not describe is copied only
// where it differs; what recovery creates is not copied; and the first block of a truncated
// relation is copied.
var notAsPgRewind = regexp.MustCompile(`: (pg_wal/[0-9A-F]{24}|\S+_(fsm|vm|init)|pg_(xact|multixact|commit_ts|subtrans|logical|stat)/\S+|` +
	`\S*pg_filenode\.map|[a-zA-Z_.]+|global/pg_[a-z_.]+|pg_wal/\S+|pg_twophase/\S+) \((COPY|NONE)\)$|: block 0$|: what recovery will choose is not known`)

// Called as pg_rewind, gorewind does and prints the same: the
// same status (zero or not), and the same lines except those that normal removes.
func TestCommandLinesBesideTheGenuinePgRewind(t *testing.T) {
	pgtest.EachGenuine(t, func(t *testing.T, in *pgtest.Installation) {
		program, ok := in.Program("pg_rewind")
		require.True(t, ok)
		home := t.TempDir()
		require.NoError(t, restoreIn(home, in.Version.Name+"-basic"))
		for _, s := range situations {
			t.Run(s.name, func(t *testing.T) {
				theirs, ours := home, home
				if s.spoil != nil {
					theirs = s.make(t, in.Version)
					ours = theirs
				}
				if s.changes {
					ours = s.make(t, in.Version)
				}
				cmd := exec.Command(program, s.args(theirs)...)
				cmd.Env = append(cluster.Env(), "LC_ALL=C")
				var stdout, stderr bytes.Buffer
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				_ = cmd.Run() // its status is looked at
				want := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
				stdout.Reset()
				stderr.Reset()
				status := run(t.Context(), t.Context(), append([]string{program}, s.args(ours)...), noEnvironment, &stdout, &stderr)

				assert.Equal(t, want.status == 0, status == 0, "status %d, genuine %d\n%s", status, want.status, stderr.String())
				assert.Equal(t, want.stdout == "", stdout.String() == "", "standard output")
				// Before 15 the wording was different.
				if in.Version.ServerNum >= 1500 {
					assert.Equal(t, s.normal(want.stderr, theirs), s.normal(stderr.String(), ours))
				}
			})
		}
	})
}

// make creates the situation. If it is not about files, it has only the
// control files, the histories and the WAL, which is fast.
func (s *situation) make(t *testing.T, v *pgdata.Version) string {
	t.Helper()
	home := t.TempDir()
	for _, side := range []string{"target", "source"} {
		stored := filepath.Join("..", "..", "testdata", "clusters", v.Name+"-basic", side)
		require.NoError(t, savedcluster.RestoreStored(stored, filepath.Join(home, side)))
	}
	s.spoil(t, filepath.Join(home, "target"), filepath.Join(home, "source"))
	return home
}

func (s *situation) args(home string) []string {
	line := strings.NewReplacer("TARGET", filepath.Join(home, "target"), "SOURCE", filepath.Join(home, "source")).Replace(s.line)
	return strings.Fields(line)
}

var (
	// Only gorewind prints these: details and hints, except the hint after
	// every mistake in the command line; the first line of a dry run, as in 19.
	// It does not print these in a dry run, since it does not copy then.
	additions = regexp.MustCompile(`: detail: |: hint: (?:[^TY]|T[^r])|: executing in dry-run mode$|kB \(\d+%\) copied$`)
	// It reads WAL from its end, and so stops at another record if a file is
	// missing.
	whichRecord = regexp.MustCompile(`could not (?:read|find previous) WAL record at \S+`)
	megabytes   = regexp.MustCompile(`\d+ MB`)
)

func (s *situation) normal(stderr, home string) []string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(stderr, home, "HOME")) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case additions.MatchString(line), s.skip != nil && s.skip.MatchString(line), s.onlyErrors && !strings.Contains(line, ": error: "):
			continue
		}
		line = whichRecord.ReplaceAllString(line, "could not read WAL record")
		line = megabytes.ReplaceAllString(line, "N MB")
		line = strings.ReplaceAll(line, " '--source-timeout'", "")
		lines = append(lines, line)
	}
	if s.unordered {
		slices.Sort(lines)
	}
	return lines
}

// Colours are those of PostgreSQL's programs.
func TestColoursBesideTheGenuinePgRewind(t *testing.T) {
	pgtest.EachGenuine(t, func(t *testing.T, in *pgtest.Installation) {
		if in.Version.ServerNum < 1500 {
			t.Skip("before 15 the words were others: 15 and later are compared")
		}
		program, _ := in.Program("pg_rewind")
		for _, vars := range [][]string{
			{"PG_COLOR=always"},
			{"PG_COLOR=auto"},
			{"PG_COLOR=never"},
			{"PG_COLOR=always", "PG_COLORS=error=07:locus=04"},
			{"PG_COLOR=always", "PG_COLORS=note=32:unknown=1:warning"},
		} {
			cmd := exec.Command(program, "-D", "x")
			cmd.Env = append(cluster.Env(), vars...)
			want, _ := cmd.CombinedOutput() // it fails
			var got bytes.Buffer
			env := func(name string) (string, bool) {
				for _, v := range vars {
					if n, value, _ := strings.Cut(v, "="); n == name {
						return value, true
					}
				}
				return "", false
			}
			run(t.Context(), t.Context(), []string{program, "-D", "x"}, env, &got, &got)
			assert.Equal(t, string(want), got.String(), "%q", vars)
		}
	})
}

// The same with a running server as the source.
func TestLiveSourcesBesideTheGenuinePgRewind(t *testing.T) {
	const major = "18"
	ins, missing := servers.Genuine(t.Context())
	at := slices.IndexFunc(ins, func(in *pgtest.Installation) bool { return in.Version.Name == major })
	if at < 0 {
		t.Skipf("no genuine pg_rewind of %s: %v", major, cmp.Or(missing[major], errors.New("GOREWIND_TEST_MAJORS leaves it out")))
	}
	program, _ := ins[at].Program("pg_rewind")
	target, source := diverged(t, major)
	connString := source.ConnString("postgres")
	for _, s := range []situation{
		{name: "a dry run with progress", line: "-nP -D TARGET --source-server", unordered: true},
		{
			name: "debug messages", line: "--debug -n -D TARGET --source-server", unordered: true,
			// Nor lines about the transfer, which a dry run does not make.
			skip: regexp.MustCompile(notAsPgRewind.String() + `|: pg_wal/|: fetched file |: getting \d+ file chunks|: received |: the source keeps its WAL`),
		},
	} {
		t.Run(s.name, func(t *testing.T) {
			args := strings.Fields(strings.ReplaceAll(s.line, "TARGET", target.Dir))
			args = append(args, connString)
			cmd := exec.Command(program, args...)
			cmd.Env = append(cluster.Env(), "LC_ALL=C")
			want, err := cmd.CombinedOutput()
			require.NoError(t, err, string(want))
			var got bytes.Buffer
			status := run(t.Context(), t.Context(), append([]string{program}, args...), noEnvironment, &got, &got)
			assert.Equal(t, 0, status, got.String())
			assert.Equal(t, s.normal(string(want), target.Dir), s.normal(got.String(), target.Dir))
		})
	}
}
