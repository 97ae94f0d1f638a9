package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
	"github.com/gorewind/gorewind/internal/pgtest/dirtree"
)

// times returns samples of these durations in milliseconds.
func times(ms ...int64) (all []sample) {
	for _, n := range ms {
		all = append(all, sample{wall: time.Duration(n) * time.Millisecond, cpu: time.Second, peak: n * mb})
	}
	return all
}

// carried adds bytes written and bytes on the wire to samples.
func carried(all []sample) []sample {
	for i := range all {
		all[i].written, all[i].wire = 7*mb, 8*mb
	}
	return all
}

func TestGoalsAreJudgedByMedians(t *testing.T) {
	sc := &scenario{name: "X", about: "of everything", unit: "MB", grows: "b", goals: []goal{
		{of: "b", than: "a", measure: wall, limit: 0.25},
		{of: "b", than: "a", measure: peak, limit: 0.1},
		{of: "b", measure: fetched, limit: 2 * mb},
	}}
	var r report
	require.NoError(t, scoped("X", func(t *scope) {
		r.addPoint(sc, 2, times(15))
		r.add(t, sc, 4, []outcome{
			{contestant: contestant{name: "a"}, samples: times(90, 5000, 100), fetched: -1},
			{contestant: contestant{name: "b"}, samples: carried(times(1, 25, 900)), fetched: 3 * mb},
		})
	}))
	var values []float64
	var ok []bool
	for _, v := range r.Goals {
		values, ok = append(values, v.Value), append(ok, v.OK)
	}
	assert.InDeltaSlice(t, []float64{0.25, 0.25, 3 * mb}, values, 1e-9)
	assert.Equal(t, []bool{true, false, false}, ok)
	assert.Equal(t, 2, r.missed())

	var table bytes.Buffer
	r.print(&table, sc)
	for _, want := range []string{
		`a +0\.100 s +1\.000 s +100\.0 MB`,
		`b +0\.025 s +1\.000 s +25\.0 MB +7\.0 MB +3\.0 MB +8\.0 MB +wall / a +0\.25 +≤ 0\.25 +ok`,
		`fetched +3\.0 MB +≤ 2\.0 MB +MISSED`,
		`4 MB +0\.025 s .* 160 MB/s +200 MB/s`,
	} {
		assert.Regexp(t, want, table.String())
	}
}

func TestAGoalWithoutItsMeasureIsAnError(t *testing.T) {
	medians := map[string]sample{"a": {}, "b": {wall: time.Second, fetched: -1}}
	for _, g := range []goal{
		{of: "c", measure: wall},
		{of: "b", than: "c", measure: wall},
		{of: "a", than: "a", measure: wall},
		{of: "b", measure: fetched},
	} {
		_, err := g.judge(medians)
		assert.ErrorContains(t, err, "is not known", "%s than %s", g.of, g.than)
	}
}

func TestDifferencesAreFound(t *testing.T) {
	source := map[string]string{"postgres.sides": "2", "postgres.t": "1"}
	assert.Empty(t, compare(source, source))
	assert.Contains(t, compare(source, map[string]string{"postgres.sides": "2"}), "postgres.t")
	assert.Contains(t, compare(map[string]string{"postgres.sides": "2"}, source), "postgres.t")
	assert.NotEmpty(t, compare(nil, nil), "nothing was compared")
}

func TestAReplicaIsRestored(t *testing.T) {
	origin, dir := t.TempDir(), t.TempDir()
	write := func(dir, name, text string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	files := []string{"base/kept", "base/changed", "base/replaced", "base/removed", "gone/file"}
	for _, name := range files {
		write(origin, name, name)
	}
	r := &replica{Cluster: &cluster.Cluster{Dir: dir}, origin: origin, clean: map[string]fs.FileInfo{}}
	require.NoError(t, r.restore(), "into an empty directory")
	kept, err := os.Stat(filepath.Join(dir, "base/kept"))
	require.NoError(t, err)

	changed := filepath.Join(dir, "base/changed")
	write(dir, "base/changed", "BASE/CHANGED")
	require.NoError(t, os.Chtimes(changed, time.Time{}, time.Now().Add(time.Second))) // file times are coarse
	write(dir, "new", "base/replaced")
	require.NoError(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "base/replaced")))
	require.NoError(t, os.Remove(filepath.Join(dir, "base/removed")))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "gone")))
	write(dir, "more/file", "x")
	write(dir, "base/more", "x")
	require.NoError(t, r.restore())

	want, err := dirtree.Read(origin)
	require.NoError(t, err)
	got, err := dirtree.Read(dir)
	require.NoError(t, err)
	assert.Empty(t, want.Diff(got))
	now, err := os.Stat(filepath.Join(dir, "base/kept"))
	require.NoError(t, err)
	assert.True(t, os.SameFile(kept, now), "unchanged files are not copied again")
}
