package pgdata

import (
	"fmt"
	"strconv"
	"strings"
)

// LSN is a byte position in the write-ahead log. Zero means "none"
// (InvalidXLogRecPtr, access/xlogdefs.h).
type LSN uint64

// String gives the form of PostgreSQL up to 18: two hexadecimal halves without
// padding, as in 0/3012710.
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }

// Padded gives the form of PostgreSQL 19: the low half has eight digits, as in
// 0/03012710.
func (l LSN) Padded() string { return fmt.Sprintf("%X/%08X", uint32(l>>32), uint32(l)) }

// ParseLSN reads either form. Anything before, between or after the two halves
// is an error.
func ParseLSN(s string) (LSN, error) {
	hi, lo, ok := strings.Cut(s, "/")
	if ok && isHex(hi) && isHex(lo) {
		h, herr := strconv.ParseUint(hi, 16, 32)
		l, lerr := strconv.ParseUint(lo, 16, 32)
		if herr == nil && lerr == nil {
			return LSN(h<<32 | l), nil
		}
	}
	return 0, fmt.Errorf("invalid LSN %q: want two hexadecimal numbers as in 0/3012710", s)
}

func isHex(s string) bool {
	return 0 < len(s) && len(s) <= 8 && strings.Trim(s, "0123456789ABCDEFabcdef") == ""
}

// TimelineID numbers a timeline; the first is 1, zero means "none".
type TimelineID uint32

// TimelineStretch is the WAL of a timeline in [From, To).
type TimelineStretch struct {
	TLI      TimelineID
	From, To LSN
}

// SegNo numbers a WAL segment: LSN divided by the WAL segment size.
type SegNo uint64

// Geometry holds the sizes that a cluster was made with. They always come from
// its control file.
type Geometry struct {
	BlockSize    uint32 // bytes of a relation block (blcksz)
	RelSegBlocks uint32 // blocks of a relation segment file (relseg_size)
	WALBlockSize uint32 // bytes of a WAL page (xlog_blcksz)
	WALSegSize   uint32 // bytes of a WAL segment (xlog_seg_size), a power of two, 1 MiB to 1 GiB
}

// Validate reports sizes that no PostgreSQL can have been built with.
func (g Geometry) Validate() error {
	switch {
	case !powerOfTwo(g.BlockSize, 1<<10, 32<<10):
		return fmt.Errorf("impossible block size %d", g.BlockSize)
	case g.RelSegBlocks == 0 || uint64(g.RelSegBlocks)*uint64(g.BlockSize) > 1<<44:
		return fmt.Errorf("impossible relation segment size of %d blocks", g.RelSegBlocks)
	case !powerOfTwo(g.WALBlockSize, 1<<10, 64<<10):
		return fmt.Errorf("impossible WAL block size %d", g.WALBlockSize)
	case !powerOfTwo(g.WALSegSize, 1<<20, 1<<30):
		return fmt.Errorf("WAL segment size must be a power of two between 1 MB and 1 GB, but the control file specifies %d bytes", g.WALSegSize)
	}
	return nil
}

func powerOfTwo(n, low, high uint32) bool { return low <= n && n <= high && n&(n-1) == 0 }

// SegNo is the WAL segment that contains l.
func (g Geometry) SegNo(l LSN) SegNo { return SegNo(uint64(l) / uint64(g.WALSegSize)) }

// SegStart is the first LSN of segment s.
func (g Geometry) SegStart(s SegNo) LSN { return LSN(uint64(s) * uint64(g.WALSegSize)) }

// PageStart is the first LSN of the WAL page that contains l.
func (g Geometry) PageStart(l LSN) LSN { return l &^ LSN(g.WALBlockSize-1) }

// WALFileName is the name of segment s on a timeline: 24 upper-case
// hexadecimal digits (XLogFileName, access/xlog_internal.h).
func (g Geometry) WALFileName(tli TimelineID, s SegNo) string {
	perID := uint64(1<<32) / uint64(g.WALSegSize)
	return fmt.Sprintf("%08X%08X%08X", uint32(tli), uint32(uint64(s)/perID), uint32(uint64(s)%perID))
}

// ParseWALFileName undoes WALFileName; ok is false for any other name, those of
// partial segments and of backup and timeline histories among them.
func (g Geometry) ParseWALFileName(name string) (tli TimelineID, s SegNo, ok bool) {
	if len(name) != 24 {
		return 0, 0, false
	}
	var part [3]uint64
	for i := range part {
		text := name[8*i : 8*i+8]
		n, err := strconv.ParseUint(text, 16, 32)
		if err != nil || strings.ToUpper(text) != text {
			return 0, 0, false
		}
		part[i] = n
	}
	perID := uint64(1<<32) / uint64(g.WALSegSize)
	if part[0] == 0 || part[2] >= perID {
		return 0, 0, false
	}
	return TimelineID(part[0]), SegNo(part[1]*perID + part[2]), true
}

// HistoryFileName is the name of a timeline's history file.
func HistoryFileName(tli TimelineID) string { return fmt.Sprintf("%08X.history", uint32(tli)) }
