package rewind

import (
	"encoding/binary"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/pgdata"
)

// takenSink counts what was passed on, by its offset.
type takenSink struct {
	mu    sync.Mutex
	taken map[int64]int
}

func (s *takenSink) WriteAt(_ string, data []byte, offset int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[offset] += len(data)
	return nil
}

func (*takenSink) Vanished(string) error { return nil }

func newVerifier() (*verifier, *takenSink) {
	s := &takenSink{taken: map[int64]int{}}
	return &verifier{Sink: s, version: pgdata.VersionByName("17"), geo: pgdata.Geometry{BlockSize: 8192, WALBlockSize: 8192, RelSegBlocks: 16}}, s
}

// pageFor returns a page as a server writes it to a block.
func pageFor(block uint32) []byte {
	p := make([]byte, 8192)
	copy(p[12:], []byte{24, 0, 0, 32}) // lower and upper
	p[8000] = byte(block)
	binary.LittleEndian.PutUint16(p[8:], page.Checksum(p, block))
	return p
}

// TestChecksumsUseBlockNumbersOfTheWholeRelation passes pages of a relation's
// second file, in a piece that begins and ends within pages.
func TestChecksumsUseBlockNumbersOfTheWholeRelation(t *testing.T) {
	v, s := newVerifier()
	var data []byte
	for _, block := range []uint32{17, 18, 3, 20, 21} { // the third page belongs to another block
		data = append(data, pageFor(block)...)
	}
	data = append(data[100:], 1, 2, 3)
	require.NoError(t, v.WriteAt("base/5/16384.1", data, 8192+100))
	require.Len(t, v.doubt, 1)
	assert.EqualValues(t, 19, v.doubt[0].err.Block)
	assert.EqualValues(t, 3*8192, v.doubt[0].offset)
	assert.Equal(t, map[int64]int{8192 + 100: 2*8192 - 100, 4 * 8192: 2*8192 + 3}, s.taken)

	v, s = newVerifier()
	for _, other := range []string{"base/5/16384_fsm", "pg_xact/0000"} {
		require.NoError(t, v.WriteAt(other, pageFor(7), 0))
	}
	require.NoError(t, v.WriteAt("base/5/16384", make([]byte, 8192), 8192), "a new page")
	assert.Empty(t, v.doubt)
	assert.Equal(t, map[int64]int{0: 2 * 8192, 8192: 8192}, s.taken)
}

// TestManyDamagedPages sends them over several connections at once.
func TestManyDamagedPages(t *testing.T) {
	v, _ := newVerifier()
	bad := pageFor(99)
	errs := make([]error, 4)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			for n := int64(0); n < maxDoubtful && errs[i] == nil; n++ {
				errs[i] = v.WriteAt("base/5/16384", bad, n*8192)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		assert.ErrorIs(t, err, ErrSourceDamaged)
	}
}
