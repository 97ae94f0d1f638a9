package rewind_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/built"
	"github.com/gorewind/gorewind/internal/pgtest/randomtest"
	"github.com/gorewind/gorewind/internal/pgtest/servers"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// envDie makes the test program a process that does the rewind of a scenario and dies
// at its k-th change: "k|scenario|root|source".
const envDie = "GOREWIND_TEST_DIE"

// dieIfAsked does what envDie says, and then does not return.
func dieIfAsked() {
	args := strings.Split(os.Getenv(envDie), "|")
	if len(args) != 4 {
		return
	}
	k, err := strconv.ParseInt(args[0], 10, 64)
	for _, s := range append(scenarios(), saving()) {
		if s.name != args[1] || err != nil {
			continue
		}
		var dir *source.Dir
		if dir, err = source.OpenDir(args[3]); err != nil {
			break
		}
		p := specimen{root: args[2]}
		opts := rewind.Options{TargetDir: p.target(), Source: &movedSource{dir, p.root}}
		s.opts(&opts)
		var n atomic.Int64
		err = s.do(opts.WithDisk(func(d apply.Disk) apply.Disk {
			return faultdisk.Wrap(withoutSync(d), func(op faultdisk.Op) error {
				if op.Read || n.Add(1) < k {
					return nil
				}
				self, _ := os.FindProcess(os.Getpid())
				_ = self.Kill()
				select {}
			})
		}))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// TestEveryDeath kills a rewinding process. TestEveryInstant relies on a death being
// the same as doing nothing more, so a sample is enough here.
func TestEveryDeath(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	var instants atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, s := range scenarios() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				p := newSpecimenFor(t, s.mode)
				start := p.begin(t, s)
				for k, died := int64(1), true; died; k += step(6 * s.every) {
					require.NoError(t, start.Store(p.root))
					child := exec.Command(self)
					child.Env = append(os.Environ(), envDie+"="+strings.Join([]string{strconv.FormatInt(k, 10), s.name, p.root, p.src}, "|"))
					out, err := child.CombinedOutput()
					var exit *exec.ExitError
					if died = errors.As(err, &exit) && !exit.Exited(); !died {
						require.NoError(t, err, "%s", out)
					}
					what := fmt.Sprintf("the process died at change %d", k)
					p.finish(t, p.checkState(t, what), what)
					p.mustBeRewound(t, what)
					instants.Add(1)
				}
			})
		}
	})
	pgtest.Note(fmt.Sprintf("killed %d processes", instants.Load()))
}

// TestKilledPrograms kills gorewind at random moments while it rewinds real servers
// with a busy source, and then finishes the rewind.
func TestKilledPrograms(t *testing.T) {
	seed := randomtest.Seed()
	kills, rounds, majors := map[rewind.State]int{}, 2, []string{"18"}
	if torture > 0 {
		rounds, majors = 3*torture, []string{"9.6", "13", "18"}
	}
	for _, major := range majors {
		t.Run(major, func(t *testing.T) {
			in, err := servers.Major(t.Context(), major)
			if err != nil {
				t.Skip(err)
			}
			program := built.Gorewind(t)
			old, promoted := diverged(t, in)
			r := rand.New(rand.NewPCG(seed, 0))
			t.Logf("seed %d", seed)
			var takes time.Duration
			for round := range 1 + rounds {
				victim := old.CloneStopped(t)
				promoted.Exec(t, "DROP TABLE IF EXISTS load")
				stop := endtoend.Load(t, promoted)
				command := func(more ...string) *exec.Cmd {
					return exec.Command(program, append([]string{"-D", victim.Dir, "--source-server", promoted.ConnString("postgres")}, more...)...)
				}
				inPlace := round%3 == 2
				for range 1 + r.IntN(5) {
					if round == 0 || stateOf(t, victim) == rewind.StateRewound {
						break
					}
					cmd := command()
					if inPlace {
						cmd = command("--in-place")
					}
					require.NoError(t, cmd.Start())
					ended := make(chan struct{})
					go func() { _ = cmd.Wait(); close(ended) }()
					within := takes
					if r.IntN(3) > 0 {
						if waitForCommit(victim, ended); !inPlace {
							within /= 16 // the rest of the rewind is short
						}
					}
					time.Sleep(time.Duration(r.Int64N(int64(within))))
					_ = cmd.Process.Kill()
					<-ended
					kills[stateOf(t, victim)]++
				}
				begun := time.Now()
				if stateOf(t, victim) == rewind.StateUnfinished && r.IntN(2) == 0 {
					mustNotStart(t, victim, promoted)
					require.NoError(t, rewind.Resume(t.Context(), rewind.Options{TargetDir: victim.Dir}))
				}
				// If it was killed while it cleaned up, the target is rewound, and the next run
				// cleans up.
				_, err := os.Stat(filepath.Join(victim.Dir, "pgsql_tmp_gorewind"))
				if stateOf(t, victim) != rewind.StateRewound || err == nil {
					out, err := command().CombinedOutput()
					require.NoError(t, err, "%s", out)
				}
				if round == 0 { // this round was not disturbed
					takes = time.Since(begun)
				}
				stop()
				require.Equal(t, rewind.StateRewound, stateOf(t, victim))
				endtoend.MustFollow(t, victim, promoted)
				endtoend.MustBeSound(t, victim)
				require.NoError(t, os.RemoveAll(filepath.Join(victim.Dir, "base")), "room for the next")
			}
		})
	}
	assert.NotEmpty(t, kills)
	pgtest.Note(fmt.Sprintf("killed gorewind in the states %v (seed %d)", kills, seed))
}

// waitForCommit returns when no server can start on a target any more, or its rewind
// has ended.
func waitForCommit(c *pgtest.Cluster, ended <-chan struct{}) {
	for {
		raw, err := os.ReadFile(filepath.Join(c.Dir, pgdata.ControlFilePath))
		if control, perr := controlfile.Parse(raw); err == nil && perr == nil && poison.Is(control) {
			return
		}
		select {
		case <-ended:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// stateOf returns the state of a target, and checks that a server starts on it only if
// it is untouched.
func stateOf(t *testing.T, c *pgtest.Cluster) rewind.State {
	t.Helper()
	status, err := rewind.ReadStatus(c.Dir)
	require.NoError(t, err)
	_, err = os.Stat(filepath.Join(c.Dir, pgdata.BackupLabelPath))
	if status.State == rewind.StateClean || status.State == rewind.StateStaged {
		assert.ErrorIs(t, err, os.ErrNotExist)
	}
	return status.State
}
