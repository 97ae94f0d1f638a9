package rewind_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/randomtest"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// torture, if not zero, makes the tests of this package try everything instead of a
// sample, and multiplies the number of random attempts: see make torture.
var torture = randomtest.Torture()

// scenario is a rewind that is disturbed.
type scenario struct {
	name  string
	start func(t *testing.T, p *specimen) // prepares the target
	do    func(opts rewind.Options) error
	opts  func(*rewind.Options)
	every int64                 // as in fault
	mode  func(*rewind.Options) // as a specimen has it
	// disk, if not nil, wraps the target's disk.
	disk func(apply.Disk) apply.Disk
}

// wrapped returns the disk that the scenario uses.
func (s *scenario) wrapped(d apply.Disk) apply.Disk {
	if s.disk == nil {
		return d
	}
	return s.disk(d)
}

// twoFileSystems cannot rename anything that was staged into its place. This is what
// happens between two mounts of one file system, or two quotas.
type twoFileSystems struct{ apply.Disk }

func (d twoFileSystems) Rename(from, to string) error {
	if stagedFile.MatchString(from) {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EXDEV}
	}
	return d.Disk.Rename(from, to)
}

var stagedFile = regexp.MustCompile(`(^|/)pgsql_tmp_gorewind(\.[0-9]+)?/[0-9]+$`)

func scenarios() []scenario {
	restore := func(t *testing.T, p *specimen) { p.restore(t) }
	plain := func(*rewind.Options) {}
	return []scenario{
		{name: "staged", start: restore, do: run, opts: plain, every: 1},
		{name: "staged, one sync for a file system", start: restore, do: run, opts: func(o *rewind.Options) { o.SyncMethod = rewind.SyncFS }, every: 5},
		{
			name: "staged where nothing can be renamed into its place", start: restore, do: run, opts: plain, every: 4,
			disk: func(d apply.Disk) apply.Disk { return twoFileSystems{d} },
		},
		{name: "resumed", start: committed, do: func(o rewind.Options) error { return rewind.Resume(context.Background(), o) }, opts: plain, every: 1},
		{name: "in place", start: restore, do: run, opts: func(o *rewind.Options) { o.InPlace = true }, every: 1},
		{name: "in place again", start: begunInPlace, do: run, opts: plain, every: 5},
		{name: "compared", start: restore, do: run, mode: compared, opts: compared, every: 4},
		{name: "compared, in place", start: restore, do: run, mode: compared, opts: func(o *rewind.Options) { compared(o); o.InPlace = true }, every: 5},
		{name: "by changes", start: restore, do: run, mode: byChanges, opts: byChanges, every: 9},
		{name: "compared, without a control file", start: withoutControl, do: run, mode: compared, opts: compared, every: 4},
	}
}

// compared compares all files, regardless of WAL.
func compared(o *rewind.Options) { o.Resync = rewind.ResyncCompare }

// byChanges copies what either side changed.
func byChanges(o *rewind.Options) { o.Resync = rewind.ResyncChanges }

// withoutControl removes the target's control file.
func withoutControl(t *testing.T, p *specimen) {
	t.Helper()
	p.restore(t)
	require.NoError(t, os.Remove(filepath.Join(p.target(), pgdata.ControlFilePath)))
	p.untouched = p.load(t)
	p.expect(t) // the new control file does not have the mode of the old one
	p.restore(t)
}

// committed prepares a target whose rewind was stopped right after the commit.
func committed(t *testing.T, p *specimen) { stopAt(t, p, "base/7", func(*rewind.Options) {}) }

// begunInPlace stops a rewind in place in the middle.
func begunInPlace(t *testing.T, p *specimen) {
	stopAt(t, p, "base/5/16395", func(o *rewind.Options) { o.InPlace = true })
}

func stopAt(t *testing.T, p *specimen, path string, set func(*rewind.Options)) {
	t.Helper()
	p.restore(t)
	opts := p.options(t)
	set(&opts)
	require.ErrorIs(t, run(opts.WithDisk(failAt(func(op faultdisk.Op) bool { return !op.Read && op.Path == path }))), errFault)
}

// fault is what happens to the k-th operation and those after it.
type fault struct {
	name   string
	every  int64 // tried only at every so many operations, except in torture
	counts func(faultdisk.Op) bool
	strike func(k, n int64, do func() error) error
}

func faults() []fault {
	all := func(faultdisk.Op) bool { return true }
	changes := func(op faultdisk.Op) bool { return !op.Read }
	return []fault{
		{"an operation fails", 2, all, func(k, n int64, do func() error) error {
			if n == k {
				return []error{syscall.EIO, syscall.ENOSPC}[k/2%2]
			}
			return do()
		}},
		{"an operation is done and reports an error", 5, changes, func(k, n int64, do func() error) error {
			if err := do(); n != k {
				return err
			}
			return syscall.EIO
		}},
		{"nothing is done any more", 2, changes, func(k, n int64, do func() error) error {
			if n >= k {
				return errFault
			}
			return do()
		}},
	}
}

