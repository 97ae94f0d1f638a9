package rewind_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/rewind"
)

// store is an archive for Options.FetchWAL. It records what it is asked for.
type store struct {
	t      *testing.T
	dir    string
	fails  func(name string) error // used instead of looking, if not nil
	asked  []string
	inside atomic.Int32
}

func (s *store) fetch(_ context.Context, name, dst string) error {
	assert.EqualValues(s.t, 1, s.inside.Add(1), "two at once")
	defer s.inside.Add(-1)
	s.asked = append(s.asked, name)
	assert.NoFileExists(s.t, dst)
	if s.fails != nil {
		if err := s.fails(name); err != nil {
			return err
		}
	}
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", name, rewind.ErrNotInArchive)
	} else if err != nil {
		return err
	}
	return os.WriteFile(dst, b, 0o600)
}

// TestFetchWALRestoresWAL has a target whose restore_command does not
// work or is not set.
func TestFetchWALRestoresWAL(t *testing.T) {
	inSource := func(p *pair) (dir, name string) {
		segments, err := filepath.Glob(p.wal(p.source, "0000000200000000000000??"))
		require.NoError(t, err)
		require.NotEmpty(t, segments)
		return p.source, filepath.Base(segments[0])
	}
	inTarget := func(p *pair) (dir, name string) { return p.target, middleSegment }
	for _, c := range []struct {
		name   string
		gone   func(p *pair) (dir, name string)
		conf   string
		resync rewind.Resync
		any    bool // without RestoreTargetWAL
	}{
		{"what the target lacks", inTarget, "", rewind.NoResync, false},
		{"what the target lacks, instead of its command", inTarget, "restore_command = 'touch ran; false'\n", rewind.NoResync, false},
		{"what the rewound server needs", inSource, "", rewind.NoResync, true},
		{"what a resync by changes reads", inTarget, "", rewind.ResyncChanges, false},
		{"what the rewound server needs after a comparison", inSource, "", rewind.ResyncCompare, true},
	} {
		for _, major := range []string{"13", "18"} {
			t.Run(c.name+", "+major, func(t *testing.T) {
				p := restorePair(t, major, "basic")
				dir, name := c.gone(p)
				s := &store{t: t, dir: p.archived(dir, name)}
				p.configure(c.conf)
				opts := rewind.Options{
					TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), NoSync: true, RestoreTargetWAL: !c.any, Resync: c.resync,
					FetchWAL: s.fetch, ArchivePause: time.Millisecond,
				}
				r, err := rewind.Prepare(t.Context(), opts)
				require.NoError(t, err)
				assert.True(t, r.Plan().Required)
				require.NoError(t, r.Apply(t.Context()))
				require.NoError(t, r.Close())
				assert.Contains(t, s.asked, name)
				assert.NoFileExists(t, filepath.Join(p.target, "ran"))
			})
		}
	}
}

// TestTheErrorOfFetchWALDecidesTheAction has an archive that certainly does not have what
// is missing, or cannot be asked, or is not.
func TestTheErrorOfFetchWALDecidesTheAction(t *testing.T) {
	busy := errors.New("503 slow down")
	for _, c := range []struct {
		name      string
		never     bool // without RestoreTargetWAL
		fails     func(string) error
		attempts  int
		condition rewind.Condition
		asked     int // failed attempts
		retryable bool
		lost      bool
	}{
		{"it is out of reach", false, func(string) error { return fmt.Errorf("%w: %w", busy, context.DeadlineExceeded) }, 0, rewind.ArchiveFailed, 3, true, false},
		{"it is out of reach, and asked more often", false, func(string) error { return busy }, 5, rewind.ArchiveFailed, 5, true, false},
		{"it is not mounted", false, func(string) error { return fs.ErrNotExist }, 1, rewind.ArchiveFailed, 1, true, false},
		{"it does not have the file", false, func(string) error { return rewind.ErrNotInArchive }, 0, rewind.MissingWAL, 0, false, true},
		{"it is not asked", true, nil, 0, rewind.MissingWAL, 0, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := restorePair(t, "18", "basic")
			s := &store{t: t, dir: p.archived(p.target, middleSegment), fails: c.fails}
			p.configure("")
			before := treeOf(t, p.target)
			_, err := rewind.Prepare(t.Context(), rewind.Options{
				TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), NoSync: true, RestoreTargetWAL: !c.never,
				FetchWAL: s.fetch, ArchiveAttempts: c.attempts, ArchivePause: time.Nanosecond,
			})
			var failed *rewind.Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, c.condition, failed.Condition, "%v", err)
			assert.Equal(t, c.retryable, failed.Retryable())
			assert.Equal(t, c.lost, failed.BaseBackupNeeded())
			assert.ErrorContains(t, err, middleSegment)
			assert.Empty(t, before.Diff(treeOf(t, p.target)))
			var fetch *rewind.FetchWALError
			if errors.As(err, &fetch) {
				assert.Equal(t, middleSegment, fetch.Name)
				assert.Equal(t, c.asked, fetch.Attempts)
			}
			assert.Equal(t, c.condition == rewind.ArchiveFailed, fetch != nil)
		})
	}
}

