package waltest

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/gorewind/gorewind/pgdata"
)

// SummaryFork is an entry of a WAL summary.
type SummaryFork struct {
	Locator pgdata.RelFileLocator
	Fork    uint32
	Limit   uint32
	// Chunks are, for each 65536 blocks, the words of that piece: a list of blocks, or
	// a bitmap if there are 4096.
	Chunks [][]uint16
}

// NoLimit is the limit of a fork that was not made, removed or cut.
const NoLimit = 0xFFFFFFFF

// Summary encodes a WAL summary, valid or not.
func Summary(forks ...SummaryFork) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0x652B137B)
	for _, f := range forks {
		b = appendLocator(b, f.Locator)
		for _, n := range []uint32{f.Fork, f.Limit, uint32(len(f.Chunks))} {
			b = le.AppendUint32(b, n)
		}
		for _, c := range f.Chunks {
			b = le.AppendUint16(b, uint16(len(c)))
		}
		for _, c := range f.Chunks {
			for _, w := range c {
				b = le.AppendUint16(b, w)
			}
		}
	}
	return SealSummary(append(b, make([]byte, 24)...))
}

// SealSummary appends the checksum.
func SealSummary(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}
