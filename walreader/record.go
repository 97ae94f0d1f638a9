package walreader

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/gorewind/gorewind/pgdata"
)

// Record is one WAL record (XLogRecord, access/xlogrecord.h), reassembled from
// its pages.
type Record struct {
	LSN      pgdata.LSN // where it starts, after any page header
	End      pgdata.LSN // where it ends; that may be the start of a page, with the next record after its header
	Prev     pgdata.LSN // where the record before it starts; zero in the very first one
	Length   uint32     // bytes, including its header, without page headers (xl_tot_len)
	XID      uint32     // transaction, or zero
	TopXID   uint32     // top-level transaction if the record names it, or zero
	Origin   uint16     // replication origin, or zero
	Info     uint8      // the high four bits belong to the resource manager
	Rmgr     uint8      // resource manager
	Blocks   []BlockRef // in order of their ids
	MainData []byte     // the data that does not belong to a block

	raw []byte // the whole record; see Contents
}

// BlockRef is a record's reference to a block. Images and data are skipped; use
// [Format.Contents] to get them.
type BlockRef struct {
	Locator  pgdata.RelFileLocator
	Block    pgdata.BlockNumber // counted over all segment files of the fork
	Fork     pgdata.Fork
	ID       uint8
	HasImage bool // the record has a full-page image of it
	Apply    bool // replay restores the image; otherwise it is only for a consistency check
	WillInit bool // replay initializes the page
}

// Checkpoint is the part of a checkpoint record that does not depend on the
// version (CheckPoint, catalog/pg_control.h).
type Checkpoint struct {
	LSN      pgdata.LSN        // start of the record
	Redo     pgdata.LSN        // where replay must start
	TLI      pgdata.TimelineID // timeline of the record
	PrevTLI  pgdata.TimelineID // the previous timeline, if this record begins one; otherwise TLI
	Shutdown bool              // it was written while shutting down

	FullPageWrites bool // full_page_writes was on at the redo point
}

// Record header and body (access/xlogrecord.h).
const (
	recordHeaderSize = 24
	maxRecordSize    = 1<<30 - 1 // no major can have written a longer one (MaxAllocSize)

	maxBlockID      = 32
	blockIDTopXID   = 252
	blockIDOrigin   = 253
	blockIDLong     = 254
	blockIDShort    = 255
	blockForkMask   = 0x0F
	blockHasImage   = 0x10
	blockHasData    = 0x20
	blockWillInit   = 0x40
	blockSameRel    = 0x80
	imageHasHole    = 0x01
	infoRmgrMask    = 0xF0
	infoSpecialRel  = 0x01
	checkpointBytes = 17 // what we read of a CheckPoint
)

