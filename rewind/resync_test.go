package rewind_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// bareSource provides neither hashes nor its files.
type bareSource struct{ source.Source }

// TestChangesOfBothSidesAreFoundInWAL has a source without summaries.
func TestChangesOfBothSidesAreFoundInWAL(t *testing.T) {
	p := newSpecimenFor(t, byChanges)
	p.restore(t)
	r, err := rewind.Prepare(t.Context(), p.options(t))
	require.NoError(t, err)
	defer r.Close()
	plan := r.Plan()
	assert.Equal(t, report.ByChanges, plan.Evidence, "%v", plan.PassedOver)
	assert.Equal(t, plan.Source.FilesLow, plan.Start)
	assert.NotZero(t, plan.Lost.Committed)
	assert.Zero(t, plan.Compared)
}

func TestASourceWithoutHashesIsCopiedWhole(t *testing.T) {
	p := newSpecimenFor(t, compared)
	p.restore(t)
	opts := p.options(t)
	opts.Source = bareSource{opts.Source}
	require.NoError(t, run(opts.WithDisk(withoutSync)))
	for _, name := range []string{"base/5/16390", "base/5/16412", "base/5/60001", "base/5/2608", "base/7/1"} {
		want, err := os.ReadFile(filepath.Join(p.src, name))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(p.target(), name))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), name)
	}
}

// TestOnlyDifferentBlocksAreCopied has a file of which one block in eight differs, and
// an unlogged relation, which is ignored.
func TestOnlyDifferentBlocksAreCopied(t *testing.T) {
	const size = 8192
	p := newSpecimenFor(t, compared)
	p.restore(t)
	big := bytes.Repeat([]byte("both"), 64*size/4)
	for _, dir := range []string{p.src, p.target()} {
		for _, name := range []string{"base/5/70000", "base/5/70001", "base/5/70001_init"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), big, 0o600))
		}
		for b := 3; b < 64; b += 8 {
			copy(big[b*size:], "target")
		}
	}
	opts := p.options(t)
	var last rewind.Progress
	opts.Observer.Progress = func(p rewind.Progress) {
		if p.Step == "" && p.Phase == rewind.PhaseAnalyze {
			last = p
		}
	}
	r, err := rewind.Prepare(t.Context(), opts)
	require.NoError(t, err)
	defer r.Close()
	assert.Equal(t, r.Plan().Compared, last.TotalBytes)
	assert.Equal(t, last.TotalBytes, last.DoneBytes)
	assert.GreaterOrEqual(t, last.Differing, int64(8*size))
	assert.Less(t, last.Differing, last.DoneBytes)
	entry := entryOf(t, r.Plan(), "base/5/70000")
	assert.Equal(t, filemap.Different, entry.Reason)
	var blocks []int
	for b := range entry.Blocks.All() {
		blocks = append(blocks, int(b))
	}
	assert.Equal(t, []int{3, 11, 19, 27, 35, 43, 51, 59}, blocks)
	unlogged := entryOf(t, r.Plan(), "base/5/70001")
	assert.Equal(t, filemap.Unlogged, unlogged.Reason)
	assert.Nil(t, unlogged.Blocks)
}

// TestAResyncTriesOtherEvidenceAfterARefusal checks that either other evidence
// is found, or the problem is on the source, where it can be fixed.
func TestAResyncTriesOtherEvidenceAfterARefusal(t *testing.T) {
	for _, resync := range []rewind.Resync{rewind.NoResync, rewind.ResyncIfNeeded, rewind.ResyncCompare} {
		p := restorePair(t, "18", "basic")
		p.clear(p.source, func(d *controlfile.Data) bool { return d.WALLevel < 1 })
		dir, err := source.OpenDir(p.source)
		require.NoError(t, err)
		_, err = rewind.Prepare(t.Context(), rewind.Options{TargetDir: p.target, Source: dir, Resync: resync})
		require.NoError(t, dir.Close())
		require.ErrorIs(t, err, rewind.ErrWALLevel)
		var failed *rewind.Error
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, resync == rewind.NoResync, failed.BaseBackupNeeded(), resync)
		assert.True(t, failed.TargetUntouched)
	}
}

func TestThereIsNoOtherWayToResync(t *testing.T) {
	p := newSpecimenFor(t, func(*rewind.Options) {})
	opts := p.options(t)
	opts.Resync = "sometimes"
	_, err := rewind.Prepare(t.Context(), opts)
	require.ErrorIs(t, err, rewind.ErrOptions)
}

// TestWALOfAnUnknownSideOfTheForkIsNotArchived: in the archive it would take the place
// of another server's segment.
func TestWALOfAnUnknownSideOfTheForkIsNotArchived(t *testing.T) {
	p := newSpecimenFor(t, compared)
	p.restore(t)
	entries, err := os.ReadDir(filepath.Join(p.root, "wal"))
	require.NoError(t, err)
	status := filepath.Join(p.root, "wal", "archive_status")
	require.NoError(t, os.MkdirAll(status, 0o700))
	waiting := 0
	for _, e := range entries {
		if e.Type().IsRegular() && len(e.Name()) == 24 {
			require.NoError(t, os.WriteFile(filepath.Join(status, e.Name()+".ready"), nil, 0o600))
			waiting++
		}
	}
	require.NotZero(t, waiting)
	opts := p.options(t)
	opts.ArchiveLostWAL = true // this fails if there is anything to archive: there is no archive_command
	r, err := rewind.Prepare(t.Context(), opts.WithDisk(withoutSync))
	require.NoError(t, err)
	defer r.Close()
	assert.Empty(t, r.Plan().Unarchived)
	assert.Contains(t, strings.Join(r.Plan().Warnings, "\n"), "none is archived now")
	require.NoError(t, r.Apply(t.Context()))
}
