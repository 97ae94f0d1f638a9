package rewind_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata/clusters")

// fixtures are the clusters of testdata/clusters, which its README describes.
func fixtures(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join("..", "testdata", "clusters", "*-*"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(dirs), len(pgdata.Versions()), "at least one for every major")
	return dirs
}

// restoreBoth restores the data directories of a fixture and plans the rewind.
func restoreBoth(t *testing.T, dir string) (target, src string, r *rewind.Rewind) {
	t.Helper()
	temp := t.TempDir()
	target, src = filepath.Join(temp, "target"), filepath.Join(temp, "source")
	require.NoError(t, savedcluster.Restore(filepath.Join(dir, "target"), target))
	require.NoError(t, savedcluster.Restore(filepath.Join(dir, "source"), src))
	r, err := rewind.Prepare(t.Context(), rewind.Options{TargetDir: target, Source: endtoend.OpenDir(t, src), NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return target, src, r
}

// TestFixturesAreRewoundAsRecorded compares the plan and the result with the recorded
// ones. It also compares the plan with what pg_rewind --debug printed when the clusters
// were made, if there was one of that major.
func TestFixturesAreRewoundAsRecorded(t *testing.T) {
	for _, dir := range fixtures(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			target, src, r := restoreBoth(t, dir)
			got := planText(r.Plan())
			var saved bytes.Buffer
			require.NoError(t, r.Save(&saved))
			again, err := rewind.ReadPlan(rewind.PlanBody(saved.Bytes()))
			require.NoError(t, err, "a plan that was saved can be read")
			assert.Equal(t, got, planText(again))
			words := filepath.Join(dir, "pg_rewind.txt")
			if _, err := os.Stat(words); err == nil {
				comparePlan(t, r.Plan(), words)
			}

			begun := time.Now()
			require.NoError(t, r.Apply(context.WithoutCancel(t.Context())))
			got += resultText(t, r.Plan(), target, src, begun)

			golden := filepath.Join(dir, "plan.golden")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			assert.Equal(t, readText(t, golden), got)
		})
	}
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// planText formats a whole plan.
func planText(p *rewind.Plan) string {
	var b strings.Builder
	lsn := p.Version.FormatLSN
	for _, side := range []struct {
		name string
		rewind.Side
	}{{"target", p.Target}, {"source", p.Source}} {
		fmt.Fprintf(&b, "%s: PostgreSQL %s, %s, timeline %d", side.name, side.Control.Version, side.Control.State, side.Timeline)
		if side.EndOfWAL != 0 {
			fmt.Fprintf(&b, ", WAL ends at %s", lsn(side.EndOfWAL))
		}
		fmt.Fprintf(&b, "\n\t%s\n", strings.Join(side.History.Lines(lsn), "\n\t"))
	}
	c := p.Checkpoint
	fmt.Fprintf(&b, "diverged at %s on timeline %d\n", lsn(p.Divergence), p.DivergenceTimeline)
	fmt.Fprintf(&b, "last common checkpoint at %s on timeline %d (before it: %d), redo at %s, shutdown: %t\n",
		lsn(c.LSN), c.TLI, c.PrevTLI, lsn(c.Redo), c.Shutdown)
	fmt.Fprintf(&b, "scanned %d records of %d bytes\n", p.Scan.Records, p.Scan.Bytes)
	fmt.Fprintf(&b, "to fetch %d of %d bytes\n\n", p.Files.FetchBytes(), p.Files.SourceBytes)
	for i := range p.Files.Entries {
		e := &p.Files.Entries[i]
		fmt.Fprintf(&b, "%s %s: %s, %d bytes on the source, %d on the target (%s)", e.Action, e.Path, e.Type, e.SourceSize, e.TargetSize, e.Reason)
		if e.Blocks != nil {
			fmt.Fprintf(&b, ", blocks %s", blockRanges(e.Blocks))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// blockRanges formats a set of blocks, as in "0-3 7".
func blockRanges(s *pgdata.BlockSet) string {
	var parts []string
	blocks := slices.Collect(s.All())
	for i := 0; i < len(blocks); {
		j := i
		for j+1 < len(blocks) && blocks[j+1] == blocks[j]+1 {
			j++
		}
		part := fmt.Sprint(blocks[i])
		if j > i {
			part += fmt.Sprintf("-%d", blocks[j])
		}
		parts, i = append(parts, part), j+1
	}
	return strings.Join(parts, " ")
}

// resultText describes what a rewind left: backup_label, the control file's fields that
// it changes, and the entries that the two sides do not share. Times are checked and
// left out.
func resultText(t *testing.T, p *rewind.Plan, target, src string, begun time.Time) string {
	t.Helper()
	var b strings.Builder
	label := readText(t, filepath.Join(target, pgdata.BackupLabelPath))
	label, clock, found := strings.Cut(label, "START TIME: ")
	require.True(t, found)
	assert.Regexp(t, `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+\n$`, clock)
	fmt.Fprintf(&b, "\nbackup_label:\n%s", label)

	control, err := controlfile.Read(target)
	require.NoError(t, err)
	fmt.Fprintf(&b, "\ncontrol file: %s, checkpoint at %s, minimum recovery point %s on timeline %d\n", control.State,
		p.Version.FormatLSN(control.CheckPoint), p.Version.FormatLSN(control.MinRecoveryPoint), control.MinRecoveryPointTLI)
	if p.Version.StampsControl {
		assert.WithinRange(t, control.Time, begun.Truncate(time.Second), time.Now())
	} else {
		assert.Equal(t, p.Source.Control.Time, control.Time)
	}
	fields := p.Source.Control.Fields
	fields.State, fields.Time = control.State, control.Time
	fields.MinRecoveryPoint, fields.MinRecoveryPointTLI = control.MinRecoveryPoint, control.MinRecoveryPointTLI
	assert.Equal(t, p.Source.Control.Encode(fields), control.Encode(control.Fields), "all else is as in the source's control file")

	b.WriteString("\nfiles of one side only, and of different sizes:\n")
	got, want := listing(t, target), listing(t, src)
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		assert.NotContains(t, path, ownfiles.Prefix)
		if got[path] != want[path] {
			fmt.Fprintf(&b, "%s: target %s, source %s\n", path, got[path], want[path])
		}
	}
	return b.String()
}

// listing describes the entries of a data directory. An empty description means that an
// entry does not exist.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for f, err := range endtoend.OpenDir(t, dir).Files(t.Context()) {
		require.NoError(t, err)
		all[f.Path] = fmt.Sprintf("%s of %d bytes", f.Type, f.Size)
	}
	return all
}

// comparePlan compares a plan with pg_rewind's output.
func comparePlan(t *testing.T, p *rewind.Plan, words string) {
	t.Helper()
	general, genuine := readWords(t, words)
	lsn := p.Version.FormatLSN
	assert.Equal(t, []string{
		fmt.Sprintf("servers diverged at WAL location %s on timeline %d", lsn(p.Divergence), p.DivergenceTimeline),
		fmt.Sprintf("rewinding from last common checkpoint at %s on timeline %d", lsn(p.Checkpoint.LSN), p.Checkpoint.TLI),
	}, general)

	ours := map[string]string{}
	for i := range p.Files.Entries {
		e := &p.Files.Entries[i]
		if e.Action == filemap.None && e.Blocks == nil {
			continue // only mentioned
		}
		ours[e.Path] = e.Action.String()
		if e.Blocks != nil {
			ours[e.Path] += " " + blockRanges(e.Blocks)
		}
	}
	for path, action := range genuine {
		if alsoFine(p, path, action, ours[path]) {
			delete(genuine, path)
			delete(ours, path)
		}
	}
	assert.Greater(t, len(ours), 20)
	assert.Equal(t, genuine, ours)
}

// alsoFine accepts the intended differences. The control file is not an entry of the
// plan. What WAL does not describe is compared, and copied if it differs. Segments from
// before the divergence are the same on both sides, so they are not copied, except for
// those that are hollow here, whatever pg_rewind does. The segment of the divergence is
// kept if only the target has it, as by late minors of pg_rewind, unless it is of a
// timeline that the source never had.
func alsoFine(p *rewind.Plan, path, genuine, ours string) bool {
	if path == pgdata.ControlFilePath {
		return genuine == "COPY" && ours == ""
	}
	if rest, ok := strings.CutPrefix(ours, "TRUNCATE 0"); ok && genuine == "TRUNCATE"+rest {
		return true // the first block of a truncated file is copied, too
	}
	for i := range p.Files.Entries {
		e := &p.Files.Entries[i]
		if e.Path == path && (e.Reason == filemap.SameContent || e.Reason == filemap.MadeByRecovery || e.Reason == filemap.NotARelation && e.Action != filemap.Copy) {
			return genuine == "COPY"
		}
	}
	name, inWAL := p.Version.InWALDir(path)
	geo := p.Target.Control.Geometry
	tli, s, isSegment := geo.ParseWALFileName(name)
	if !inWAL || !isSegment {
		return false
	}
	fork := geo.SegNo(p.Divergence)
	return s < fork && (ours == "" || ours == "COPY") && (genuine == "COPY" || genuine == "NONE") ||
		s == fork && tli == p.DivergenceTimeline && ours == "" && (genuine == "NONE" || genuine == "REMOVE") ||
		s == fork && tli != p.DivergenceTimeline && ours == "REMOVE" && genuine == "NONE"
}

var (
	wordsOfBlock = regexp.MustCompile(`^block (\d+)$`)
	wordsOfFile  = regexp.MustCompile(`^(.*) \(([A-Z_]+)\)$`)
	wordsOfKept  = regexp.MustCompile(`^Not removing file "(.*)" because it is required for recovery$`)
)

// readWords reads pg_rewind's output: the lines that are not about one file and, by
// path, the action with the changed blocks.
func readWords(t *testing.T, name string) (general []string, files map[string]string) {
	t.Helper()
	files = map[string]string{}
	blocks := map[string]*pgdata.BlockSet{}
	last := ""
	for line := range strings.Lines(readText(t, name)) {
		line = strings.TrimSuffix(line, "\n")
		if m := wordsOfBlock.FindStringSubmatch(line); m != nil {
			n, err := strconv.ParseUint(m[1], 10, 32)
			require.NoError(t, err)
			if blocks[last] == nil {
				blocks[last] = &pgdata.BlockSet{}
			}
			blocks[last].Add(pgdata.BlockNumber(n))
		} else if m := wordsOfFile.FindStringSubmatch(line); m != nil {
			last = m[1]
			files[last] = m[2]
		} else if m := wordsOfKept.FindStringSubmatch(line); m != nil {
			files[m[1]] = "NONE"
		} else {
			general = append(general, line)
		}
	}
	for path, set := range blocks {
		require.NotEmpty(t, path, "%s has blocks without a file", name)
		files[path] += " " + blockRanges(set)
	}
	return general, files
}
