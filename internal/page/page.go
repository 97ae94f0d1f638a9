// Package page reads the header of a relation's block and verifies its data
// checksum. Both are the same in every supported major.
package page

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gorewind/gorewind/pgdata"
)

// The page header (PageHeaderData, storage/bufpage.h).
const (
	headerSize  = 24
	offLSN      = 0
	offChecksum = 8
	offFlags    = 10
	offLower    = 12
	offUpper    = 14
	offSpecial  = 16
	offPruneXID = 20
)

// LSN is the end of the WAL record that changed the page last (pd_lsn), or zero
// if page is too short to have a header. Unlike in any other place its high half
// comes first.
func LSN(page []byte) pgdata.LSN {
	if len(page) < headerSize {
		return 0
	}
	return pgdata.LSN(binary.LittleEndian.Uint32(page))<<32 | pgdata.LSN(binary.LittleEndian.Uint32(page[4:]))
}

// IsNew reports whether the page was added to the relation but never filled
// (PageIsNew). It has no checksum.
func IsNew(page []byte) bool {
	return len(page) < headerSize || binary.LittleEndian.Uint16(page[offUpper:]) == 0
}

// ErrChecksum says that a page is not as PostgreSQL wrote it.
var ErrChecksum = errors.New("page checksum mismatch")

// ChecksumError is an ErrChecksum with its numbers. The caller knows the file.
type ChecksumError struct {
	Block          uint32 // counted over the whole fork
	Stored, Actual uint16
	LSN            pgdata.LSN
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("%v in block %d: calculated %04X but the page has %04X (its LSN is %s)",
		ErrChecksum, e.Block, e.Actual, e.Stored, e.LSN)
}

func (e *ChecksumError) Unwrap() error { return ErrChecksum }

// Verify checks the checksum of a whole page of any block size; block counts
// over all segment files of the fork. A new page is right. The error is a
// *ChecksumError, or says that page has an impossible length.
func Verify(page []byte, block uint32) error {
	if len(page) < headerSize || len(page)%rowSize != 0 {
		return fmt.Errorf("a page cannot have %d bytes", len(page))
	}
	if IsNew(page) {
		return nil
	}
	if stored, actual := binary.LittleEndian.Uint16(page[offChecksum:]), Checksum(page, block); stored != actual {
		return &ChecksumError{Block: block, Stored: stored, Actual: actual, LSN: LSN(page)}
	}
	return nil
}