// Info codes of the XLOG resource manager (catalog/pg_control.h).
const (
	xlogCheckpointShutdown  = 0x00
	xlogCheckpointOnline    = 0x10
	xlogSwitch              = 0x40
	xlogOverwriteContRecord = 0xD0
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checkpoint returns the checkpoint that the record is, if it is one. Records
// that only mark an online checkpoint's redo point or the end of recovery are
// not.
func (rec *Record) Checkpoint() (Checkpoint, bool) {
	info := rec.Info & infoRmgrMask
	if rec.Rmgr != RmgrXLOG || info != xlogCheckpointShutdown && info != xlogCheckpointOnline ||
		len(rec.MainData) < checkpointBytes {
		return Checkpoint{}, false
	}
	return Checkpoint{
		LSN:      rec.LSN,
		Redo:     pgdata.LSN(binary.LittleEndian.Uint64(rec.MainData)),
		TLI:      pgdata.TimelineID(binary.LittleEndian.Uint32(rec.MainData[8:])),
		PrevTLI:  pgdata.TimelineID(binary.LittleEndian.Uint32(rec.MainData[12:])),
		Shutdown: info == xlogCheckpointShutdown,

		FullPageWrites: rec.MainData[16] != 0,
	}, true
}

// overwritten returns the start of the abandoned record that an
// OVERWRITE_CONTRECORD names, or zero for any other record.
func (rec *Record) overwritten() pgdata.LSN {
	if rec.Rmgr != RmgrXLOG || rec.Info&infoRmgrMask != xlogOverwriteContRecord || len(rec.MainData) < 8 {
		return 0
	}
	return pgdata.LSN(binary.LittleEndian.Uint64(rec.MainData))
}

// isSwitch reports that the rest of the segment is padding.
func (rec *Record) isSwitch() bool {
	return rec.Rmgr == RmgrXLOG && rec.Info&infoRmgrMask == xlogSwitch
}

// decodeHeader reads the fixed header of raw; the reason is empty if it is
// plausible. LSN must be set. A prev of zero means that it is unknown; then
// it must only be smaller.
func (rec *Record) decodeHeader(raw []byte, prev pgdata.LSN, v *pgdata.Version) (reason string) {
	rec.Length = binary.LittleEndian.Uint32(raw)
	rec.XID = binary.LittleEndian.Uint32(raw[4:])
	rec.Prev = pgdata.LSN(binary.LittleEndian.Uint64(raw[8:]))
	rec.Info = raw[16]
	rec.Rmgr = raw[17]
	if rec.Rmgr > maxBuiltinRmgr && (rec.Rmgr < minCustomRmgr || !v.WAL.CustomRmgrs) {
		return fmt.Sprintf("invalid resource manager ID %d", rec.Rmgr)
	}
	if rec.Prev != prev && (prev != 0 || rec.Prev >= rec.LSN) {
		return fmt.Sprintf("record with incorrect prev-link %s", v.FormatLSN(rec.Prev))
	}
	return ""
}

// checksum reports whether the CRC in raw's header is correct: it covers the body
// first, then the header up to the CRC.
func checksum(raw []byte) bool {
	crc := crc32.Update(0, castagnoli, raw[recordHeaderSize:])
	crc = crc32.Update(crc, castagnoli, raw[:20])
	return crc == binary.LittleEndian.Uint32(raw[20:])
}

// decodeBody reads everything after the fixed header of raw. The reason is
// empty if all of it is valid.
func (rec *Record) decodeBody(raw []byte, wal *pgdata.WALFormat, blockSize uint32) (reason string) {
	rec.TopXID, rec.Origin = 0, 0
	rec.Blocks = rec.Blocks[:0]
	rec.MainData = nil
	rec.raw = raw

	const short = "record with invalid length"
	var (
		p      = raw[recordHeaderSize:] // headers not yet read, then payload
		data   uint64                   // payload announced by the headers so far
		main   uint64                   // the main data's part of it
		nextID uint8
	)
headers:
	for uint64(len(p)) > data {
		id := p[0]
		p = p[1:]
		switch {
		case id == blockIDShort:
			if len(p) < 1 {
				return short
			}
			main = uint64(p[0])
			p = p[1:]
			break headers // it is always the last header
		case id <= maxBlockID:
			if id < nextID {
				return fmt.Sprintf("out-of-order block_id %d", id)
			}
			nextID = id + 1
			rec.Blocks = append(rec.Blocks, BlockRef{})
			last := len(rec.Blocks) - 1
			ref := &rec.Blocks[last]
			ref.ID = id
			n, payload, reason := ref.decodeBlock(p, rec.Blocks[:last], wal, blockSize)
			if reason != "" {
				return reason
			}
			p = p[n:]
			data += uint64(payload)
		case id == blockIDLong:
			if len(p) < 4 {
				return short
			}
			main = uint64(binary.LittleEndian.Uint32(p))
			p = p[4:]
			break headers
		case id == blockIDOrigin:
			if len(p) < 2 {
				return short
			}
			rec.Origin = binary.LittleEndian.Uint16(p)
			p = p[2:]
		case id == blockIDTopXID && wal.TopLevelXid:
			if len(p) < 4 {
				return short
			}
			rec.TopXID = binary.LittleEndian.Uint32(p)
			p = p[4:]
		default:
			return fmt.Sprintf("invalid block_id %d", id)
		}
	}
	if uint64(len(p)) != data+main {
		return short
	}
	rec.MainData = p[data:]
	if rec.Rmgr != RmgrXLOG {
		return ""
	}
	return rec.checkMainData(wal)
}

// decodeBlock reads a block reference header after its id into ref: n bytes of p
// that announce payload bytes. before are the earlier references of the record. It
// sets every field individually: copying a reference built elsewhere would
// wait for the small stores that built it.
func (ref *BlockRef) decodeBlock(p []byte, before []BlockRef, wal *pgdata.WALFormat, blockSize uint32) (n int, payload uint32, reason string) {
	const short = "record with invalid length"
	if len(p) < 3 {
		return 0, 0, short
	}
	flags, length := p[0], binary.LittleEndian.Uint16(p[1:])
	ref.Fork = pgdata.Fork(flags & blockForkMask)
	ref.WillInit = flags&blockWillInit != 0
	ref.HasImage, ref.Apply = false, false
	if ref.Fork > pgdata.InitFork {
		return 0, 0, fmt.Sprintf("invalid fork number %d", ref.Fork)
	}
	if (flags&blockHasData != 0) != (length != 0) {
		return 0, 0, fmt.Sprintf("block flags %02X contradict a data length of %d", flags, length)
	}
	payload = uint32(length)
	n = 3
	if flags&blockHasImage != 0 {
		used, image, reason := ref.decodeImage(p[n:], wal, blockSize)
		if reason != "" {
			return 0, 0, reason
		}
		n += used
		payload += image
	}
	locator := &ref.Locator
	if flags&blockSameRel == 0 {
		if len(p) < n+12 {
			return 0, 0, short
		}
		l := p[n : n+12]
		locator.Tablespace = binary.LittleEndian.Uint32(l)
		locator.Database = binary.LittleEndian.Uint32(l[4:])
		locator.Relation = binary.LittleEndian.Uint32(l[8:])
		n += 12
	} else {
		if len(before) == 0 {
			return 0, 0, "BKPBLOCK_SAME_REL set but no previous rel"
		}
		last := &before[len(before)-1].Locator
		locator.Tablespace, locator.Database, locator.Relation = last.Tablespace, last.Database, last.Relation
	}
	if len(p) < n+4 {
		return 0, 0, short
	}
	ref.Block = pgdata.BlockNumber(binary.LittleEndian.Uint32(p[n:]))
	return n + 4, payload, ""
}

// decodeImage reads the header of a full-page image: n bytes of p that announce
// length bytes.
func (ref *BlockRef) decodeImage(p []byte, wal *pgdata.WALFormat, blockSize uint32) (n int, length uint32, reason string) {
	const short = "record with invalid length"
	if len(p) < 5 {
		return 0, 0, short
	}
	length = uint32(binary.LittleEndian.Uint16(p))
	holeOffset := uint32(binary.LittleEndian.Uint16(p[2:]))
	info := p[4]
	n = 5
	if info&^wal.ImageFlags != 0 {
		return 0, 0, fmt.Sprintf("invalid image flags %02X", info)
	}
	hasHole, compressed := info&imageHasHole != 0, info&wal.ImageCompressed != 0
	ref.HasImage = true
	ref.Apply = wal.ImageApply == 0 || info&wal.ImageApply != 0

	var hole uint32
	switch {
	case length > blockSize || compressed && length == blockSize:
		return 0, 0, fmt.Sprintf("image flags %02X contradict a block image length of %d", info, length)
	case compressed && hasHole:
		if len(p) < 7 {
			return 0, 0, short
		}
		hole = uint32(binary.LittleEndian.Uint16(p[5:]))
		n = 7
	case !compressed:
		hole = blockSize - length
	}
	if hasHole != (holeOffset != 0) || hasHole != (hole != 0) || holeOffset+hole > blockSize {
		return 0, 0, fmt.Sprintf("image flags %02X contradict hole offset %d length %d block image length %d",
			info, holeOffset, hole, length)
	}
	return n, length, ""
}

// checkMainData checks the sizes of the XLOG records that this package itself
// interprets: what they say about the server's settings must not be missed.
func (rec *Record) checkMainData(wal *pgdata.WALFormat) (reason string) {
	want := len(rec.MainData)
	switch rec.Info & infoRmgrMask {
	case xlogCheckpointShutdown, xlogCheckpointOnline:
		want = wal.CheckPointSize
	case xlogParameterChange:
		want = parameterChangeSize(wal)
	case xlogFPWChange:
		want = 1
	case xlogEndOfRecovery:
		want = endOfRecoverySize(wal)
	case xlogOverwriteContRecord:
		want = 16
	case xlogCheckpointRedo:
		if wal.StatesWALLevel {
			want = 4
		}
	}
	if len(rec.MainData) != want {
		return fmt.Sprintf("XLOG record of type %02X with %d bytes instead of %d", rec.Info&infoRmgrMask, len(rec.MainData), want)
	}
	return ""
}
