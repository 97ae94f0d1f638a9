package page_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/pgdata"
)

// realPages were copied from clusters made with initdb -k; the names say of
// which major and which block of the fork they are.
var realPages = []struct {
	file  string
	block uint32
	lsn   string
}{
	{"13-block3.page", 3, "0/16573A0"},
	{"13-block20.page", 20, "0/15B8D00"},
	{"18-block3.page", 3, "0/15B7750"},
	{"18-block20.page", 20, "0/1530EC8"},
}

func readPage(t testing.TB, file string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	return b
}

func TestRealPagesVerify(t *testing.T) {
	for _, c := range realPages {
		t.Run(c.file, func(t *testing.T) {
			b := readPage(t, c.file)
			before := bytes.Clone(b)
			require.NoError(t, page.Verify(b, c.block))
			assert.Equal(t, binary.LittleEndian.Uint16(b[8:]), page.Checksum(b, c.block))
			assert.Equal(t, before, b, "the page is not changed")
			assert.Equal(t, c.lsn, page.LSN(b).String())
			assert.False(t, page.IsNew(b))
		})
	}
}

func TestVerifyNoticesFlippedBitsAndTheWrongBlock(t *testing.T) {
	for _, c := range realPages {
		b := readPage(t, c.file)
		assert.ErrorIs(t, page.Verify(b, c.block+1), page.ErrChecksum)
		for i := range 128 * 8 { // of more, one in 65535 would pass
			b[i/8] ^= 1 << (i % 8)
			require.ErrorIsf(t, page.Verify(b, c.block), page.ErrChecksum, "bit %d of byte %d", i%8, i/8)
			b[i/8] ^= 1 << (i % 8)
		}
	}
}

func TestAChecksumErrorHasTheNumbers(t *testing.T) {
	c := realPages[0]
	b := readPage(t, c.file)
	actual := page.Checksum(b, c.block)
	binary.LittleEndian.PutUint16(b[8:], actual+1)
	err := page.Verify(b, c.block)
	assert.Equal(t, &page.ChecksumError{Block: c.block, Stored: actual + 1, Actual: actual, LSN: page.LSN(b)}, err)
	assert.ErrorContains(t, err, fmt.Sprintf("page checksum mismatch in block %d: calculated %04X but the page has %04X", c.block, actual, actual+1))
}

// reference is the checksum as the definition has it, row by row.
func reference(b []byte, block uint32) uint16 {
	b = bytes.Clone(b)
	b[8], b[9] = 0, 0
	sums := page.Bases
	round := func(lane int, v uint32) {
		x := sums[lane] ^ v
		sums[lane] = x*16777619 ^ x>>17
	}
	for i := 0; i < len(b); i += 4 {
		round(i/4%32, binary.LittleEndian.Uint32(b[i:]))
	}
	for i := range 64 {
		round(i%32, 0)
	}
	for _, s := range sums {
		block ^= s
	}
	return uint16(block%65535 + 1)
}

func TestChecksumIsRightForEveryBlockSize(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for size := 1 << 10; size <= 32<<10; size *= 2 {
		for range 50 {
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			block := random.Uint32()
			require.Equal(t, reference(b, block), page.Checksum(b, block), "size %d", size)
		}
	}
}

func TestNewPagesAreRight(t *testing.T) {
	b := make([]byte, 8192)
	assert.True(t, page.IsNew(b))
	assert.NoError(t, page.Verify(b, 7))
	b[14] = 1 // pd_upper
	assert.False(t, page.IsNew(b))
	assert.ErrorIs(t, page.Verify(b, 7), page.ErrChecksum)
}

func TestTheHighHalfOfAPageLSNComesFirst(t *testing.T) {
	b := make([]byte, 8192)
	copy(b, []byte{0x0A, 0, 0, 0, 0x98, 0xAB, 0x05, 0x04})
	assert.Equal(t, pgdata.LSN(0xA_0405AB98), page.LSN(b))
}

func TestPiecesOfPagesAreRefused(t *testing.T) {
	whole := bytes.Repeat([]byte{1}, 8192)
	for _, n := range []int{0, 1, 23, 24, 127, 8191, 4095} {
		assert.ErrorContains(t, page.Verify(whole[:n], 0), fmt.Sprintf("a page cannot have %d bytes", n))
	}
	assert.Zero(t, page.LSN(whole[:23]))
	assert.True(t, page.IsNew(whole[:23]))
	assert.Zero(t, page.Checksum(whole[:127], 0))
}

func TestChecksumDoesNotAllocate(t *testing.T) {
	b := readPage(t, realPages[0].file)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = page.Verify(b, realPages[0].block) }))
}

func FuzzVerify(f *testing.F) {
	for _, c := range realPages {
		f.Add(readPage(f, c.file), c.block)
	}
	f.Add([]byte{}, uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, block uint32) {
		page.LSN(b)
		page.Checksum(b, block)
		if err := page.Verify(b, block); err == nil && !page.IsNew(b) {
			assert.Equal(t, reference(b, block), binary.LittleEndian.Uint16(b[8:]))
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	p := readPage(b, realPages[0].file)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if err := page.Verify(p, realPages[0].block); err != nil {
			b.Fatal(err)
		}
	}
}
