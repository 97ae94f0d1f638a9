package datadir_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/pgdata"
)

func TestListingsOfManyFilesLackNone(t *testing.T) {
	dir, _ := cluster(t)
	want := map[string]int64{}
	for i := range 3000 { // more than one batch
		p := fmt.Sprintf("base/5/%d", 20000+i)
		want[p] = int64(i % 3)
		require.NoError(t, os.WriteFile(filepath.Join(dir, p), make([]byte, i%3), 0o600))
		if i%1000 == 0 { // between the others
			p := fmt.Sprintf("base/5/%d.d", 20000+i)
			require.NoError(t, os.Mkdir(filepath.Join(dir, p), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, p, "x"), nil, 0o600))
			want[p+"/x"] = 0
		}
	}
	seen := map[string]bool{"base/5": true}
	for f, err := range open(t, dir).Files() {
		require.NoError(t, err)
		assert.False(t, seen[f.Path] && f.Path != "base/5", "%s is listed twice", f.Path)
		seen[f.Path] = true
		if size, is := want[f.Path]; is {
			require.Equal(t, pgdata.Regular, f.Type)
			require.Equal(t, size, f.Size)
			delete(want, f.Path)
			assert.True(t, seen[f.Path[:strings.LastIndexByte(f.Path, '/')]], "its directory comes before %s", f.Path)
		}
	}
	assert.Empty(t, want)
}

func TestADirectoryThatCannotBeReadEndsTheListing(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything: run this as an ordinary user")
	}
	dir, _ := cluster(t)
	require.NoError(t, os.Chmod(filepath.Join(dir, "base/5"), 0o100))
	t.Cleanup(func() { require.NoError(t, os.Chmod(filepath.Join(dir, "base/5"), 0o700)) })
	var found error
	for _, err := range open(t, dir).Files() {
		require.NoError(t, found, "nothing comes after an error")
		found = err
	}
	assert.ErrorIs(t, found, fs.ErrPermission)
	assert.ErrorContains(t, found, filepath.Join(dir, "base", "5"))
}

// BenchmarkFiles lists a directory of 20,000 files; with GOREWIND_BENCH_DIR, the
// data directory of that name.
func BenchmarkFiles(b *testing.B) {
	dir := os.Getenv("GOREWIND_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
		for _, sub := range []string{"global", "base/5"} {
			require.NoError(b, os.MkdirAll(filepath.Join(dir, sub), 0o700))
		}
		require.NoError(b, os.WriteFile(filepath.Join(dir, "global/pg_control"), nil, 0o600))
		for i := range 20000 {
			require.NoError(b, os.WriteFile(fmt.Sprintf("%s/base/5/%d", dir, 16384+i), nil, 0o600))
		}
	}
	d := open(b, dir)
	b.ReportAllocs()
	files := 0
	for b.Loop() {
		for _, err := range d.Files() {
			require.NoError(b, err)
			files++
		}
	}
	b.ReportMetric(float64(files)/b.Elapsed().Seconds(), "files/s")
}
