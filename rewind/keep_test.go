package rewind_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/seam"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
)

// keeps is an Options.KeepFunc that keeps some paths, and records how it is called.
type keeps struct {
	t      *testing.T
	keep   []string
	asked  map[string]int
	inside atomic.Int32
}

func (k *keeps) ask(path string) bool {
	assert.EqualValues(k.t, 1, k.inside.Add(1), "two at once")
	defer k.inside.Add(-1)
	k.asked[path]++
	return slices.Contains(k.keep, path)
}

// keptSpecimen is a specimen with files of its own that only the function reports.
func keptSpecimen(t *testing.T) (p *specimen, k *keeps, mustBeKept func(what string)) {
	t.Helper()
	p = newSpecimen(t)
	p.restore(t)
	k = &keeps{t: t, keep: []string{"own", "postgresql.conf", "theirs/not"}, asked: map[string]int{}}
	write := func(dir, name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write(p.target(), "own/deep/secret", "own")
	write(p.target(), "own/log", "own")
	write(p.target(), "lost", "own")
	write(p.src, "own/log", "theirs")
	write(p.src, "theirs/not", "theirs")
	write(p.src, "theirs/comes", "theirs")
	conf, err := os.ReadFile(filepath.Join(p.target(), "postgresql.conf"))
	require.NoError(t, err)
	p.untouched, err = faultdisk.Load(p.root)
	require.NoError(t, err)
	return p, k, func(what string) {
		t.Helper()
		for name, want := range map[string]string{
			"own/deep/secret": "own", "own/log": "own", "postgresql.conf": string(conf), "theirs/comes": "theirs",
		} {
			b, err := os.ReadFile(filepath.Join(p.target(), name))
			require.NoError(t, err, what)
			assert.Equal(t, want, string(b), "%s: %s", what, name)
		}
		assert.NoFileExists(t, filepath.Join(p.target(), "theirs", "not"), what)
		assert.NoFileExists(t, filepath.Join(p.target(), "lost"), what)
	}
}

func TestKeepFuncDecidesWhatIsKept(t *testing.T) {
	p, k, mustBeKept := keptSpecimen(t)
	for name, mode := range map[string]func(*rewind.Options){
		"staged": func(*rewind.Options) {}, "in place": func(o *rewind.Options) { o.InPlace = true }, "by changes": byChanges, "compared": compared,
	} {
		p.restore(t)
		clear(k.asked)
		opts := p.options(t)
		mode(&opts)
		opts.KeepFunc, opts.SaveLost = k.ask, filepath.Join(t.TempDir(), "lost")
		r, err := rewind.Prepare(t.Context(), opts.WithDisk(withoutSync))
		require.NoError(t, err)
		assert.Equal(t, []string{"own", "postgresql.conf", "theirs/not"}, r.Plan().Kept, name)
		require.NoError(t, r.Apply(t.Context()))
		require.NoError(t, r.Close())
		mustBeKept(name)
		assert.FileExists(t, filepath.Join(opts.SaveLost, rewind.LostFiles, "lost"), name)
		assert.NoFileExists(t, filepath.Join(opts.SaveLost, rewind.LostFiles, "own", "log"), name)
		assert.Equal(t, 1, slices.Max(slices.Collect(maps.Values(k.asked))), "%s: it is called once for each path", name)
		for path := range k.asked {
			assert.False(t, strings.HasPrefix(path, "base") || strings.HasPrefix(path, "pg_"), path)
		}
	}
}

// TestApplyDoesNotAskWhatToKeep has an Apply that must analyze again, by other evidence.
func TestApplyDoesNotAskWhatToKeep(t *testing.T) {
	p, k, mustBeKept := keptSpecimen(t)
	p.restore(t)
	opts := p.options(t)
	opts.KeepFunc, opts.Resync = k.ask, rewind.ResyncIfNeeded
	r, err := rewind.Prepare(t.Context(), opts.WithDisk(withoutSync))
	require.NoError(t, err)
	require.Equal(t, report.ByWAL, r.Plan().Evidence)
	asked := maps.Clone(k.asked)
	stages := 0
	ctx := seam.With(t.Context(), func(place string) error {
		if place != string(rewind.PhaseStage) {
			return nil
		}
		if stages++; stages > 1 {
			return nil
		}
		return errors.Join(rewind.ErrUnproven, os.WriteFile(filepath.Join(p.src, "theirs", "since"), nil, 0o600))
	})
	require.NoError(t, r.Apply(ctx))
	require.NoError(t, r.Close())
	assert.Equal(t, 2, stages)
	assert.Equal(t, asked, k.asked)
	assert.Equal(t, []string{"own", "postgresql.conf", "theirs/not"}, r.Plan().Kept)
	mustBeKept("analyzed again")
}

// TestWhatWasKeptIsKeptWithoutTheFunction applies a saved plan, resumes, and starts a
// rewind in place again.
func TestWhatWasKeptIsKeptWithoutTheFunction(t *testing.T) {
	p, k, mustBeKept := keptSpecimen(t)
	opts := p.options(t)
	opts.KeepFunc = k.ask
	plan := savedPlan(t, opts.WithDisk(withoutSync))

	opts = p.options(t)
	opts.Plan = bytes.NewReader(plan)
	require.NoError(t, run(opts.WithDisk(withoutSync)))
	mustBeKept("a saved plan")

	p.restore(t)
	opts = p.options(t)
	opts.Plan = bytes.NewReader(plan)
	wrap := failAt(func(op faultdisk.Op) bool { return op.Name == "rename" && strings.HasPrefix(op.Path, "base/") })
	require.ErrorIs(t, run(opts.WithDisk(wrap)), errFault)
	require.NoError(t, rewind.Resume(t.Context(), rewind.Options{TargetDir: p.target()}.WithDisk(withoutSync)))
	mustBeKept("resumed")

	for _, again := range []rewind.Resync{rewind.NoResync, rewind.ResyncCompare} {
		p.restore(t)
		opts = p.options(t)
		opts.KeepFunc, opts.InPlace = k.ask, true
		cut := &cutSource{Source: opts.Source}
		cut.left.Store(3)
		opts.Source = bareSource{cut}
		require.ErrorIs(t, run(opts.WithDisk(withoutSync)), errCut)
		for range 2 { // the second is cut as well, and knows it from the first
			opts = p.options(t)
			opts.Resync = again
			cut.left.Store(5)
			opts.Source = bareSource{cut}
			require.ErrorIs(t, run(opts.WithDisk(withoutSync)), errCut)
		}
		opts = p.options(t)
		opts.Resync = again
		require.NoError(t, run(opts.WithDisk(withoutSync)))
		mustBeKept("in place, started again, " + string(again))
	}
}
