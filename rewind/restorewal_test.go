package rewind_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// archived moves WAL segments of a side to an archive that the target's restore_command
// reads.
func (p *pair) archived(dir string, names ...string) (archive string) {
	p.t.Helper()
	archive = filepath.Join(p.home, "archive")
	require.NoError(p.t, os.MkdirAll(archive, 0o700))
	for _, name := range names {
		require.NoError(p.t, os.Rename(p.wal(dir, name), filepath.Join(archive, name)))
	}
	p.configure("restore_command = 'cp " + archive + "/%f %p'\n")
	return archive
}

// roomyDisk always reports the same free space.
type roomyDisk struct {
	apply.Disk
	free int64
}

func (d roomyDisk) Free(string) (int64, uint64, bool) { return d.free, 1, true }

// TestWALIsNotRestoredWithoutRoom has an archive that has everything that is needed,
// and a disk without space for it.
func TestWALIsNotRestoredWithoutRoom(t *testing.T) {
	const segment = 1 << 20
	inSource := "00000002000000000000000A"
	for _, c := range []struct {
		name     string
		free     int64
		needed   int64
		archived func(p *pair) source.Source
	}{
		{"what is lost", segment - 1, segment, func(p *pair) source.Source {
			p.archived(p.target, middleSegment)
			return endtoend.OpenDir(p.t, p.source)
		}},
		{"what the rewound server needs", segment - 1, segment, func(p *pair) source.Source {
			p.archived(p.source, inSource)
			return endtoend.OpenDir(p.t, p.source)
		}},
		{"the second of many", 3 * segment, 4 * segment, func(p *pair) source.Source {
			p.archived(p.source, inSource)
			return server{endtoend.OpenDir(p.t, p.source), source.State{Live: true, FullPageWrites: true, Timeline: 2, FlushLSN: p.control(p.source).CheckPoint + 1<<49}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := restorePair(t, "18", "basic")
			src := c.archived(p)
			before := treeOf(t, p.target)
			_, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, Source: src, RestoreTargetWAL: true}.
				WithDisk(func(d apply.Disk) apply.Disk { return roomyDisk{d, c.free} }))
			var short *rewind.SpaceError
			require.ErrorAs(t, err, &short)
			assert.Equal(t, rewind.SpaceError{Dir: short.Dir, Needed: c.needed, Free: c.free, Restored: true}, *short)
			var failed *rewind.Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, rewind.NoSpace, failed.Condition)
			assert.Equal(t, 1, failed.ExitStatus())
			assert.ErrorContains(t, err, "for WAL that must be restored from the archive")
			assert.Empty(t, before.Diff(treeOf(t, p.target)))
		})
	}
}

// TestWALIsRestoredAgain removes the staging area in between, as a failed attempt
// does that is followed by another analysis.
func TestWALIsRestoredAgain(t *testing.T) {
	p := restorePair(t, "18", "basic")
	p.archived(p.target, middleSegment)
	r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), NoSync: true, RestoreTargetWAL: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	require.NoError(t, os.RemoveAll(filepath.Join(p.target, ownfiles.Prefix)))
	for range 2 {
		at, err := r.BringBack(t.Context(), middleSegment)
		require.NoError(t, err)
		assert.FileExists(t, filepath.Join(p.target, at))
	}
}

// TestLostWALIsSavedFromTheArchive has a lost segment that is only in the archive.
func TestLostWALIsSavedFromTheArchive(t *testing.T) {
	p := restorePair(t, "18", "basic")
	archive := p.archived(p.target, middleSegment)
	content, err := os.ReadFile(filepath.Join(archive, middleSegment))
	require.NoError(t, err)
	options := func() rewind.Options {
		return rewind.Options{
			TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), NoSync: true,
			RestoreTargetWAL: true, SaveLost: filepath.Join(t.TempDir(), "lost"),
		}
	}
	prepare := func(opts rewind.Options) *rewind.Rewind {
		r, err := rewind.Prepare(t.Context(), opts)
		require.NoError(t, err)
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	var plan bytes.Buffer
	r := prepare(options())
	require.NoError(t, r.Save(&plan))
	require.NoError(t, r.Close())
	whole, err := filepath.Abs(p.target)
	require.NoError(t, err)
	copies := t.TempDir()

	for _, c := range []struct {
		name          string
		plan, without bool // a saved plan is applied; the archive is not asked
	}{
		{name: "what the scan brought back"},
		{name: "of a saved plan", plan: true},
		{name: "of a saved plan, without the archive", plan: true, without: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.target = filepath.Join(copies, filepath.Base(c.name))
			require.NoError(t, os.CopyFS(p.target, os.DirFS(whole)))
			opts := options()
			if c.plan {
				opts.Plan = bytes.NewReader(plan.Bytes())
			}
			opts.RestoreTargetWAL = !c.without
			r := prepare(opts)
			require.NoError(t, r.Apply(t.Context()))
			for _, name := range []string{firstSegment, lastSegment} {
				assert.FileExists(t, filepath.Join(opts.SaveLost, rewind.LostWAL, name))
			}
			saved, err := os.ReadFile(filepath.Join(opts.SaveLost, rewind.LostWAL, middleSegment))
			// This cluster has no catalogs, so lost rows cannot be listed.
			warnings := slices.DeleteFunc(slices.Clone(r.Plan().Warnings), func(w string) bool { return strings.HasPrefix(w, "lost rows could not be listed") })
			require.Len(t, warnings, len(r.Plan().Warnings)-1)
			assert.NoDirExists(t, filepath.Join(opts.SaveLost, rewind.LostRowsDir))
			if c.without {
				require.ErrorIs(t, err, os.ErrNotExist)
				require.Len(t, warnings, 1)
				assert.Contains(t, warnings[0], middleSegment+" is lost and could not be saved")
				return
			}
			require.NoError(t, err)
			assert.True(t, bytes.Equal(content, saved))
			assert.Empty(t, warnings)
		})
	}
}

