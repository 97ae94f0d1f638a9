package cluster

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Env is the environment for PostgreSQL's programs: this process's without
// libpq's variables, in English.
func Env() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "PG") || strings.HasPrefix(v, "LC_") || strings.HasPrefix(v, "LANG")
	})
	return append(env, "LC_ALL=C")
}

// Command prepares a command with one of the installation's programs. The test fails if the
// installation lacks it.
func (in *Installation) Command(t T, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, ok := in.Program(name)
	if !ok {
		t.Fatalf("PostgreSQL %s in %s has no %s", in, in.BinDir, name)
	}
	cmd := exec.CommandContext(context.Background(), path, args...)
	cmd.Env = Env()
	return cmd
}

// Output runs one of the installation's programs and returns what it printed.
// The test fails if the program does.
func (in *Installation) Output(t T, name string, args ...string) string {
	t.Helper()
	cmd := in.Command(t, name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}
