package rewind_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/lost/rows/export"
	"github.com/gorewind/gorewind/rewind"
)

// Whatever the files of catalogs and tables contain, lost rows are reported, or an
// error says that a file is not as PostgreSQL writes it: there is no panic and no
// endless loop.
func TestDamagedFilesAreErrorsOrOtherRows(t *testing.T) {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("GOREWIND_TEST_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("GOREWIND_TEST_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	rounds := 60
	if n, err := strconv.Atoi(os.Getenv("GOREWIND_TORTURE")); err == nil {
		rounds *= n
	}
	for _, name := range []string{"9.6-rows", "18-rows"} {
		dir := filepath.Join("..", "testdata", "clusters", name)
		temp := t.TempDir()
		target, src := filepath.Join(temp, "target"), filepath.Join(temp, "source")
		require.NoError(t, savedcluster.RestoreStored(filepath.Join(dir, "target"), target))
		require.NoError(t, savedcluster.Restore(filepath.Join(dir, "source"), src))
		var files []string
		require.NoError(t, filepath.WalkDir(filepath.Join(target, "base"), func(p string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				files = append(files, p)
			}
			return err
		}))
		told := 0
		for round := range rounds {
			undo := damage(t, rng, files)
			l, err := rewind.FindLostRows(t.Context(), rewind.LostRowsOptions{TargetDir: target, Source: endtoend.OpenDir(t, src)})
			if err == nil {
				_, err = l.Write(t.Context(), filepath.Join(temp, strconv.Itoa(round)), rewind.LostRowsFormat{Format: export.JSONL})
				require.NoError(t, l.Close())
			}
			if err == nil {
				told++
			} else if !errors.Is(err, fs.ErrNotExist) { // the damage makes a catalog point to another file
				require.ErrorIs(t, err, heap.ErrCorrupt, "%s, round %d", name, round)
			}
			undo()
		}
		require.Positive(t, told, "not every byte matters")
	}
}

// damage writes random bytes into some files, and returns a function that undoes it.
func damage(t *testing.T, rng *rand.Rand, files []string) (undo func()) {
	t.Helper()
	was := map[string][]byte{}
	for range 1 + rng.IntN(20) {
		name := files[rng.IntN(len(files))]
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		if _, seen := was[name]; !seen {
			was[name] = append([]byte(nil), b...)
		}
		if len(b) == 0 {
			continue
		}
		// Much of a page is empty, so the changes are made among the line pointers or in
		// tuples.
		at := rng.IntN(len(b))
		for tries := 0; b[at] == 0 && tries < 100; tries++ {
			at = rng.IntN(len(b))
		}
		for range 1 + rng.IntN(4) {
			b[at] = byte(rng.Uint32())
			at = min(at+1, len(b)-1)
		}
		require.NoError(t, os.WriteFile(name, b, 0o600))
	}
	return func() {
		for name, b := range was {
			require.NoError(t, os.WriteFile(name, b, 0o600))
		}
	}
}
