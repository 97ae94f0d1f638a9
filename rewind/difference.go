package rewind

import (
	"fmt"

	"github.com/gorewind/gorewind/internal/page"
)

// Difference is how two versions of a file or page differ: one of the constants,
// the lightest first.
type Difference uint8

// The differences. Those before DifferentContent are of pages of relations and
// mean the same to a reader of the data.
const (
	NoDifference     = Difference(page.Same)
	ChecksumDiffers  = Difference(page.ByChecksum)
	LSNDiffers       = Difference(page.ByLSN)       // something was logged, and left no other trace
	HintBitsDiffer   = Difference(page.ByHintBits)  // what servers note without logging it
	FreeSpaceDiffers = Difference(page.ByFreeSpace) // of pages, and free space maps
	DifferentContent = Difference(page.ByContent)
)

// ParseDifference understands the word for a difference: none, checksum, lsn,
// hint_bits, free_space or content.
func ParseDifference(s string) (Difference, error) {
	for d := NoDifference; d <= DifferentContent; d++ {
		if s == d.String() {
			return d, nil
		}
	}
	return 0, fmt.Errorf("unrecognized difference: %s", s)
}

// String is a word for programs.
func (d Difference) String() string { return page.Difference(d).String() }

// MarshalText gives the word.
func (d Difference) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is the opposite of MarshalText.
func (d *Difference) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDifference(string(b))
	return err
}
