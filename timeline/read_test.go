package timeline_test

import (
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
	"github.com/gorewind/gorewind/timeline"
)

// restored makes a data directory in dir from one side of a fixture.
func restored(dir, cluster, side string) (string, error) {
	to := filepath.Join(dir, side)
	return to, savedcluster.RestoreStored(filepath.Join("..", "testdata", "clusters", cluster, side), to)
}

func TestADirectorysHistoryIsRead(t *testing.T) {
	for _, v := range pgdata.Versions() {
		t.Run(v.Name, func(t *testing.T) {
			temp := t.TempDir()
			target, err := restored(temp, v.Name+"-basic", "target")
			require.NoError(t, err)
			h, err := timeline.Read(target)
			require.NoError(t, err)
			assert.Equal(t, timeline.First(), h)

			source, err := restored(temp, v.Name+"-basic", "source")
			require.NoError(t, err)
			h, err = timeline.Read(source)
			require.NoError(t, err)
			assert.Equal(t, pgdata.TimelineID(2), h.Newest())
			assert.Len(t, h, 2)
		})
	}
}

func TestAHistoryThatCannotBeReadIsAnError(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(name string) error
		check  func(t *testing.T, err error)
	}{
		{"the file is gone", os.Remove, func(t *testing.T, err error) { assert.ErrorIs(t, err, fs.ErrNotExist) }},
		{
			"the file is empty", func(name string) error { return os.WriteFile(name, nil, 0o600) },
			func(t *testing.T, err error) {
				var e *timeline.ParseError
				assert.ErrorAs(t, err, &e)
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, err := restored(t.TempDir(), "18-basic", "source")
			require.NoError(t, err)
			name := filepath.Join(dir, "pg_wal", "00000002.history")
			require.NoError(t, c.damage(name))
			_, err = timeline.Read(dir)
			require.ErrorContains(t, err, filepath.Dir(name))
			assert.ErrorContains(t, err, "00000002.history")
			c.check(t, err)
		})
	}
	_, err := timeline.Read(t.TempDir())
	assert.ErrorIs(t, err, fs.ErrNotExist, "no data directory")
}

// Where the histories of two data directories diverge.
func ExampleRead() {
	temp, err := os.MkdirTemp("", "clusters")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(temp) }()
	var histories []timeline.History
	for _, side := range []string{"source", "target"} {
		dir, err := restored(temp, "18-basic", side)
		if err != nil {
			fmt.Println(err)
			return
		}
		h, err := timeline.Read(dir)
		if err != nil {
			fmt.Println(err)
			return
		}
		c, err := controlfile.Read(dir)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("The %s is on timeline %d, %s.\n", side, h.Newest(), c.State)
		histories = append(histories, h)
	}
	fork, index, err := timeline.CommonAncestor(histories[0], histories[1])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("They diverge at %s on timeline %d.\n", fork, histories[0][index].TLI)
	// Output:
	// The source is on timeline 2, shut down.
	// The target is on timeline 1, shut down.
	// They diverge at 0/A07850 on timeline 1.
}
