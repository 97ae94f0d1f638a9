package rewind_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/rewind"
)

// saving is a scenario that saves what is lost.
func saving() scenario {
	return scenario{
		name: "what is lost is saved", do: run, every: 1,
		start: func(t *testing.T, p *specimen) { p.restore(t); require.NoError(t, os.RemoveAll(lostOf(p.target()))) },
		opts:  func(o *rewind.Options) { o.SaveLost = lostOf(o.TargetDir) },
	}
}

// lostOf returns a directory next to the one that holds the target.
func lostOf(target string) string { return filepath.Dir(target) + "-lost" }

// TestTheSameCommandAgainAfterADeath kills a process at any of its changes and runs the
// same command again, as users do: it succeeds, saves everything that is lost, and
// leaves nothing behind.
func TestTheSameCommandAgainAfterADeath(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	p, s := newSpecimen(t), saving()
	s.start(t, p)
	opts := p.options(t)
	s.opts(&opts)
	require.NoError(t, run(opts.WithDisk(withoutSync)))
	whole := filesIn(t, lostOf(p.target()))
	require.NotEmpty(t, whole)
	for k, died := int64(1), true; died; k += step(4) {
		s.start(t, p)
		child := exec.Command(self)
		child.Env = append(os.Environ(), envDie+"="+strings.Join([]string{fmt.Sprint(k), s.name, p.root, p.src}, "|"))
		out, err := child.CombinedOutput()
		var exit *exec.ExitError
		if died = errors.As(err, &exit) && !exit.Exited(); !died {
			require.NoError(t, err, "%s", out)
		}
		what := fmt.Sprintf("the process died at change %d", k)
		opts := p.options(t)
		s.opts(&opts)
		require.NoError(t, run(opts.WithDisk(withoutSync)), what)
		p.mustBeRewound(t, what)
		assert.NoDirExists(t, filepath.Join(p.target(), ownfiles.Prefix), what)
		assert.Equal(t, whole, filesIn(t, lostOf(p.target())), what)
		if t.Failed() {
			return
		}
	}
}

// filesIn lists a directory, with sizes.
func filesIn(t *testing.T, dir string) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		files = append(files, fmt.Sprintf("%s %d", strings.TrimPrefix(path, dir), info.Size()))
		return err
	}))
	return files
}

// TestARewindInPlaceThatIsStartedAgainCleansUp checks WAL that an archive restored for
// the first run.
func TestARewindInPlaceThatIsStartedAgainCleansUp(t *testing.T) {
	p := restorePair(t, "18", "basic")
	p.archived(p.target, middleSegment)
	opts := func() rewind.Options {
		return rewind.Options{TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), NoSync: true, InPlace: true, RestoreTargetWAL: true}
	}
	var poisoned atomic.Bool
	err := run(opts().WithDisk(failAt(func(op faultdisk.Op) bool {
		if !op.Read && strings.HasPrefix(op.Path, "global/pg_control") {
			poisoned.Store(true)
		}
		return poisoned.Load() && !op.Read && strings.HasPrefix(op.Path, "base/")
	})))
	require.ErrorIs(t, err, errFault)
	require.True(t, poison.Is(p.control(p.target)))
	require.NoError(t, run(opts()))
	assert.NoDirExists(t, filepath.Join(p.target, ownfiles.Prefix))
}
