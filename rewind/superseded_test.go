package rewind_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/rewind"
)

// TestTheOwnSegmentOfTheDivergenceIsKeptAndNotRead has a target whose own segment of
// the divergence continues with lost transactions, further than the source's WAL goes.
// The rewound server has only its own WAL directory, and does not read that segment.
func TestTheOwnSegmentOfTheDivergenceIsKeptAndNotRead(t *testing.T) {
	pgtest.EachOf(t, endtoend.Telling, func(t *testing.T, in *pgtest.Installation) {
		target := in.InitCluster(t, pgtest.Options{})
		target.Start(t)
		target.Exec(t, "CREATE TABLE journal (what text, filler text)")
		src := target.Standby(t)
		src.Promote(t)
		src.Exec(t, "INSERT INTO journal VALUES ('new')")
		src.Stop(t, pgtest.Fast)
		for range 3 {
			endtoend.Write(t, target, "lost")
		}
		target.Stop(t, pgtest.Fast)

		geo := endtoend.ControlOf(t, target).Geometry
		plan := prepareOnly(t, target, src)
		own := in.Version.WALPath(geo.WALFileName(1, geo.SegNo(plan.Divergence)))
		younger := in.Version.WALPath(geo.WALFileName(2, geo.SegNo(plan.Divergence)))
		require.NoError(t, os.Remove(filepath.Join(src.Dir, own)), "the source recycles it some day")
		before, err := os.ReadFile(filepath.Join(target.Dir, own))
		require.NoError(t, err)

		plan = endtoend.MustRewind(t, target, endtoend.OpenDir(t, src.Dir))
		entry := entryOf(t, plan, own)
		assert.Equal(t, filemap.None, entry.Action)
		assert.Equal(t, filemap.Superseded, entry.Reason)
		after, err := os.ReadFile(filepath.Join(target.Dir, own))
		require.NoError(t, err)
		assert.True(t, string(before) == string(after), "it is unchanged")
		require.FileExists(t, filepath.Join(target.Dir, younger))

		target.MakeStandbyOf(t, src) // which is gone: there is no other WAL than that on the disk
		target.Start(t)
		const rows = "SELECT string_agg(DISTINCT what, ' ') FROM journal"
		assert.Equal(t, "new", target.QueryString(t, rows))
		target.Stop(t, pgtest.Fast)

		// The next run reads the same files, and sees no other history either.
		again := prepareOnly(t, target, src)
		assert.False(t, again.Required, "%s", again.Reason)
		target.Start(t)
		target.Promote(t)
		assert.Equal(t, "new", target.QueryString(t, rows))
		endtoend.MustBeSound(t, target)
	})
}

// prepareOnly returns the plan of a rewind from a stopped source.
func prepareOnly(t *testing.T, target, src *pgtest.Cluster) *rewind.Plan {
	t.Helper()
	r, err := endtoend.Prepare(t, target, endtoend.OpenDir(t, src.Dir))
	require.NoError(t, err)
	return r.Plan()
}

func entryOf(t *testing.T, p *rewind.Plan, path string) filemap.Entry {
	t.Helper()
	for _, e := range p.Files.Entries {
		if e.Path == path {
			return e
		}
	}
	require.Fail(t, "the plan does not mention it", path)
	return filemap.Entry{}
}
