package apply_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// TestIncompleteChunksTakeLimitedMemory has a source that sends a part of every file, and
// the rest much later: torn pages are read again at the end.
func TestIncompleteChunksTakeLimitedMemory(t *testing.T) {
	const page, blocks, files, limit = 8192, 40, 400, 100 << 20
	contents := map[string]string{}
	var entries []filemap.Entry
	old := string(bytes.Repeat([]byte{'o'}, blocks*page))
	for i := range files {
		e := filemap.Entry{Path: fmt.Sprintf("base/5/%d", i+1), Type: pgdata.Regular, SourceSize: blocks * page, TargetSize: blocks * page, Action: filemap.None, Blocks: new(pgdata.BlockSet)}
		for b := range pgdata.BlockNumber(30) {
			e.Blocks.Add(b)
		}
		contents[e.Path] = old
		entries = append(entries, e)
	}
	tgt, control := newTarget(t, contents)
	s := stage(t, tgt, control, entries...)
	before := heap()
	content := bytes.Repeat([]byte{'n'}, 30*page)
	for _, e := range entries {
		require.NoError(t, s.WriteAt(e.Path, content[:7*page], 0))
		require.NoError(t, s.WriteAt(e.Path, content[8*page:], 8*page))
	}
	assert.Less(t, heap()-before, int64(limit), "bytes of chunks that are not complete")
	for _, e := range entries {
		require.NoError(t, s.WriteAt(e.Path, content[:page], 7*page))
	}
	commit(t, s, control)
	j, err := tgt.Journal()
	require.NoError(t, err)
	require.NoError(t, tgt.Finish(t.Context(), j, true))
	for _, e := range entries {
		require.True(t, string(content)+old[30*page:] == read(t, tgt, e.Path), e.Path)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // frees what was in a pool
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
