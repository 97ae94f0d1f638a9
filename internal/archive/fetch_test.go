//go:build unix

package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/archive"
)

var errBusy = errors.New("503 slow down")

// copies returns a function that copies files from the archive, from its nth call on.
func copies(p place, n int, calls *int) func(context.Context, string, string) error {
	return func(_ context.Context, name, dst string) error {
		if *calls++; *calls < n {
			return errors.Join(os.WriteFile(dst, []byte("part"), 0o600), errBusy)
		}
		b, err := os.ReadFile(filepath.Join(p.store, name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("404: %w", archive.ErrNotInArchive)
		} else if err != nil {
			return err
		}
		return os.WriteFile(dst, b, 0o600)
	}
}

func TestAFunctionTakesTheCommandsPlace(t *testing.T) {
	for _, n := range []int{1, 3} {
		p, a := newPlace(t, "x")
		require.NoError(t, os.Mkdir(p.dst, 0o700)) // left by somebody
		calls := 0
		a.Command, a.Fetch = "touch ran", copies(p, n, &calls)
		checked := ""
		require.NoError(t, a.Restore(t.Context(), segment, p.dst, int64(len(content)), func(path string) error { checked = path; return nil }))
		got, err := os.ReadFile(p.dst)
		require.NoError(t, err)
		assert.Equal(t, content, string(got))
		assert.Equal(t, p.dst, checked)
		assert.Equal(t, n, calls)
		assert.NoFileExists(t, filepath.Join(p.data, "ran"))
	}
}

// TestWhatAFunctionDeliversIsCheckedAsWhatACommandDelivers lets it deliver invalid files.
func TestWhatAFunctionDeliversIsCheckedAsWhatACommandDelivers(t *testing.T) {
	damaged := errors.New("page header is damaged")
	for _, c := range []struct {
		name    string
		deliver func(p place, dst string) error
		check   error
		says    string
	}{
		{"nothing", func(place, string) error { return nil }, nil, "FetchWAL succeeded, but did not create the file"},
		{"a short file", func(_ place, dst string) error { return os.WriteFile(dst, []byte("x"), 0o600) }, nil, "unexpected file size: 1 instead of 16"},
		{"a directory", func(_ place, dst string) error { return os.Mkdir(dst, 0o700) }, nil, "not a regular file"},
		{"another file", func(p place, dst string) error { return os.Link(filepath.Join(p.store, segment), dst) }, damaged, "page header is damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, a := newPlace(t, "x")
			calls := 0
			a.Attempts, a.Fetch = 2, func(_ context.Context, _, dst string) error { calls++; return c.deliver(p, dst) }
			err := a.Restore(t.Context(), segment, p.dst, int64(len(content)), func(string) error { return c.check })
			var missing *archive.NotFoundError
			require.ErrorAs(t, err, &missing)
			assert.False(t, missing.Certain)
			assert.ErrorContains(t, err, c.says)
			assert.Equal(t, 2, calls)
			_, err = os.Lstat(p.dst)
			assert.ErrorIs(t, err, fs.ErrNotExist)
		})
	}
	t.Run("a link is replaced by a copy", func(t *testing.T) {
		p, a := newPlace(t, "x")
		a.Fetch = func(_ context.Context, _, dst string) error { return os.Link(filepath.Join(p.store, segment), dst) }
		require.NoError(t, a.Restore(t.Context(), segment, p.dst, 0, nil))
		require.NoError(t, os.WriteFile(p.dst, []byte("changed"), 0o600))
		kept, err := os.ReadFile(filepath.Join(p.store, segment))
		require.NoError(t, err)
		assert.Equal(t, content, string(kept))
	})
}

func TestAFunctionTellsWhatIsNotThereFromTrouble(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error
		certain bool
	}{
		{"the archive has no such file", fmt.Errorf("404: %w", archive.ErrNotInArchive), true},
		{"it has not, as another end of a context shows", fmt.Errorf("%w: %w", archive.ErrNotInArchive, context.DeadlineExceeded), true},
		{"it is busy", errBusy, false},
		{"it is not mounted", fmt.Errorf("open /mnt/archive: %w", fs.ErrNotExist), false},
		{"it took too long", context.DeadlineExceeded, false},
	} {
		for _, history := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, history: %v", c.name, history), func(t *testing.T) {
				p, a := newPlace(t, "x")
				calls := 0
				a.Fetch = func(_ context.Context, _, dst string) error {
					calls++
					return errors.Join(os.WriteFile(dst, []byte("part"), 0o600), c.err)
				}
				err := error(nil)
				if history {
					_, err = a.RestoreHistory(t.Context(), 2, p.dst)
				} else {
					err = a.Restore(t.Context(), segment, p.dst, 0, nil)
				}
				assert.NoFileExists(t, p.dst)
				assert.ErrorContains(t, err, c.err.Error())
				assert.NotErrorIs(t, err, fs.ErrNotExist, "which means something else here")
				assert.NotErrorIs(t, err, context.DeadlineExceeded)
				var missing *archive.NotFoundError
				var failed *archive.FetchError
				if c.certain {
					require.ErrorAs(t, err, &missing)
					require.ErrorIs(t, err, archive.ErrNotInArchive)
					assert.True(t, missing.Certain)
					assert.Equal(t, 1, calls)
					return
				}
				require.ErrorAs(t, err, &failed)
				assert.ErrorIs(t, failed.Err, c.err)
				assert.Equal(t, 3, failed.Attempts)
				assert.Equal(t, 3, calls)
			})
		}
	}
	t.Run("an ended context is neither", func(t *testing.T) {
		p, a := newPlace(t, "x")
		ctx, cancel := context.WithCancelCause(t.Context())
		a.Pause = time.Hour
		a.Fetch = func(context.Context, string, string) error { cancel(errors.New("of the caller's own")); return errBusy }
		assert.ErrorIs(t, a.Restore(ctx, segment, p.dst, 0, nil), context.Canceled)
	})
}

func TestCommandsRunInTheEnvironmentAndDirectoryThatAreGiven(t *testing.T) {
	t.Setenv("INHERITED", "yes")
	elsewhere := t.TempDir()
	for _, c := range []struct {
		name    string
		env     []string
		dir     string
		command string
	}{
		{"those of this process and the data directory by default", nil, "", `test "$INHERITED" = yes && test -d staging -o -f waiting`},
		{"nothing is inherited by another environment", []string{"MINE=1"}, "", `test -z "$INHERITED" && test "$MINE" = 1`},
		{"PATH is that of the environment", []string{"PATH=" + elsewhere}, "", `command -v cp >/dev/null && exit 1; PATH=/bin:/usr/bin`},
		{"the path is a whole one elsewhere", nil, elsewhere, `test "$PWD" = ` + elsewhere + ` && case %p in /*) ;; *) false;; esac`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, a := newPlace(t, "x")
			a.Env, a.WorkDir, a.Attempts = c.env, c.dir, 1
			a.Command = c.command + ` && PATH=/bin:/usr/bin cp ` + p.store + `/%f %p`
			require.NoError(t, a.Restore(t.Context(), segment, p.dst, int64(len(content)), nil))

			_, store, to := newArchiver(t, "x", "")
			to.Env, to.WorkDir, to.Attempts = c.env, c.dir, 1
			require.NoError(t, os.WriteFile(filepath.Join(to.DataDir, "waiting"), nil, 0o600))
			to.Command = c.command + ` && PATH=/bin:/usr/bin cp %p ` + store + `/%f`
			require.NoError(t, to.Archive(t.Context(), waiting, segment))
			assert.FileExists(t, filepath.Join(store, segment))
		})
	}
}
