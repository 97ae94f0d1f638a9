package rewind_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/endtoend"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/lost/rows/export"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// TestLostRowsOfFixturesAreToldAsRecorded compares all files with lost rows, byte by
// byte, with those that were written when the clusters were complete.
func TestLostRowsOfFixturesAreToldAsRecorded(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join("..", "testdata", "clusters", "*-rows"))
	require.NoError(t, err)
	require.Len(t, dirs, len(pgdata.Versions()), "one for every major")
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			temp := t.TempDir()
			target, src := filepath.Join(temp, "target"), filepath.Join(temp, "source")
			require.NoError(t, savedcluster.RestoreStored(filepath.Join(dir, "target"), target), "nothing else is read")
			require.NoError(t, savedcluster.Restore(filepath.Join(dir, "source"), src))
			for _, format := range []export.Format{export.CSV, export.JSONL, export.SQL} {
				l, err := rewind.FindLostRows(t.Context(), rewind.LostRowsOptions{TargetDir: target, Source: endtoend.OpenDir(t, src)})
				require.NoError(t, err)
				written := filepath.Join(temp, string(format))
				_, err = l.Write(t.Context(), written, rewind.LostRowsFormat{Format: format})
				require.NoError(t, err)
				require.NoError(t, l.Close())
				require.NoError(t, savedcluster.Impersonal(written, target))

				golden := filepath.Join(dir, savedcluster.RowsName, string(format))
				if *update {
					require.NoError(t, os.RemoveAll(golden))
					require.NoError(t, os.CopyFS(golden, os.DirFS(written)))
				}
				assert.Equal(t, textsIn(t, golden), textsIn(t, written), "%s", format)
			}
		})
	}
}

// TestLostRowsAreFoundInWALOfTheCallersCommand has a target whose configuration knows no
// archive.
func TestLostRowsAreFoundInWALOfTheCallersCommand(t *testing.T) {
	dir, temp := filepath.Join("..", "testdata", "clusters", "18-rows"), t.TempDir()
	target, src, archive := filepath.Join(temp, "target"), filepath.Join(temp, "source"), filepath.Join(temp, "archive")
	require.NoError(t, savedcluster.RestoreStored(filepath.Join(dir, "target"), target))
	require.NoError(t, savedcluster.Restore(filepath.Join(dir, "source"), src))
	segments, err := filepath.Glob(filepath.Join(target, "pg_wal", "0000000100000000????????"))
	require.NoError(t, err)
	require.NotEmpty(t, segments)
	require.NoError(t, os.Mkdir(archive, 0o700))
	for _, s := range segments {
		require.NoError(t, os.Rename(s, filepath.Join(archive, filepath.Base(s))))
	}
	opts := rewind.LostRowsOptions{TargetDir: target, Source: endtoend.OpenDir(t, src), RestoreTargetWAL: true}
	_, err = rewind.FindLostRows(t.Context(), opts)
	require.Error(t, err)

	opts.RestoreCommand = "cp " + archive + "/%f %p"
	l, err := rewind.FindLostRows(t.Context(), opts)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	changes := 0
	for _, err := range l.Changes(t.Context()) {
		require.NoError(t, err)
		changes++
	}
	assert.Positive(t, changes)

	opts.FetchWAL = func(context.Context, string, string) error { return rewind.ErrNotInArchive }
	_, err = rewind.FindLostRows(t.Context(), opts)
	require.ErrorIs(t, err, rewind.ErrOptions)
}

// textsIn returns the files of a directory.
func textsIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			texts[name] = readText(t, filepath.Join(dir, filepath.FromSlash(name)))
		}
		return err
	}))
	return texts
}
