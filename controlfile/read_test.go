package controlfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/savedcluster"
	"github.com/gorewind/gorewind/pgdata"
)

func TestADirectorysControlFileIsRead(t *testing.T) {
	eachReal(t, func(t *testing.T, _ string, b []byte, d *controlfile.Data) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "global"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, pgdata.ControlFilePath), b, 0o600))
		got, err := controlfile.Read(dir)
		require.NoError(t, err)
		assert.Equal(t, d, got)
	})
}

func TestReadNamesTheFileThatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, name string)
		is   error
	}{
		{"there is none", func(*testing.T, string) {}, fs.ErrNotExist},
		{"it is cut short", func(t *testing.T, name string) {
			require.NoError(t, os.WriteFile(name, make([]byte, 100), 0o600))
		}, controlfile.ErrSize},
		{"it is longer than any", func(t *testing.T, name string) {
			require.NoError(t, os.WriteFile(name, make([]byte, controlfile.Size+100), 0o600))
		}, controlfile.ErrSize},
		{"it stays half written", func(t *testing.T, name string) {
			require.NoError(t, os.WriteFile(name, make([]byte, controlfile.Size), 0o600))
		}, controlfile.ErrCRC},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(dir, "global"), 0o700))
			name := filepath.Join(dir, filepath.FromSlash(pgdata.ControlFilePath))
			c.make(t, name)
			_, err := controlfile.Read(dir)
			require.ErrorIs(t, err, c.is)
			assert.ErrorContains(t, err, name)
			var e *controlfile.Error
			assert.Equal(t, !errors.Is(c.is, fs.ErrNotExist), errors.As(err, &e))
		})
	}
}

// The output of pg_controldata for the fields that a failover manager needs.
func ExampleRead() {
	dir, remove := restored("18-basic", "source") // a data directory
	defer remove()

	d, err := controlfile.Read(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	lsn := d.Version.FormatLSN
	for _, line := range [][2]any{
		{"pg_control version number", d.Version.ControlVersion},
		{"Catalog version number", d.Version.CatalogVersion},
		{"Database system identifier", d.SystemIdentifier},
		{"Database cluster state", d.State},
		{"Latest checkpoint location", lsn(d.CheckPoint)},
		{"Latest checkpoint's REDO location", lsn(d.CheckPointCopy.Redo)},
		{"Latest checkpoint's TimeLineID", d.CheckPointCopy.ThisTimeLineID},
		{"wal_level setting", d.WALLevel},
		{"Data page checksum version", d.DataChecksumVersion},
	} {
		fmt.Printf("%-38v%v\n", fmt.Sprint(line[0], ":"), line[1])
	}
	// Output:
	// pg_control version number:            1800
	// Catalog version number:               202506291
	// Database system identifier:           7710460244942201359
	// Database cluster state:               shut down
	// Latest checkpoint location:           0/A67108
	// Latest checkpoint's REDO location:    0/A67108
	// Latest checkpoint's TimeLineID:       2
	// wal_level setting:                    replica
	// Data page checksum version:           1
}

// restored creates a data directory from one side of a fixture.
func restored(cluster, side string) (dir string, remove func()) {
	temp, err := os.MkdirTemp("", "cluster")
	if err != nil {
		panic(err)
	}
	dir = filepath.Join(temp, "data")
	if err := savedcluster.RestoreStored(filepath.Join("..", "testdata", "clusters", cluster, side), dir); err != nil {
		panic(err)
	}
	return dir, func() { _ = os.RemoveAll(temp) }
}
