package recovery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
)

// Search is what FindPostgres searches for and where.
type Search struct {
	Version *pgdata.Version // the cluster's major
	// BinDir is the directory that the user named. If it is not empty, the
	// program must be there, or the search fails.
	BinDir string
	// Program is the program that the user named, by a path. If it is not empty, nothing
	// is searched, and BinDir does not count.
	Program string
	// Called is how gorewind was called; empty means os.Args[0]. It may be a
	// link in a PostgreSQL bin directory.
	Called string
	// Env is the environment whose PATH is searched, and in which programs run; nil means the
	// environment of this process.
	Env []string
}

// FindPostgres finds the server program of a major: next to gorewind, both where it
// was called and where it really is, then in PATH, then where distributions install
// it. Servers of other majors are skipped. The error is a *NotFoundError.
func FindPostgres(ctx context.Context, s Search) (string, error) {
	missing := &NotFoundError{Version: s.Version}
	var programs []string
	switch {
	case s.Program != "":
		missing.Program = s.Program
		programs = []string{s.Program}
	case s.BinDir != "":
		missing.BinDir = s.BinDir
		programs = []string{filepath.Join(s.BinDir, programName("postgres"))}
	default:
		beside := besideGorewind(s.Called)
		if len(beside) > 0 {
			missing.Beside = beside[0]
		}
		for _, dir := range slices.Concat(beside, filepath.SplitList(lookup(s.Env, "PATH")), usualPlaces(s.Version)) {
			if filepath.IsAbs(dir) { // a relative entry of PATH cannot be trusted
				programs = append(programs, filepath.Join(dir, programName("postgres")))
			}
		}
	}
	tried := map[string]bool{}
	for _, program := range programs {
		program, err := filepath.Abs(program)
		if err != nil || tried[program] {
			continue
		}
		tried[program] = true
		found, err := programVersion(ctx, program, s.Env)
		switch {
		case err == nil && found == s.Version.Name:
			return program, nil
		case ctx.Err() != nil:
			return "", ctx.Err()
		case err == nil:
			missing.Unfit = append(missing.Unfit, fmt.Sprintf("%q is of PostgreSQL %s", program, found))
		case !errors.Is(err, fs.ErrNotExist):
			missing.Unfit = append(missing.Unfit, err.Error())
		}
	}
	return "", missing
}

// lookup returns a variable of an environment, or of this process if that is nil. If it is
// set several times, the last value counts, as in exec.Cmd.
func lookup(env []string, name string) string {
	if env == nil {
		return os.Getenv(name)
	}
	for _, variable := range slices.Backward(env) {
		if n, value, _ := strings.Cut(variable, "="); n == name {
			return value
		}
	}
	return ""
}

func programName(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

// besideGorewind lists the directories of the running program: first that of the link
// by which it was called, then the one to which the link leads.
func besideGorewind(called string) []string {
	if called == "" {
		called = os.Args[0]
	}
	var dirs []string
	add := func(p string) {
		if p, err := filepath.Abs(p); err == nil && !slices.Contains(dirs, filepath.Dir(p)) {
			dirs = append(dirs, filepath.Dir(p))
		}
	}
	paths := []string{}
	if p, err := exec.LookPath(called); err == nil {
		paths = append(paths, p)
	}
	if p, err := os.Executable(); err == nil {
		paths = append(paths, p)
	}
	for _, p := range paths {
		add(p)
		if real, err := filepath.EvalSymlinks(p); err == nil {
			add(real)
		}
	}
	return dirs
}

// versionTimeout is generous: the program only prints a line.
const versionTimeout = time.Minute

// programVersion runs a server program to get its major. The error is
// fs.ErrNotExist if there is no such file.
func programVersion(ctx context.Context, program string, env []string) (string, error) {
	info, err := os.Stat(program)
	if err != nil {
		return "", fmt.Errorf("%q: %w", program, datadir.Reason(err))
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%q is not a program", program)
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-V")
	cmd.Env, cmd.WaitDelay = env, time.Second
	out, err := cmd.CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		return "", fmt.Errorf("%q does not run: %w: %.200s", program, datadir.Reason(err), line)
	}
	major, ok := parseVersion(line)
	if !ok {
		return "", fmt.Errorf("%q -V says %.200q", program, line)
	}
	return major, nil
}

// versionLine matches what postgres -V prints: "postgres (PostgreSQL) 17.5
// (Debian 17.5-1)", "postgres (EnterpriseDB) 15.4.0", "… 19rc1", "… 9.6.24".
var versionLine = regexp.MustCompile(`^\S+ (?:\([^()]*\) )?(\d{1,4})(?:\.(\d{1,4}))?(?:[^0-9].*)?$`)

// parseVersion returns the major in such a line. Majors before 10 have
// two numbers.
func parseVersion(line string) (string, bool) {
	m := versionLine.FindStringSubmatch(line)
	if m == nil {
		return "", false
	}
	if len(m[1]) == 1 {
		return m[1] + "." + m[2], m[2] != ""
	}
	return m[1], true
}
