//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/rewind"
)

// envSignalled makes the test program run as gorewind and send itself signals when it
// writes a text: "signal|how often|text".
const envSignalled = "GOREWIND_TEST_SIGNALLED"

// signalledIfAsked does what envSignalled says, and then does not return.
func signalledIfAsked() {
	what := strings.Split(os.Getenv(envSignalled), "|")
	if len(what) != 3 {
		return
	}
	number, err := strconv.Atoi(what[0])
	times, err2 := strconv.Atoi(what[1])
	if err != nil || err2 != nil {
		panic(fmt.Sprint(what))
	}
	asked, insisted := signals()
	contexts := []context.Context{asked, insisted}
	w := &trigger{Writer: os.Stderr, text: what[2]}
	w.pull = func() {
		if w.pulled {
			return
		}
		for _, ctx := range contexts[:times] {
			if err := syscall.Kill(os.Getpid(), syscall.Signal(number)); err != nil {
				panic(err)
			}
			if !signal.Ignored(syscall.Signal(number)) {
				<-ctx.Done()
			}
		}
	}
	os.Exit(run(asked, insisted, os.Args, os.LookupEnv, os.Stdout, w))
}

func TestSignals(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	const (
		analysis = "reading source file list"
		staged   = "syncing staged data"
		applied  = "creating backup label"
	)
	all := map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT, "SIGHUP": syscall.SIGHUP}
	one := map[string]syscall.Signal{"SIGHUP": syscall.SIGHUP}
	for _, c := range []struct {
		name    string
		signals map[string]syscall.Signal
		at      string
		times   int
		ignored bool // from the beginning
		args    []string
		status  int
		state   rewind.State
		says    []string
	}{
		{
			name: "before anything is staged one stops it", signals: all, at: analysis, times: 1, status: 1, state: rewind.StateClean,
			says: []string{`gorewind: error: the rewind was interrupted`, `gorewind: detail: The target was not changed\.`},
		},
		{
			name: "right before the commit one stops it", signals: one, at: staged, times: 1, status: 1, state: rewind.StateClean,
			says: []string{`gorewind: error: the rewind was interrupted`, `gorewind: detail: The target was not changed\.`},
		},
		{
			name: "after the commit one does not", signals: all, at: applied, times: 1, status: 0, state: rewind.StateRewound,
			says: []string{`gorewind: warning: the rewind was asked to stop, but is committed: it is finished first`, `gorewind: Done!`},
		},
		{
			name: "after the commit two do", signals: one, at: applied, times: 2, status: 4, state: rewind.StateUnfinished,
			says: []string{`gorewind: error: the rewind was interrupted`, `gorewind: detail: The target is half rewound: no server starts on it\.`},
		},
		{
			name: "in place one does not when all has come", signals: one, at: applied, times: 1, args: []string{"--in-place"}, status: 0, state: rewind.StateRewound,
			says: []string{`gorewind: Done!`},
		},
		{name: "as under nohup", signals: one, at: analysis, times: 1, ignored: true, status: 0, state: rewind.StateRewound, says: []string{`gorewind: Done!`}},
	} {
		for name, sig := range c.signals {
			t.Run(c.name+", "+name, func(t *testing.T) {
				target, source := restore(t)
				before := treeOf(t, target)
				args := append([]string{"-P", "-D", target, "--source-pgdata", source}, c.args...)
				cmd := exec.Command(self, args...)
				if c.ignored {
					cmd = exec.Command("sh", append([]string{"-c", `trap "" ` + strings.TrimPrefix(name, "SIG") + `; exec "$0" "$@"`, self}, args...)...)
				}
				cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d|%d|%s", envSignalled, sig, c.times, c.at))
				var stderr strings.Builder
				cmd.Stderr = &stderr
				_ = cmd.Run() // its status is looked at
				require.Equal(t, c.status, cmd.ProcessState.ExitCode(), stderr.String())
				mustContainInOrder(t, strings.ReplaceAll(stderr.String(), filepath.Base(self)+":", "gorewind:"), c.says...)
				status, err := rewind.ReadStatus(target)
				require.NoError(t, err)
				assert.Equal(t, c.state, status.State)
				switch c.state {
				case rewind.StateClean:
					assert.Empty(t, before.Diff(treeOf(t, target)))
				case rewind.StateUnfinished:
					got := gorewind(t, "resume", "-D", target)
					assert.Equal(t, 0, got.status, got.stderr)
				}
			})
		}
	}
}

func TestARewindOutlivesWhoReadsItsMessages(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	target, source := restore(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	cmd := exec.Command(self, "-P", "-D", target, "--source-pgdata", source)
	cmd.Env = append(os.Environ(), envSignalled+"=0|0|nothing")
	cmd.Stderr, cmd.Stdout = w, w
	err = cmd.Run()
	require.NoError(t, w.Close())
	assert.NoError(t, err)
	status, err := rewind.ReadStatus(target)
	require.NoError(t, err)
	assert.Equal(t, rewind.StateRewound, status.State)
}
