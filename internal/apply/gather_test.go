package apply

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNoMoreChunksWaitThanMay(t *testing.T) {
	f := &file{chunks: map[int64]*chunk{}}
	var w chunksWaiting
	begin := func(i int) *chunk {
		c := &chunk{f: f, at: int64(i) * chunkSize}
		f.chunks[c.at] = c
		return c
	}
	var all []*chunk
	for i := range maxChunks {
		all = append(all, begin(i))
		require.Nil(t, w.push(all[i]), "there is room for chunk %d", i)
	}
	all[0].users = 1
	assert.Same(t, all[1], w.push(begin(maxChunks)), "the oldest that nobody uses is written")
	assert.True(t, f.written.Has(1), "nothing more comes into it")
	assert.Nil(t, f.chunks[all[1].at])
	assert.Same(t, all[0], f.chunks[all[0].at], "one that is used stays")
	w.remove(all[2])
	assert.Len(t, w.list, maxChunks-1)
	assert.Nil(t, w.push(begin(maxChunks+1)), "one that became complete makes room")
}
