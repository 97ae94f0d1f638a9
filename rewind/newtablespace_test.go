package rewind_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/rewind"
)

// mapped maps the specimen's new tablespace to a directory that does not exist, nor
// does its parent.
func (p *specimen) mapped(o *rewind.Options) (dir string) {
	dir = filepath.Join(p.root, "disk", "space")
	o.TablespaceMapping = rewind.TablespaceMapping{filepath.Join(p.root, "new"): dir}
	return dir
}

func mustHaveSpace(t *testing.T, p *specimen, dir, what string) {
	t.Helper()
	to, err := os.Readlink(filepath.Join(p.target(), "pg_tblspc", "17001"))
	require.NoError(t, err, what)
	assert.Equal(t, dir, to, what)
	assert.FileExists(t, filepath.Join(dir, spcDir, "5", "1"), what)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "%s: no staging area is left", what)
	for at := dir; at != p.root; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o700), info.Mode().Perm(), at)
	}
}

func TestTheDirectoryOfAMappedTablespaceIsCreated(t *testing.T) {
	p := newSpecimen(t)
	for _, inPlace := range []bool{false, true} {
		what := fmt.Sprintf("in place: %v", inPlace)
		p.restore(t)
		opts := p.options(t)
		opts.InPlace = inPlace
		dir := p.mapped(&opts)
		r, err := rewind.Prepare(t.Context(), opts.WithDisk(withoutSync))
		require.NoError(t, err)
		assert.NoDirExists(t, filepath.Dir(dir), "%s: a plan makes nothing", what)
		var plan bytes.Buffer
		require.NoError(t, r.Save(&plan))
		require.NoError(t, r.Apply(t.Context()))
		require.NoError(t, r.Close())
		mustHaveSpace(t, p, dir, what)

		p.restore(t)
		opts.TablespaceMapping, opts.Plan = nil, bytes.NewReader(plan.Bytes())
		require.NoError(t, run(opts.WithDisk(withoutSync)))
		mustHaveSpace(t, p, dir, "a saved plan, "+what)

		p.restore(t)
		opts.TablespaceMapping, opts.Plan = rewind.TablespaceMapping{filepath.Join(p.root, "new"): filepath.Join(p.root, "other")}, bytes.NewReader(plan.Bytes())
		err = run(opts.WithDisk(withoutSync))
		require.ErrorIs(t, err, rewind.ErrOptions)
		assert.ErrorContains(t, err, "the plan was made with other directories for new tablespaces")
	}
}

// TestATablespaceDirectoryIsRemovedIfTheRewindIsNotCommitted makes every change fail,
// either alone or together with all after it. A rewind that is not committed leaves
// nothing behind, at the latest after the next run, which maps the tablespace
// elsewhere.
func TestATablespaceDirectoryIsRemovedIfTheRewindIsNotCommitted(t *testing.T) {
	p := newSpecimen(t)
	for _, c := range []struct{ inPlace, dies bool }{{false, true}, {false, false}, {true, true}, {true, false}} {
		t.Run(fmt.Sprintf("in place: %v, dies: %v", c.inPlace, c.dies), func(t *testing.T) {
			left, gone, there := 0, 0, 0
			for k, more := int64(1), true; more; k += step(5) {
				p.restore(t)
				opts := p.options(t)
				opts.InPlace = c.inPlace
				dir := p.mapped(&opts)
				var n atomic.Int64
				err := run(opts.WithDisk(func(d apply.Disk) apply.Disk {
					return faultdisk.Wrap(withoutSync(d), func(op faultdisk.Op) error {
						if !op.Read && (n.Add(1) == k || c.dies && n.Load() > k) {
							return errFault
						}
						return nil
					})
				}))
				what := fmt.Sprintf("change %d", k)
				more = n.Load() >= k
				if !more {
					require.NoError(t, err)
				}
				status, serr := rewind.ReadStatus(p.target())
				require.NoError(t, serr, what)
				switch status.State {
				case rewind.StateUnfinished:
					require.NoError(t, rewind.Resume(t.Context(), rewind.Options{TargetDir: p.target()}.WithDisk(withoutSync)), what)
					mustHaveSpace(t, p, dir, what)
					there++
				case rewind.StateInPlace:
					again := p.options(t)
					p.mapped(&again)
					require.NoError(t, run(again.WithDisk(withoutSync)), what)
					mustHaveSpace(t, p, dir, what)
					there++
				case rewind.StateRewound:
					there++
				default:
					require.Error(t, err, what)
					if _, err := os.Stat(filepath.Dir(dir)); err == nil {
						require.True(t, c.dies, "%s: what can be removed is removed", what)
						left++
					} else {
						gone++
					}
					require.NoError(t, run(p.options(t).WithDisk(withoutSync)), what)
					assert.NoDirExists(t, filepath.Dir(dir), what)
					p.mustBeRewound(t, what)
				}
			}
			assert.NotZero(t, gone)
			assert.NotZero(t, there)
			if c.dies {
				assert.NotZero(t, left, "it is killed in between, too")
			}
		})
	}
}

func TestADirectoryThatCannotBeCreatedIsRefusedFirst(t *testing.T) {
	p := newSpecimen(t)
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		says  string
	}{
		{"the one above is a file", func(dir string) error { return os.WriteFile(filepath.Dir(dir), nil, 0o600) }, "not a directory"},
		{"the one above cannot be written in", func(dir string) error { return os.Mkdir(filepath.Dir(dir), 0o500) }, "permission denied"},
		{"a link to nowhere", func(dir string) error { return os.Symlink(filepath.Join(p.root, "nowhere"), filepath.Dir(dir)) }, "is a link to nowhere"},
		{"it is not empty", func(dir string) error { return os.MkdirAll(filepath.Join(dir, "x"), 0o700) }, "it is not empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.restore(t)
			opts := p.options(t)
			dir := p.mapped(&opts)
			require.NoError(t, c.spoil(dir))
			t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(dir)) })
			_, err := rewind.Prepare(t.Context(), opts)
			var obstacles rewind.Obstacles
			require.ErrorAs(t, err, &obstacles)
			assert.ErrorContains(t, err, c.says)
			assert.True(t, strings.Contains(err.Error(), dir), "%v", err)
		})
	}
	t.Run("one that is not mapped is not made", func(t *testing.T) {
		p.restore(t)
		require.NoError(t, os.Remove(filepath.Join(p.root, "new")))
		_, err := rewind.Prepare(t.Context(), p.options(t))
		assert.ErrorContains(t, err, "create it, owned by the server's user")
	})
}