// TestFetchWALIsAskedForHistoriesOfNewerTimelines checks that this happens if the
// recovery of the rewound server will look for them.
func TestFetchWALIsAskedForHistoriesOfNewerTimelines(t *testing.T) {
	const newer = "00000003.history"
	for _, c := range []struct {
		name, conf, history string
		fails               func(string) error
		is                  error // nil: the rewind goes on
		asked               bool
	}{
		{"there is none", "restore_command = 'touch ran; false'\n", "", nil, nil, true},
		{"one continues from the source", "restore_command = 'touch ran; false'\n", "1\t%s\tx\n2\t0/F000000\tx\n", nil, nil, true},
		{"one diverged before", "restore_command = 'touch ran; false'\n", "1\t0/A000000\tx\n", nil, rewind.ErrOtherTimeline, true},
		{"recovery has no archive", "", "1\t0/A000000\tx\n", nil, nil, false},
		{"the archive is out of reach", "restore_command = 'touch ran; false'\n", "", func(string) error { return errors.New("503") }, new(rewind.FetchWALError), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := restorePair(t, "18", "basic")
			p.configure(c.conf)
			s := &store{t: t, dir: t.TempDir(), fails: c.fails}
			if c.history != "" {
				h := c.history
				if strings.Contains(h, "%s") {
					fork, err := os.ReadFile(p.wal(p.source, "00000002.history"))
					require.NoError(t, err)
					h = fmt.Sprintf(h, strings.Fields(string(fork))[1])
				}
				require.NoError(t, os.WriteFile(filepath.Join(s.dir, newer), []byte(h), 0o600))
			}
			opts := rewind.Options{
				TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), NoSync: true, FetchWAL: s.fetch, ArchivePause: time.Nanosecond,
				Keep: []string{"@config"}, PrimaryConnInfo: "host=x",
			}
			r, err := rewind.Prepare(t.Context(), opts)
			var fetch *rewind.FetchWALError
			switch {
			case errors.As(c.is, &fetch):
				require.ErrorAs(t, err, &fetch)
				assert.Equal(t, newer, fetch.Name)
			case c.is != nil:
				require.ErrorIs(t, err, c.is)
			default:
				require.NoError(t, err)
				require.NoError(t, r.Close())
			}
			if c.asked {
				assert.Contains(t, s.asked, newer)
			} else {
				assert.NotContains(t, s.asked, newer)
			}
			assert.NoFileExists(t, filepath.Join(p.target, "ran"))
		})
	}
}

func TestOptionsThatExcludeEachOtherAreRefused(t *testing.T) {
	for what, opts := range map[string]rewind.Options{
		"two ways to restore WAL":     {RestoreCommand: "true", FetchWAL: (&store{t: t}).fetch},
		"two ways to find the server": {BinDir: "/usr/bin", ServerProgram: "/usr/bin/postgres"},
	} {
		opts.TargetDir = t.TempDir()
		_, err := rewind.Prepare(t.Context(), opts)
		require.ErrorIs(t, err, rewind.ErrOptions, what)
	}
}
