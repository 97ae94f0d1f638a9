package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/pgtest/smalldisk"
)

func TestLackOfSpaceIsSaidOnce(t *testing.T) {
	small, missing := smalldisk.Dir(t)
	if small == "" {
		t.Skip(missing)
	}
	require.NoError(t, restoreIn(small, "18-basic"))
	filler, err := os.Create(filepath.Join(small, "filler"))
	require.NoError(t, err)
	for chunk := make([]byte, 4096); err == nil; {
		_, err = filler.Write(chunk)
	}
	require.NoError(t, filler.Close())

	args := []string{"-D", filepath.Join(small, "target"), "--source-pgdata", filepath.Join(small, "source")}
	for _, c := range []struct {
		name   string
		more   []string
		status int
		kind   string
	}{
		{"as an error by a rewind", nil, 1, "error: "},
		{"as an error by a rewind in place", []string{"--in-place"}, 1, "error: "},
		{"as a warning by a dry run", []string{"-n"}, 0, "warning: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := gorewind(t, append(c.more, args...)...)
			assert.Equal(t, c.status, got.status, got.stderr)
			assert.Equal(t, 1, strings.Count(got.stderr, "not enough space"), got.stderr)
			assert.Contains(t, got.stderr, c.kind+"not enough space")
		})
	}
}

func TestAResultThatCannotBeWrittenNamesTheFileOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "missing", "plan")
	err := writeFile(name, nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, 1, strings.Count(err.Error(), "missing"), err)
}
