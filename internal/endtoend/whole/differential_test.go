package whole_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// TestResultEqualsThatOfPgRewind rewinds twin targets, one with pg_rewind, and
// compares every byte (invariant I3).
func TestResultEqualsThatOfPgRewind(t *testing.T) {
	pgtest.EachGenuine(t, func(t *testing.T, in *pgtest.Installation) {
		o := pgtest.Options{WALSegSizeMB: 1, SeparateWAL: true, Conf: map[string]string{"jit": "off"}}
		target, src := divergedEverywhere(t, in, o, false)
		compare := func(source source.Source, args ...string) {
			ours, theirs := target.CloneStopped(t), target.CloneStopped(t)
			plan := endtoend.MustRewind(t, ours, source)
			in.Output(t, "pg_rewind", append(args, "--target-pgdata="+theirs.Dir)...)
			mustBeEqual(t, plan, ours, theirs)
		}
		// Nothing may change between the two rewinds. Without this, the first read of a
		// row would set hint bits and write WAL.
		src.Exec(t, "VACUUM")
		goOn := src.HoldBackgroundWriter(t)
		src.Checkpoint(t)
		src.SwitchWAL(t)
		compare(endtoend.OpenServer(t, src.ConnString("postgres")), "--source-server="+src.ConnString("postgres"))
		goOn()

		src.Stop(t, pgtest.Fast)
		compare(endtoend.OpenDir(t, src.Dir), "--source-pgdata="+src.Dir)
	})
}

// allowedDifferences are files that may differ where pg_rewind is of an old major.
var allowedDifferences = []struct {
	until int // server_version_num / 100 of the last such major
	path  *regexp.Regexp
	why   string
}{
	{1300, regexp.MustCompile(`^base/\d+/PG_VERSION$`), "of a database that only the source has, it leaves this file to WAL replay"},
	{1300, regexp.MustCompile(`^pg_wal/[0-9A-F]{24}$`), "it makes a temporary table on the source, which writes WAL"},
}

// startTime is the line of backup_label with the time when it was written.
var startTime = regexp.MustCompile(`(?m)^START TIME: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+$`)

// mustBeEqual compares two rewound targets. ARCHITECTURE.md lists and explains
// the differences that are allowed here.
func mustBeEqual(t *testing.T, plan *rewind.Plan, ours, theirs *pgtest.Cluster) {
	t.Helper()
	made := map[string]bool{} // by recovery, so not copied
	for i := range plan.Files.Entries {
		e := &plan.Files.Entries[i]
		made[e.Path] = e.Reason == filemap.MadeByRecovery
	}
	got, err := dirtree.Read(ours.Dir)
	require.NoError(t, err)
	want, err := dirtree.Read(theirs.Dir)
	require.NoError(t, err)
	individual := func(path string) bool {
		for _, allowed := range allowedDifferences {
			if ours.In.Version.ServerNum <= allowed.until && allowed.path.MatchString(path) {
				return true
			}
		}
		return path == pgdata.ControlFilePath || path == pgdata.BackupLabelPath || made[path] || differsAsMeant(t, plan, ours, theirs, path)
	}
	assert.Empty(t, got.Without(individual).Diff(want.Without(individual)))
	assert.Greater(t, len(got), 500, "files compared")

	label := func(c *pgtest.Cluster) string {
		b, err := os.ReadFile(filepath.Join(c.Dir, pgdata.BackupLabelPath))
		require.NoError(t, err)
		require.Regexp(t, startTime, string(b))
		return startTime.ReplaceAllString(string(b), "")
	}
	assert.Equal(t, label(theirs), label(ours))

	g, w := endtoend.ControlOf(t, ours), endtoend.ControlOf(t, theirs)
	assert.WithinDuration(t, w.Time, g.Time, time.Minute)
	assert.LessOrEqual(t, g.MinRecoveryPoint, w.MinRecoveryPoint, "ours is the source's flush position")
	assert.NotZero(t, g.MinRecoveryPoint)
	f := w.Fields
	f.Time, f.MinRecoveryPoint = g.Time, g.MinRecoveryPoint
	assert.Equal(t, encode(t, w, f), encode(t, g, g.Fields), "control file except time and minimum recovery point")
}

// differsAsMeant reports whether a relation's file differs only in blocks that no WAL
// describes: the first one of a truncated relation, and those from where the target
// created or truncated it.
func differsAsMeant(t *testing.T, plan *rewind.Plan, ours, theirs *pgtest.Cluster, path string) bool {
	t.Helper()
	segment, isRelation := pgdata.ParseRelPath(plan.Version, path)
	changes := plan.TargetChanges()
	limit, limited := changes.LimitOf(segment.Locator)
	cut := slices.ContainsFunc(plan.Files.Entries, func(e filemap.Entry) bool { return e.Path == path && e.Action == filemap.Truncate })
	if !isRelation || segment.Segment != 0 || !limited && !cut {
		return false
	}
	got, err := os.ReadFile(filepath.Join(ours.Dir, path))
	require.NoError(t, err)
	want, err := os.ReadFile(filepath.Join(theirs.Dir, path))
	require.NoError(t, err)
	if len(got) != len(want) {
		return false
	}
	size := int(plan.Files.Geometry.BlockSize)
	for at := 0; at < len(got); at += size {
		block, end := pgdata.BlockNumber(at/size), min(at+size, len(got))
		meant := cut && block == 0 || limited && block >= limit
		if !meant && !bytes.Equal(got[at:end], want[at:end]) {
			return false
		}
	}
	return true
}

func encode(t *testing.T, d *controlfile.Data, f controlfile.Fields) []byte {
	t.Helper()
	b := d.Encode(f)
	require.Len(t, b, controlfile.Size)
	return b
}
