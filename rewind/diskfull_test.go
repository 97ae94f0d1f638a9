package rewind_test

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/internal/pgtest/smalldisk"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// filler is a file on the target's file system that takes up space.
type filler string

// grow takes all space except for some bytes.
func (f filler) grow(t *testing.T, leave int64) {
	t.Helper()
	file, err := os.OpenFile(string(f), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	size := int64(0)
	for chunk := make([]byte, 4096); err == nil; size += int64(len(chunk)) {
		_, err = file.WriteAt(chunk, size)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, file.Truncate(max(0, size-4096-(leave+4095)/4096*4096)))
}

// TestFullDisk fills the target's file system at the worst moments.
func TestFullDisk(t *testing.T) {
	small, missing := smalldisk.Dir(t)
	if small == "" {
		t.Skip(missing)
	}
	p := newSpecimenIn(t, filepath.Join(small, "root"))
	other := filler(filepath.Join(small, "filler"))
	inPlace := func() rewind.Options {
		opts := p.options(t)
		opts.InPlace = true
		return opts
	}
	again := func() {
		require.NoError(t, os.RemoveAll(string(other)))
		p.restore(t)
	}
	// needs returns the space that a rewind says it needs.
	needs := func(opts rewind.Options) int64 {
		again()
		other.grow(t, 64<<10)
		err := run(opts)
		var short *rewind.SpaceError
		require.ErrorAs(t, err, &short)
		assert.Equal(t, opts.InPlace, short.InPlace)
		assert.EqualValues(t, 64<<10, short.Free)
		p.mustBeAsItWas(t, err)
		return short.Needed
	}
	staged, less := needs(p.options(t)), needs(inPlace())

	t.Run("in place, less is enough", func(t *testing.T) {
		require.Less(t, less, staged)
		again()
		other.grow(t, less)
		require.ErrorAs(t, run(p.options(t)), new(*rewind.SpaceError))
		require.NoError(t, run(inPlace()))
		p.mustBeRewound(t, "in place")
	})
	t.Run("what it asks for is enough", func(t *testing.T) {
		again()
		other.grow(t, staged)
		require.NoError(t, run(p.options(t)))
		p.mustBeRewound(t, "staged")
	})
	t.Run("it fills up while data is staged", func(t *testing.T) {
		again()
		opts := p.options(t)
		opts.Source = &meddlingSource{movedSource: opts.Source.(*movedSource), meddle: func() error { other.grow(t, 0); return nil }}
		err := run(opts)
		require.ErrorIs(t, err, syscall.ENOSPC)
		p.mustBeAsItWas(t, err)
		require.NoError(t, os.Remove(string(other)))
		require.NoError(t, run(p.options(t)))
		p.mustBeRewound(t, "then")
	})
	filledAt := func(matches func(faultdisk.Op) bool) error {
		again()
		var done atomic.Bool
		err := run(p.options(t).WithDisk(func(d apply.Disk) apply.Disk {
			return faultdisk.Around(d, func(op faultdisk.Op, do func() error) error {
				err := do()
				if matches(op) && done.CompareAndSwap(false, true) {
					other.grow(t, 0)
				}
				return err
			})
		}))
		require.True(t, done.Load())
		return err
	}
	t.Run("it fills up right after the commit", func(t *testing.T) {
		require.NoError(t, filledAt(func(op faultdisk.Op) bool { return op.Name == "rename" && op.Path == pgdata.ControlFilePath }))
		p.mustBeRewound(t, "with the reserved space")
	})
	t.Run("the reserved space is taken", func(t *testing.T) {
		err := filledAt(func(op faultdisk.Op) bool { return op.Name == "rename" && op.Path == "base/7/1" })
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.NoError(t, os.Remove(string(other)))
		require.NoError(t, rewind.Resume(t.Context(), rewind.Options{TargetDir: p.target()}))
		p.mustBeRewound(t, "when there is room again")
	})
}

// mustBeAsItWas checks that a rewind failed while staging and left nothing behind.
func (p *specimen) mustBeAsItWas(t *testing.T, err error) {
	t.Helper()
	var failed *rewind.Error
	require.ErrorAs(t, err, &failed)
	assert.True(t, failed.TargetUntouched)
	assert.Equal(t, rewind.PhaseStage, failed.Phase)
	assert.NoDirExists(t, filepath.Join(p.target(), ownfiles.Prefix))
	assert.Empty(t, faultdisk.Diff(p.untouched, p.load(t), nil))
}
