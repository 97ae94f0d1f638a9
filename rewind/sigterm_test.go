//go:build unix

package rewind_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// envAsk makes the test program a process that does the rewind of a scenario, is sent
// SIGTERM at its k-th change, and finishes what is committed: "k|scenario|root|source".
const envAsk = "GOREWIND_TEST_ASK"

// stopIfAsked does what envAsk says, and then does not return.
func stopIfAsked() {
	args := strings.Split(os.Getenv(envAsk), "|")
	if len(args) != 4 {
		return
	}
	if err := rewindAsked(args[0], args[1], args[2], args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func rewindAsked(at, name, root, src string) error {
	k, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return err
	}
	dir, err := source.OpenDir(src)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	p := specimen{root: root}
	opts := rewind.Options{TargetDir: p.target(), Source: &movedSource{dir, p.root}, AfterCommit: context.Background()}
	for _, s := range scenarios() {
		if s.name == name {
			s.opts(&opts)
		}
	}
	var n atomic.Int64
	r, err := rewind.Prepare(ctx, opts.WithDisk(func(d apply.Disk) apply.Disk {
		return faultdisk.Wrap(withoutSync(d), func(op faultdisk.Op) error {
			if !op.Read && n.Add(1) == k {
				if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
					return err
				}
				<-ctx.Done()
			}
			return nil
		})
	}))
	if err != nil {
		return err
	}
	defer r.Close()
	err = r.Apply(ctx)
	if err == nil && n.Load() < k {
		fmt.Println("undisturbed")
	}
	return err
}

// TestACommittedRewindIsFinishedAfterSIGTERM sends signals to a rewinding process
// at every change that it makes, or at a sample of them. It stops with the target
// unchanged, or it finishes; nothing is left for the next run to do.
func TestACommittedRewindIsFinishedAfterSIGTERM(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	var stopped, finished atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, s := range scenarios() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				p := newSpecimenFor(t, s.mode)
				start := p.begin(t, s)
				for k, more := int64(1), true; more; k += step(12 * s.every) {
					require.NoError(t, start.Store(p.root))
					child := exec.Command(self)
					child.Env = append(os.Environ(), envAsk+"="+strings.Join([]string{strconv.FormatInt(k, 10), s.name, p.root, p.src}, "|"))
					out, err := child.CombinedOutput()
					what := fmt.Sprintf("asked to stop at change %d: %s", k, out)
					more = string(out) != "undisturbed\n"
					state := p.checkState(t, what)
					if err != nil {
						require.Contains(t, string(out), "context canceled")
						require.NotEqual(t, rewind.StateUnfinished, state, what)
						p.finish(t, state, what)
						stopped.Add(1)
					} else {
						require.Equal(t, rewind.StateRewound, state, what)
						finished.Add(1)
					}
					p.mustBeRewound(t, what)
				}
			})
		}
	})
	assert.NotZero(t, stopped.Load())
	assert.NotZero(t, finished.Load())
	pgtest.Note(fmt.Sprintf("asked a rewind to stop: it stopped with the target unchanged or in place %d times, and finished %d times", stopped.Load(), finished.Load()))
}