// TestEveryInstant makes operations on the target's disk fail, or ends the rewind at
// them: at a sample of them, and in torture at every single one.
func TestEveryInstant(t *testing.T) {
	var instants atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, s := range scenarios() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				p := newSpecimenFor(t, s.mode)
				start := p.begin(t, s)
				for _, f := range faults() {
					for k, struck := int64(1), true; struck; k += step(s.every * f.every) {
						require.NoError(t, start.Store(p.root))
						var what string
						var err error
						what, struck, err = p.disturb(t, s, f, k)
						p.check(t, err, what)
						if t.Failed() {
							t.FailNow()
						}
						instants.Add(1)
					}
				}
			})
		}
	})
	pgtest.Note(fmt.Sprintf("disturbed a rewind at %d instants", instants.Load()))
}

// step returns how many operations apart the tried ones are.
func step(every int64) int64 {
	if torture > 0 {
		return 1
	}
	return every * sparser
}

// begin prepares the target for the scenario.
func (p *specimen) begin(t *testing.T, s scenario) *faultdisk.Node {
	t.Helper()
	s.start(t, p)
	start, err := faultdisk.Load(p.root)
	require.NoError(t, err)
	return start
}

// disturb does what a scenario does, and makes a fault strike at operation k. struck is
// false if there were fewer operations.
func (p *specimen) disturb(t *testing.T, s scenario, f fault, k int64) (what string, struck bool, err error) {
	t.Helper()
	opts := p.options(t)
	s.opts(&opts)
	var n atomic.Int64
	var at atomic.Value
	err = s.do(opts.WithDisk(func(d apply.Disk) apply.Disk {
		return faultdisk.Intercept(s.wrapped(withoutSync(d)), func(op faultdisk.Op, do func() error) error {
			if !f.counts(op) {
				return do()
			}
			i := n.Add(1)
			if i == k {
				at.Store(op)
			}
			return f.strike(k, i, do)
		})
	}))
	return fmt.Sprintf("%s at operation %d: %+v: %v", f.name, k, at.Load(), err), n.Load() >= k, err
}

// check verifies I1 or I2 after a rewind that was disturbed, and the result of the next
// one.
func (p *specimen) check(t *testing.T, err error, what string) {
	t.Helper()
	if err != nil {
		var failed *rewind.Error
		require.ErrorAs(t, err, &failed, what)
		assert.False(t, failed.BaseBackupNeeded(), what)
		status := p.checkState(t, what)
		if failed.TargetUntouched {
			require.Contains(t, []rewind.State{rewind.StateClean, rewind.StateStaged}, status, what)
		} else {
			require.NotContains(t, []rewind.State{rewind.StateClean, rewind.StateStaged}, status, what)
		}
		p.finish(t, status, what)
	}
	p.mustBeRewound(t, what)
}

// checkState verifies that the target is in one of the allowed states, without relying
// on what the rewind returned.
func (p *specimen) checkState(t *testing.T, what string) rewind.State {
	t.Helper()
	status, err := rewind.ReadStatus(p.target())
	if p.untouched.Find("target/"+pgdata.ControlFilePath) == nil && errors.Is(err, fs.ErrNotExist) {
		require.Empty(t, faultdisk.Diff(p.untouched, p.load(t), own), "I1: %s", what)
		return rewind.StateClean
	}
	require.NoError(t, err, what)
	switch status.State {
	case rewind.StateClean, rewind.StateStaged:
		require.Empty(t, faultdisk.Diff(p.untouched, p.load(t), own), "I1: %s", what)
	case rewind.StateUnfinished, rewind.StateInPlace:
		require.True(t, poison.Is(controlIn(t, p.target())), "I2: %s", what)
	case rewind.StateRewound:
		require.Empty(t, faultdisk.Diff(p.rewound, p.load(t), stagingOnly), "I2: %s", what)
	}
	assert.False(t, status.Running, what)
	return status.State
}

// withoutSync leaves out syncing, which is slow and has no visible effect.
func withoutSync(d apply.Disk) apply.Disk {
	return faultdisk.Intercept(d, func(op faultdisk.Op, do func() error) error {
		if op.Syncs() {
			return nil
		}
		return do()
	})
}

// finish does what a state requires.
func (p *specimen) finish(t *testing.T, state rewind.State, what string) {
	t.Helper()
	switch state {
	case rewind.StateUnfinished:
		require.NoError(t, rewind.Resume(t.Context(), rewind.Options{TargetDir: p.target()}.WithDisk(withoutSync)), what)
	case rewind.StateRewound: // only the sync is missing
		if err := rewind.Resume(t.Context(), rewind.Options{TargetDir: p.target()}.WithDisk(withoutSync)); !errors.Is(err, rewind.ErrNothingToResume) {
			require.NoError(t, err, what)
		}
	default:
		require.NoError(t, run(p.options(t).WithDisk(withoutSync)), what)
	}
}
