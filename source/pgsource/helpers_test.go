package pgsource_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// open opens a source. Options can be left out.
func open(t *testing.T, conninfo string, opts ...pgsource.Options) *pgsource.Server {
	t.Helper()
	s, err := pgsource.Open(t.Context(), conninfo, append(opts, pgsource.Options{})[0])
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// collector is a sink that keeps everything.
type collector struct {
	mu       sync.Mutex
	files    map[string][]byte
	writes   map[string]int
	vanished []string
}

func newCollector() *collector {
	return &collector{files: map[string][]byte{}, writes: map[string]int{}}
}

func (c *collector) WriteAt(path string, data []byte, offset int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes[path]++
	f := c.files[path]
	if end := int(offset) + len(data); len(data) > 0 && end > len(f) {
		f = append(f, make([]byte, end-len(f))...)
	}
	if len(data) > 0 {
		copy(f[offset:], data)
	}
	c.files[path] = f
	return nil
}

func (c *collector) Vanished(path string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.vanished = append(c.vanished, path)
	return nil
}

// sinkFunc is a sink that calls a function with what it receives.
type sinkFunc func(path string) error

func (f sinkFunc) WriteAt(path string, _ []byte, _ int64) error { return f(path) }
func (f sinkFunc) Vanished(path string) error                   { return f(path) }

var errSink = errors.New("the sink had enough")

// list is a whole listing by path.
func list(t *testing.T, src source.Source) map[string]pgdata.FileInfo {
	t.Helper()
	files := map[string]pgdata.FileInfo{}
	for f, err := range src.Files(t.Context()) {
		require.NoError(t, err)
		if _, twice := files[f.Path]; twice {
			assert.Fail(t, "listed twice", f.Path)
		}
		files[f.Path] = f
	}
	return files
}

// readAll does what a rewind does with a source: it lists, reads the control
// file, fetches every file and asks for the state. The stopped copy of the
// cluster is what it should have got, but for files that every server changes.
func readAll(t *testing.T, s *pgsource.Server, c *pgtest.Cluster) {
	t.Helper()
	raw, err := s.ReadFile(t.Context(), pgdata.ControlFilePath)
	require.NoError(t, err)
	control, err := controlfile.Parse(raw)
	require.NoError(t, err)
	assert.Same(t, c.In.Version, control.Version)
	assert.Same(t, c.In.Version, s.Version())

	files := list(t, s)
	assert.Greater(t, len(files), 500)
	got := newCollector()
	require.NoError(t, s.Fetch(t.Context(), func(yield func(source.Range) bool) {
		for _, path := range slices.Sorted(maps.Keys(files)) {
			if f := files[path]; f.Type == pgdata.Regular && !yield(source.Range{Path: path, Length: f.Size}) {
				return
			}
		}
	}, got))
	same := 0
	for path, data := range got.files {
		want, err := os.ReadFile(filepath.Join(c.Dir, path))
		if err == nil && string(want) == string(data) {
			same++
		}
	}
	assert.Greater(t, same, len(got.files)*9/10, "files that arrived as they are on disk")

	state, err := s.State(t.Context())
	require.NoError(t, err)
	control, err = controlfile.Parse(state.Control)
	require.NoError(t, err)
	assert.Equal(t, controlfile.InProduction, control.State)
	state.Control = nil
	assert.Equal(t, source.State{Live: true, FullPageWrites: true, Timeline: 1, FlushLSN: state.FlushLSN}, state)
	assert.NotZero(t, state.FlushLSN)
}
