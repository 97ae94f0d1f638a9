package rewind_test

import (
	"context"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// meddlingSource does something when it is asked for data, and may send another control
// file from then on.
type meddlingSource struct {
	*movedSource
	meddle  func() error
	control func(*controlfile.Fields)
	begun   bool
}

func (s *meddlingSource) Fetch(ctx context.Context, ranges iter.Seq[source.Range], dst source.Sink) error {
	all := slices.Collect(ranges)
	if !slices.ContainsFunc(all, func(r source.Range) bool { return !isWAL(r.Path) }) { // the analysis reads WAL
		return s.movedSource.Fetch(ctx, slices.Values(all), dst)
	}
	if s.begun = true; s.meddle != nil {
		if err := s.meddle(); err != nil {
			return err
		}
	}
	return s.movedSource.Fetch(ctx, slices.Values(all), dst)
}

func (s *meddlingSource) ReadFile(ctx context.Context, p string) ([]byte, error) {
	b, err := s.movedSource.ReadFile(ctx, p)
	if err != nil || p != pgdata.ControlFilePath || !s.begun || s.control == nil {
		return b, err
	}
	data, err := controlfile.Parse(b)
	if err != nil {
		return nil, err
	}
	f := data.Fields
	s.control(&f)
	return data.Encode(f), nil
}

// fullDisk reports that it has no free space.
type fullDisk struct{ apply.Disk }

func (fullDisk) Free(string) (int64, uint64, bool) { return 4096, 1, true }

// verdict is what an error says besides its text.
type verdict struct {
	phase     rewind.Phase
	untouched bool
	action    rewind.Action
}

// TestVerdicts has every error that is not caused by the state of the two sides
// (TestBadInputIsRefusedBeforeAnythingIsWritten has those).
func TestVerdicts(t *testing.T) {
	p := newSpecimen(t)
	own := func(name string) string { return filepath.Join(p.target(), ownfiles.Prefix, name) }
	overwrite := func(name, text string) error { return os.WriteFile(name, []byte(text), 0o600) }
	sleeper := exec.Command("sleep", "600")
	require.NoError(t, sleeper.Start())
	t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
	server := func() error { // a process that lives
		return overwrite(filepath.Join(p.target(), pgdata.PostmasterPid), strconv.Itoa(sleeper.Process.Pid)+"\n"+p.target()+"\n")
	}
	touch := func() error { // as a server that ran meanwhile
		control := controlIn(t, p.target())
		f := control.Fields
		f.Time = f.Time.Add(time.Hour)
		return overwrite(filepath.Join(p.target(), pgdata.ControlFilePath), string(control.Encode(f)))
	}
	during := func(meddle func() error) error {
		opts := p.options(t)
		opts.Source = &meddlingSource{movedSource: opts.Source.(*movedSource), meddle: meddle}
		return run(opts)
	}
	after := func(edit func(*controlfile.Fields)) error {
		opts := p.options(t)
		opts.Source = &meddlingSource{movedSource: opts.Source.(*movedSource), control: edit}
		return run(opts)
	}
	resume := func() error { return rewind.Resume(t.Context(), rewind.Options{TargetDir: p.target()}) }
	prepared := func(meddle func(cancel func()) error, wrap func(func()) func(apply.Disk) apply.Disk) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		opts := p.options(t)
		if wrap != nil {
			opts = opts.WithDisk(wrap(cancel))
		}
		r, err := rewind.Prepare(ctx, opts)
		require.NoError(t, err)
		defer func() { require.NoError(t, r.Close()) }()
		if meddle != nil {
			require.NoError(t, meddle(cancel))
		}
		return r.Apply(ctx)
	}
	for _, c := range []struct {
		name string
		do   func() error
		is   error
		says verdict
	}{
		{"another gorewind", func() error {
			r, err := rewind.Prepare(t.Context(), p.options(t))
			require.NoError(t, err)
			defer func() { require.NoError(t, r.Close()) }()
			return run(p.options(t))
		}, rewind.ErrTargetLocked, verdict{rewind.PhaseInspect, true, rewind.ActionRetry}},
		{
			"a server", func() error { require.NoError(t, server()); return run(p.options(t)) },
			rewind.ErrTargetRunning,
			verdict{rewind.PhaseInspect, true, rewind.ActionFix},
		},
		{
			"a server that was started after the inspection", func() error { return prepared(func(func()) error { return server() }, nil) },
			rewind.ErrTargetRunning,
			verdict{rewind.PhaseStage, true, rewind.ActionFix},
		},
		{
			"a server that was started while data was staged", func() error { return during(server) },
			rewind.ErrTargetRunning,
			verdict{rewind.PhaseCommit, true, rewind.ActionFix},
		},
		{
			"a target that changed after the inspection", func() error { return prepared(func(func()) error { return touch() }, nil) },
			rewind.ErrTargetChanged,
			verdict{rewind.PhaseStage, true, rewind.ActionFix},
		},
		{
			"a target that changed while data was staged", func() error { return during(touch) },
			rewind.ErrTargetChanged,
			verdict{rewind.PhaseCommit, true, rewind.ActionFix},
		},
		{
			"no room", func() error {
				return run(p.options(t).WithDisk(func(d apply.Disk) apply.Disk { return fullDisk{d} }))
			},
			nil,
			verdict{rewind.PhaseStage, true, rewind.ActionFix},
		},
		{
			"a source that fails", func() error { return during(func() error { return errCut }) },
			errCut,
			verdict{rewind.PhaseStage, true, rewind.ActionFix},
		},
		{
			"a source on another timeline meanwhile", func() error { return after(func(f *controlfile.Fields) { f.MinRecoveryPointTLI++ }) },
			rewind.ErrSourceChanged,
			verdict{rewind.PhaseStage, true, rewind.ActionRetry},
		},
		{"a cancellation before the commit", func() error {
			return prepared(func(cancel func()) error { cancel(); return nil }, nil)
		}, context.Canceled, verdict{rewind.PhaseStage, true, rewind.ActionRetry}},
		{"a cancellation after the commit", func() error {
			return prepared(nil, func(cancel func()) func(apply.Disk) apply.Disk {
				return func(d apply.Disk) apply.Disk {
					return faultdisk.Wrap(d, func(op faultdisk.Op) error {
						if op.Name == "mkdir" && op.Path == "base/7" {
							cancel()
						}
						return nil
					})
				}
			})
		}, context.Canceled, verdict{rewind.PhaseApply, false, rewind.ActionResume}},
		{"a broken disk after the commit", func() error {
			return run(p.options(t).WithDisk(failAt(func(op faultdisk.Op) bool { return op.Path == "base/7" && op.Name == "mkdir" })))
		}, errFault, verdict{rewind.PhaseApply, false, rewind.ActionResume}},
		{"nothing to resume", resume, rewind.ErrNothingToResume, verdict{rewind.PhaseInspect, true, rewind.ActionFix}},
		{
			"nothing to resume without a source", func() error { begunInPlace(t, p); return resume() },
			rewind.ErrNothingToResume,
			verdict{rewind.PhaseInspect, false, rewind.ActionRetryWithSource},
		},
		{
			"no source to begin again with", func() error { begunInPlace(t, p); return run(rewind.Options{TargetDir: p.target()}) },
			nil,
			verdict{rewind.PhaseInspect, false, rewind.ActionFix},
		},
		{
			"a lost journal", func() error { committed(t, p); require.NoError(t, os.Remove(own("journal"))); return run(p.options(t)) },
			apply.ErrLost,
			verdict{rewind.PhaseInspect, false, rewind.ActionBaseBackup},
		},
		{
			"a damaged journal", func() error { committed(t, p); require.NoError(t, overwrite(own("journal"), "x\n")); return resume() },
			apply.ErrLost,
			verdict{rewind.PhaseInspect, false, rewind.ActionBaseBackup},
		},
		{
			"a lost index", func() error { committed(t, p); require.NoError(t, os.Remove(own("index"))); return resume() },
			apply.ErrLost,
			verdict{rewind.PhaseApply, false, rewind.ActionBaseBackup},
		},
		{
			"damaged blocks", func() error { committed(t, p); require.NoError(t, os.Truncate(own("blocks"), 8192)); return resume() },
			apply.ErrLost,
			verdict{rewind.PhaseApply, false, rewind.ActionBaseBackup},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.restore(t)
			err := c.do()
			require.Error(t, err)
			var failed *rewind.Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, c.says, verdict{failed.Phase, failed.TargetUntouched, failed.Action}, err)
			if c.is != nil {
				assert.ErrorIs(t, err, c.is)
			} else {
				assert.NotErrorIs(t, err, errFault)
			}
			if failed.TargetUntouched { // but for what the test itself did
				assert.NoDirExists(t, filepath.Join(p.target(), ownfiles.Prefix))
			}
		})
	}
	var short *rewind.SpaceError
	p.restore(t)
	require.ErrorAs(t, run(p.options(t).WithDisk(func(d apply.Disk) apply.Disk { return fullDisk{d} })), &short)
	assert.EqualValues(t, 4096, short.Free)
	assert.Greater(t, short.Needed, int64(1<<20))
}

// TestWithoutRenames makes renames fail as between two mounts of one file system.
func TestWithoutRenames(t *testing.T) {
	p := newSpecimen(t)
	p.restore(t)
	var tried sync.Map // by path
	var n atomic.Int64
	require.NoError(t, run(p.options(t).WithDisk(func(d apply.Disk) apply.Disk {
		return faultdisk.Around(withoutSync(d), func(op faultdisk.Op, do func() error) error {
			own := filepath.Base(op.Path)
			if op.Name == "rename" && (own == "1" || own == "60003" || own == "60004" || own == "postgresql.conf") {
				n.Add(1)
				if _, again := tried.LoadOrStore(op.Path, true); !again { // the copy next to it can be renamed
					return syscall.EXDEV
				}
			}
			return do()
		})
	})))
	assert.GreaterOrEqual(t, n.Load(), int64(8))
	p.mustBeRewound(t, "copied")
}
