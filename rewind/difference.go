package rewind

import (
	"fmt"

	"github.com/gorewind/gorewind/internal/page"
)

// Difference says how two versions of a file or page differ. The constants are ordered
// from the most harmless to the most serious.
type Difference uint8

// The differences. Those before DifferentContent apply to pages of relations and make
// no difference to a reader of the data.
const (
	NoDifference     = Difference(page.Same)
	ChecksumDiffers  = Difference(page.ByChecksum)
	LSNDiffers       = Difference(page.ByLSN)       // a change was logged that left no other trace
	HintBitsDiffer   = Difference(page.ByHintBits)  // servers may set these without logging
	FreeSpaceDiffers = Difference(page.ByFreeSpace) // in pages, and in free space maps
	DifferentContent = Difference(page.ByContent)
)

// ParseDifference parses the name of a difference: none, checksum, lsn, hint_bits,
// free_space or content.
func ParseDifference(s string) (Difference, error) {
	for d := NoDifference; d <= DifferentContent; d++ {
		if s == d.String() {
			return d, nil
		}
	}
	return 0, fmt.Errorf("unrecognized difference: %s", s)
}

// String returns the name, for programs.
func (d Difference) String() string { return page.Difference(d).String() }

// MarshalText returns the name.
func (d Difference) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (d *Difference) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDifference(string(b))
	return err
}
