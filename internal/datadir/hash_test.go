package datadir_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"hash"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/datadir"
)

// TestHashesAreOfTheBytesThatTheFilesHave asks for more ranges than one goroutine
// takes, of files in turn and of one after the other.
func TestHashesAreOfTheBytesThatTheFilesHave(t *testing.T) {
	dir, _ := cluster(t)
	d := open(t, dir)
	content := map[string][]byte{"a": make([]byte, 3<<20+5), "b": []byte("short"), "empty": {}}
	for i := range content["a"] {
		content["a"][i] = byte(i >> 10)
	}
	for name, b := range content {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	ranges := []datadir.Range{
		{Path: "a", Length: 1 << 30},
		{Path: "b", Length: 3},
		{Path: "b", Offset: 3, Length: 1 << 20},
		{Path: "b", Offset: 100, Length: 1},
		{Path: "gone", Length: 1},
		{Path: "gone", Offset: 1, Length: 1},
		{Path: "empty", Length: 1},
		{Path: "a", Length: 0},
	}
	for at := int64(0); at < 3<<20; at += 64 << 10 {
		ranges = append(ranges, datadir.Range{Path: "a", Offset: at, Length: 64 << 10})
		if at%(1<<20) == 0 {
			ranges = append(ranges, datadir.Range{Path: "gone", Length: 1}, datadir.Range{Path: "b", Length: 5})
		}
	}
	sums, err := d.Hash(t.Context(), sha256.New, ranges)
	require.NoError(t, err)
	require.Len(t, sums, len(ranges))
	for i, r := range ranges {
		b, there := content[r.Path]
		if !there {
			assert.Nil(t, sums[i], "range %d: %+v", i, r)
			continue
		}
		size := int64(len(b))
		want := sha256.Sum256(b[min(r.Offset, size):min(r.Offset+r.Length, size)])
		assert.True(t, bytes.Equal(want[:], sums[i]), "range %d: %+v", i, r)
	}
	sums, err = d.Hash(t.Context(), sha256.New, nil)
	assert.Empty(t, sums)
	assert.NoError(t, err)

	_, err = d.Hash(t.Context(), sha256.New, []datadir.Range{{Path: "../outside", Length: 1}})
	assert.ErrorIs(t, err, datadir.ErrUnsafePath)
	_, err = d.Hash(t.Context(), sha256.New, []datadir.Range{{Path: "base", Length: 1}})
	assert.ErrorContains(t, err, "could not open file \""+d.Join("base")+"\"")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.Hash(ctx, sha256.New, ranges)
	assert.ErrorIs(t, err, context.Canceled)
}

// after is a hash that does something when it was written to.
type after struct {
	hash.Hash
	do func()
}

func (a after) Write(b []byte) (int, error) {
	a.do()
	return a.Hash.Write(b)
}

func TestAFileStaysOpenWhileItsRangesAreHashed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows removes no file that is open, which is how this test tells that it is: run it on another system")
	}
	dir, _ := cluster(t)
	d := open(t, dir)
	name := filepath.Join(dir, "a")
	require.NoError(t, os.WriteFile(name, []byte("0123456789"), 0o600))
	ranges := make([]datadir.Range, 10) // which one goroutine takes
	for i := range ranges {
		ranges[i] = datadir.Range{Path: "a", Offset: int64(i), Length: 1}
	}
	sums, err := d.Hash(t.Context(), func() hash.Hash { return after{sha256.New(), func() { _ = os.Remove(name) }} }, ranges)
	require.NoError(t, err)
	assert.NoFileExists(t, name)
	for i := range ranges {
		want := sha256.Sum256([]byte{byte('0' + i)})
		assert.Equal(t, want[:], sums[i], "range %d", i)
	}
}
