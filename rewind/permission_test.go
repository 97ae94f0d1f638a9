package rewind_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// TestPermissionErrorsAreOfTheRightSide removes permissions on the target and on other
// places.
func TestPermissionErrorsAreOfTheRightSide(t *testing.T) {
	for _, c := range []struct {
		name  string
		want  rewind.Condition
		spoil func(p *pair) rewind.Options
	}{
		{"the source", rewind.UnexpectedCondition, func(p *pair) rewind.Options {
			p.lock(p.source)
			return rewind.Options{}
		}},
		{"a directory of the source", rewind.UnexpectedCondition, func(p *pair) rewind.Options {
			p.lock(filepath.Join(p.source, "base", "5"))
			return rewind.Options{}
		}},
		{"the place for what is lost", rewind.InvalidOptions, func(p *pair) rewind.Options {
			dir := p.t.TempDir()
			p.lock(dir)
			return rewind.Options{SaveLost: filepath.Join(dir, "lost")}
		}},
		{"the target", rewind.TargetNotWritable, func(p *pair) rewind.Options {
			p.lock(p.target)
			return rewind.Options{}
		}},
		{"a directory of the target", rewind.TargetNotWritable, func(p *pair) rewind.Options {
			p.lock(filepath.Join(p.target, "base", "5"))
			return rewind.Options{}
		}},
		{"the target's control file", rewind.TargetNotWritable, func(p *pair) rewind.Options {
			p.lock(p.controlFile(p.target))
			return rewind.Options{}
		}},
		{"a file of the target", rewind.TargetNotWritable, func(p *pair) rewind.Options {
			p.lock(filepath.Join(p.target, "global", "pg_filenode.map"))
			return rewind.Options{}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := restorePair(t, "18", "basic")
			opts := c.spoil(p)
			opts.TargetDir, opts.NoSync = p.target, true
			err := func() error {
				src, err := source.OpenDir(p.source)
				if err != nil {
					return err
				}
				defer func() { assert.NoError(t, src.Close()) }()
				opts.Source = src
				return run(opts)
			}()
			require.Error(t, err)
			assert.Equal(t, c.want, rewind.Classify(err).Condition, err)
		})
	}
}

// TestEveryRefusedOperationOnTheTargetIsTheTargets refuses one kind of operation at
// a time. Links are left out, since a rewind goes on without them.
func TestEveryRefusedOperationOnTheTargetIsTheTargets(t *testing.T) {
	p := newSpecimen(t)
	for _, name := range []string{"open", "readdir", "mkdir", "symlink", "chmod", "rename", "remove", "sync", "copyrange", "reserve", "writeat", "truncate", "fsync"} {
		for errno, want := range map[syscall.Errno]rewind.Condition{syscall.EACCES: rewind.TargetNotWritable, syscall.ENOSPC: rewind.NoSpace} {
			p.restore(t)
			err := run(p.options(t).WithDisk(func(d apply.Disk) apply.Disk {
				return faultdisk.Wrap(d, func(op faultdisk.Op) error {
					if op.Name == name {
						return &os.PathError{Op: name, Path: op.Path, Err: errno}
					}
					return nil
				})
			}))
			require.ErrorIs(t, err, errno, name)
			assert.Equal(t, want, rewind.Classify(err).Condition, "%s: %v", name, err)
		}
	}
}
