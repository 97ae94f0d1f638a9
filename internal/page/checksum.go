package page

import "encoding/binary"

// The checksum (storage/checksum_impl.h) reads the page as rows of 32-bit words.
// Each column is hashed by itself, by a variant of FNV-1a.
const (
	lanes   = 32
	rowSize = 4 * lanes
	prime   = 16777619
)

// bases are where the lanes start.
var bases = [lanes]uint32{
	0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
	0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
	0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
	0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
}

// Checksum computes the checksum that page should have as the given block of its
// fork, whatever it has now. It does not change page. The length must be that of
// a page, a multiple of 128; bytes beyond one are left out.
func Checksum(page []byte, block uint32) uint16 {
	var first [rowSize]byte // the header, without the stored checksum
	if len(page) < rowSize {
		return 0
	}
	copy(first[:], page)
	first[offChecksum], first[offChecksum+1] = 0, 0

	result := block
	for lane := 0; lane < lanes; lane += 8 {
		result ^= eightLanes(&first, page[rowSize:], lane)
	}
	return uint16(result%65535) + 1
}

// eightLanes hashes lanes lane to lane+7 and combines them: as many as fit into
// registers and keep the multiplier busy. A page stays in the nearest cache, so
// that reading it four times costs little.
func eightLanes(first *[rowSize]byte, rest []byte, lane int) uint32 {
	b := (*[8]uint32)(bases[lane : lane+8])
	c0, c1, c2, c3, c4, c5, c6, c7 := b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]
	column := first[4*lane:]
	for {
		w := (*[32]byte)(column)
		c0 = mix(c0, binary.LittleEndian.Uint32(w[0:]))
		c1 = mix(c1, binary.LittleEndian.Uint32(w[4:]))
		c2 = mix(c2, binary.LittleEndian.Uint32(w[8:]))
		c3 = mix(c3, binary.LittleEndian.Uint32(w[12:]))
		c4 = mix(c4, binary.LittleEndian.Uint32(w[16:]))
		c5 = mix(c5, binary.LittleEndian.Uint32(w[20:]))
		c6 = mix(c6, binary.LittleEndian.Uint32(w[24:]))
		c7 = mix(c7, binary.LittleEndian.Uint32(w[28:]))
		if len(rest) < rowSize {
			break
		}
		column, rest = rest[4*lane:], rest[rowSize:]
	}
	for range 2 { // so that the last row counts fully, too
		c0, c1, c2, c3 = mix(c0, 0), mix(c1, 0), mix(c2, 0), mix(c3, 0)
		c4, c5, c6, c7 = mix(c4, 0), mix(c5, 0), mix(c6, 0), mix(c7, 0)
	}
	return c0 ^ c1 ^ c2 ^ c3 ^ c4 ^ c5 ^ c6 ^ c7
}

func mix(c, v uint32) uint32 {
	t := c ^ v
	return t*prime ^ t>>17
}
