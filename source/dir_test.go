package source_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/source"
)

// collector assembles what it receives.
type collector struct {
	mu    sync.Mutex
	files map[string][]byte
	gone  map[string]bool
	fail  error
}

func newCollector() *collector {
	return &collector{files: map[string][]byte{}, gone: map[string]bool{}}
}

func (c *collector) WriteAt(path string, data []byte, offset int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.files[path]
	if more := int(offset) + len(data) - len(b); more > 0 && len(data) > 0 {
		b = append(b, make([]byte, more)...)
	}
	copy(b[min(int(offset), len(b)):], data)
	c.files[path] = b
	return c.fail
}

func (c *collector) Vanished(path string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone[path] = true
	return c.fail
}

// fileCollector also accepts files.
type fileCollector struct {
	*collector
	copied int64
}

func (c *fileCollector) CopyFrom(path string, from *os.File, offset, length int64) (int64, error) {
	b := make([]byte, length)
	n, _ := from.ReadAt(b, offset)
	c.mu.Lock()
	c.copied += int64(n)
	c.mu.Unlock()
	return int64(n), c.WriteAt(path, b[:n], offset)
}

// TestDirectoryIsCopiedInParts fetches more than one worker takes at a time.
func TestDirectoryIsCopiedInParts(t *testing.T) {
	dir := t.TempDir()
	large := bytes.Repeat([]byte("0123456789abcdef"), (70<<20)/16)
	content := map[string][]byte{"large": large, "small": []byte("small"), "empty": {}, "PG_VERSION": []byte("17\n"), "global/pg_control": {}}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "global"), 0o700))
	for name, data := range content {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	src, err := source.OpenDir(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, src.Close()) }()
	ranges := []source.Range{
		{Path: "large", Length: int64(len(large)) + 100},
		{Path: "small", Length: 1 << 20},
		{Path: "empty", Length: 1 << 20},
		{Path: "gone", Length: 1},
		{Path: "PG_VERSION", Offset: 1, Length: 0},
	}
	for i := range int64(3000) { // of which many come together
		ranges = append(ranges, source.Range{Path: "scattered", Offset: i * 100, Length: 10})
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "scattered"), large[:300000], 0o600))
	check := func(c *collector) {
		assert.True(t, bytes.Equal(large, c.files["large"]))
		assert.Equal(t, "small", string(c.files["small"]))
		for _, name := range []string{"empty", "PG_VERSION"} {
			b, ok := c.files[name]
			assert.True(t, ok && len(b) == 0, name)
		}
		assert.Equal(t, map[string]bool{"gone": true}, c.gone)
		for i := range 3000 {
			if at := i * 100; !assert.Equal(t, large[at:at+10], c.files["scattered"][at:at+10]) {
				break
			}
		}
	}
	plain := newCollector()
	require.NoError(t, src.Fetch(t.Context(), slices.Values(ranges), plain))
	check(plain)
	files := &fileCollector{collector: newCollector()}
	require.NoError(t, src.Fetch(t.Context(), slices.Values(ranges), files))
	check(files.collector)
	assert.EqualValues(t, len(large)+len("small")+3000*10, files.copied)

	failing := newCollector()
	failing.fail = errors.New("the disk is full")
	assert.ErrorIs(t, src.Fetch(t.Context(), slices.Values(ranges), failing), failing.fail)
}