// TestManyLostSegmentsAreOneWarning applies a saved plan when WAL that it would save is
// gone.
func TestManyLostSegmentsAreOneWarning(t *testing.T) {
	p := restorePair(t, "18", "basic")
	p.archived(p.target, middleSegment, lastSegment)
	var plan bytes.Buffer
	opts := rewind.Options{TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), NoSync: true, RestoreTargetWAL: true}
	r, err := rewind.Prepare(t.Context(), opts)
	require.NoError(t, err)
	require.NoError(t, r.Save(&plan))
	require.NoError(t, r.Close())

	var log records
	opts.RestoreTargetWAL, opts.Plan, opts.SaveLost, opts.Logger = false, &plan, filepath.Join(t.TempDir(), "lost"), slog.New(&log)
	r, err = rewind.Prepare(t.Context(), opts)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	require.NoError(t, r.Apply(t.Context()))
	told := 0
	for _, rec := range log.all {
		if strings.Contains(rec.Message, "could not be saved") {
			told++
			assert.Contains(t, rec.Message, "2 WAL segments are lost and could not be saved, the first of them "+middleSegment)
		}
	}
	assert.Equal(t, 1, told)
}

// TestTheCallersCommandRestoresWAL has a target whose own command, if it has one,
// does not work.
func TestTheCallersCommandRestoresWAL(t *testing.T) {
	for _, major := range []string{"13", "18"} {
		t.Run(major, func(t *testing.T) {
			p := restorePair(t, major, "basic")
			archive := p.archived(p.target, middleSegment)
			p.configure("restore_command = 'false'\n")
			opts := rewind.Options{TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), NoSync: true, RestoreTargetWAL: true, ArchivePause: time.Millisecond}
			_, err := rewind.Prepare(t.Context(), opts)
			require.Error(t, err)
			opts.RestoreCommand = "cp " + archive + "/%f %p"
			r, err := rewind.Prepare(t.Context(), opts)
			require.NoError(t, err)
			defer func() { require.NoError(t, r.Close()) }()
			assert.True(t, r.Plan().Required)
			require.NoError(t, r.Apply(t.Context()))
		})
	}
}

// TestAnErrorOfACommandNamesWhatGaveIt: the target's configuration, or the caller.
func TestAnErrorOfACommandNamesWhatGaveIt(t *testing.T) {
	const configured, given = "correct it in the target's configuration", "correct it in Options.RestoreCommand"
	for _, c := range []struct {
		name, command, says, doesNot string
	}{
		{"the configuration", "", configured, given},
		{"the caller", "/nowhere/fetch", given, configured},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := restorePair(t, "18", "basic")
			p.archived(p.target, middleSegment)
			p.configure("restore_command = '/nowhere/else'\n")
			_, err := rewind.Prepare(t.Context(), rewind.Options{
				TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), RestoreTargetWAL: true, RestoreCommand: c.command,
			})
			require.ErrorContains(t, err, c.says)
			assert.NotContains(t, err.Error(), c.doesNot)
			assert.Equal(t, 1, strings.Count(strings.ToLower(err.Error()), "correct it"), "there is one hint: %v", err)
		})
	}
}

// TestTheExitStatusOfRestoreCommandDecidesTheAction has the exit statuses that a server
// distinguishes, too.
func TestTheExitStatusOfRestoreCommandDecidesTheAction(t *testing.T) {
	for _, c := range []struct {
		name, command string
		condition     rewind.Condition
		action        rewind.Action
		is            rewind.ArchiveError
	}{
		{
			"it says that the archive does not have the file", "exit 1", rewind.MissingWAL, rewind.ActionFix,
			rewind.ArchiveError{Setting: "restore_command", File: middleSegment, ExitStatus: 1, Attempts: 3, NotThere: true},
		},
		{"it says that it failed", "exit 200", rewind.ArchiveFailed, rewind.ActionRetry, rewind.ArchiveError{Setting: "restore_command", ExitStatus: 200}},
		{"it is killed", "kill -9 $$", rewind.ArchiveFailed, rewind.ActionRetry, rewind.ArchiveError{Setting: "restore_command", ExitStatus: -1}},
		{"it is not found", "/nowhere/fetch", rewind.ArchiveFailed, rewind.ActionFix, rewind.ArchiveError{Setting: "restore_command", ExitStatus: 127}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := restorePair(t, "18", "basic")
			p.archived(p.target, middleSegment)
			p.configure("restore_command = '" + c.command + "'\n")
			_, err := rewind.Prepare(t.Context(), rewind.Options{
				TargetDir: p.target, Source: endtoend.OpenDir(t, p.source), RestoreTargetWAL: true, ArchivePause: time.Millisecond,
			})
			var failed *rewind.Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, c.condition, failed.Condition, err)
			assert.Equal(t, c.action, failed.Action, err)
			assert.True(t, failed.TargetUntouched)
			var archive *rewind.ArchiveError
			require.ErrorAs(t, err, &archive)
			assert.Equal(t, c.command, archive.Command)
			assert.Equal(t, []any{c.is.Setting, c.is.File, c.is.ExitStatus, c.is.Attempts, c.is.NotThere},
				[]any{archive.Setting, archive.File, archive.ExitStatus, archive.Attempts, archive.NotThere})
		})
	}
}
