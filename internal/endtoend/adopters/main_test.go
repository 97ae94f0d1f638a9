package adopters_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

func TestMain(m *testing.M) {
	dieIfAsked()
	pgtest.Main(m)
}

// envDie makes the test program a process that rewinds and is killed when a phase begins:
// "phase|target|source|bindir".
const envDie = "GOREWIND_TEST_DIE"

func dieIfAsked() {
	args := strings.Split(os.Getenv(envDie), "|")
	if len(args) != 4 {
		return
	}
	fmt.Fprintln(os.Stderr, "it was not killed:", rewindAndDie(context.Background(), rewind.Phase(args[0]), args[1], args[2], args[3]))
	os.Exit(1)
}

func rewindAndDie(ctx context.Context, at rewind.Phase, target, from, binDir string) (err error) {
	var src source.Source
	if strings.Contains(from, "=") {
		src, err = pgsource.Open(ctx, from, pgsource.Options{})
	} else {
		src, err = source.OpenDir(from)
	}
	if err != nil {
		return err
	}
	defer src.Close()
	r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: target, Source: src, EnsureShutdown: true, BinDir: binDir, Observer: rewind.Observer{
		PhaseBegan: func(p rewind.Phase) {
			if p == at {
				self, _ := os.FindProcess(os.Getpid())
				_ = self.Kill()
				select {}
			}
		},
	}})
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Apply(ctx)
}

// kill runs a process that rewinds, and kills it when a phase begins.
func kill(t *testing.T, at rewind.Phase, target, from, binDir string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(self)
	child.Env = append(os.Environ(), envDie+"="+string(at)+"|"+target+"|"+from+"|"+binDir)
	out, err := child.CombinedOutput()
	var exit *exec.ExitError
	require.True(t, errors.As(err, &exit) && !exit.Exited(), "%v: %s", err, out)
	left := map[rewind.Phase]rewind.State{rewind.PhaseCommit: rewind.StateStaged, rewind.PhaseApply: rewind.StateUnfinished}
	require.Equal(t, left[at], stateOf(t, target))
}
