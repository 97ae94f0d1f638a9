package apply_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// TestPiecesOfAnySizeAreApplied has a source that sends everything in one call, which
// source.Source allows.
func TestPiecesOfAnySizeAreApplied(t *testing.T) {
	const p, tail = "base/5/1", 65<<20 + 8192
	tgt, control := newTarget(t, map[string]string{p: ""})
	require.NoError(t, os.Truncate(tgt.Join(p), 2*tail))
	s := stage(t, tgt, control, filemap.Entry{Path: p, Type: pgdata.Regular, Action: filemap.CopyTail, SourceSize: 3 * tail, TargetSize: 2 * tail})
	content := bytes.Repeat([]byte{'n'}, tail)
	require.NoError(t, s.WriteAt(p, content, 2*tail))
	commit(t, s, control)
	j, err := tgt.Journal()
	require.NoError(t, err)
	require.NoError(t, tgt.Finish(t.Context(), j, true))
	f, err := tgt.Open(p)
	require.NoError(t, err)
	defer f.Close()
	got := make([]byte, tail+1)
	n, _ := f.ReadAt(got, 2*tail)
	assert.Equal(t, tail, n)
	assert.True(t, bytes.Equal(content, got[:n]))
}
