package controlfile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// castagnoli is the polynomial of PostgreSQL's CRC-32C (port/pg_crc32c.h).
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maxActive is the most bytes of the file that any version uses, CRC included:
// one disk sector (PG_CONTROL_MAX_SAFE_SIZE, catalog/pg_control.h).
const maxActive = 512

// Parse reads a control file of any supported major; b is the whole file and is
// not retained. It checks, in this order:
//
//   - the size (ErrSize);
//   - the two version numbers. Unknown ones are an
//     *pgdata.UnsupportedVersionError if a correct checksum is found, which
//     shows that this is the control file of another version or platform;
//     otherwise nothing about the bytes can be trusted and the error is ErrCRC;
//   - the checksum (ErrCRC);
//   - the alignment and number format of the platform (ErrPlatform);
//   - the geometry.
//
// All errors are of type *Error.
func Parse(b []byte) (*Data, error) {
	if len(b) != Size {
		return nil, sizeError(len(b))
	}
	r := reader(b)
	control, catalog := r.u32(offControlVersion), r.u32(offCatalogVersion)
	version, err := pgdata.VersionByControl(control, catalog)
	if err != nil {
		return nil, unknownVersion(b, control, err)
	}
	l := layoutOf(control)
	if !crcAt(b, l.crc) {
		return nil, crcMismatch(b)
	}
	if r.u32(l.maxAlign) != 8 || r.u64(l.floatFormat) != floatFormat {
		return nil, platformError(fmt.Sprintf("maximum data alignment %d, expected 8", r.u32(l.maxAlign)))
	}
	d := read(r, l)
	d.Version, d.raw = version, append([]byte(nil), b...)
	if err := d.Geometry.Validate(); err != nil {
		return nil, &Error{Msg: err.Error(), Hint: "is this the right file?", Err: err}
	}
	return d, nil
}

// floatFormat is FLOATFORMAT_VALUE, the float64 1234567.0.
const floatFormat = 0x4132d68700000000

func read(r reader, l *layout) *Data {
	c, cl := r[l.checkPointCopy:], l.checkPoint
	return &Data{
		SystemIdentifier: r.u64(offSystemIdentifier),
		Fields: Fields{
			State:               State(r.u32(offState)),
			Time:                r.time(offTime),
			CheckPoint:          r.lsn(offCheckPoint),
			MinRecoveryPoint:    r.lsn(l.minRecoveryPoint),
			MinRecoveryPointTLI: r.tli(l.minRecoveryPointTLI),
		},
		PrevCheckPoint: r.optional(l.prevCheckPoint).lsn(0),
		CheckPointCopy: CheckPoint{
			Redo:              c.lsn(offRedo),
			ThisTimeLineID:    c.tli(offThisTimeLineID),
			PrevTimeLineID:    c.tli(offPrevTimeLineID),
			FullPageWrites:    c.bool(offFullPageWrites),
			WALLevel:          WALLevel(c.optional(cl.walLevel).u32(0)),
			LogicalDecoding:   c.optional(cl.logicalDecoding).bool(0),
			NextXid:           c.optional(cl.nextFullXid).u64(0) | uint64(c.optional(cl.nextXidEpoch).u32(0))<<32 | uint64(c.optional(cl.nextXid).u32(0)),
			NextOid:           c.u32(cl.nextOid),
			NextMulti:         c.u32(cl.nextMulti),
			NextMultiOffset:   uint64(c.optional(cl.nextMultiOffset).u32(0)) | c.optional(cl.nextMultiOffset64).u64(0),
			OldestXid:         c.u32(cl.oldestXid),
			OldestXidDB:       c.u32(cl.oldestXidDB),
			OldestMulti:       c.u32(cl.oldestMulti),
			OldestMultiDB:     c.u32(cl.oldestMultiDB),
			Time:              c.time(cl.time),
			OldestCommitTsXid: c.u32(cl.oldestCommitTsXid),
			NewestCommitTsXid: c.u32(cl.newestCommitTsXid),
			OldestActiveXid:   c.u32(cl.oldestActiveXid),
		},
		UnloggedLSN:          r.lsn(l.unloggedLSN),
		BackupStartPoint:     r.lsn(l.backupStartPoint),
		BackupEndPoint:       r.lsn(l.backupEndPoint),
		BackupEndRequired:    r.bool(l.backupEndRequired),
		WALLevel:             WALLevel(r.u32(l.walLevel)),
		WALLogHints:          r.bool(l.walLogHints),
		MaxConnections:       int32(r.u32(l.maxConnections)),
		MaxWorkerProcesses:   int32(r.u32(l.maxWorkerProcesses)),
		MaxWALSenders:        int32(r.optional(l.maxWALSenders).u32(0)),
		MaxPreparedXacts:     int32(r.u32(l.maxPreparedXacts)),
		MaxLocksPerXact:      int32(r.u32(l.maxLocksPerXact)),
		TrackCommitTimestamp: r.bool(l.trackCommitTimestamp),
		Geometry: pgdata.Geometry{
			BlockSize:    r.u32(l.blockSize),
			RelSegBlocks: r.u32(l.relSegBlocks),
			WALBlockSize: r.u32(l.walBlockSize),
			WALSegSize:   r.u32(l.walSegSize),
		},
		NameDataLen:         r.u32(l.nameDataLen),
		IndexMaxKeys:        r.u32(l.indexMaxKeys),
		TOASTMaxChunkSize:   r.u32(l.toastMaxChunkSize),
		LargeObjectBlock:    r.u32(l.largeObjectBlock),
		DataChecksumVersion: r.u32(l.checksumVersion),
		DefaultCharSigned:   r.optional(l.defaultCharSigned).bool(0),
	}
}

// reader reads the fields of a control file whose length was checked.
type reader []byte

// absent reads as zero for every field.
var absent = make(reader, 8)

// optional is the rest of the file from o on, or zeros if there is no such field.
func (r reader) optional(o offset) reader {
	if o == 0 {
		return absent
	}
	return r[o:]
}

func (r reader) u32(o offset) uint32            { return binary.LittleEndian.Uint32(r[o:]) }
func (r reader) u64(o offset) uint64            { return binary.LittleEndian.Uint64(r[o:]) }
func (r reader) lsn(o offset) pgdata.LSN        { return pgdata.LSN(r.u64(o)) }
func (r reader) tli(o offset) pgdata.TimelineID { return pgdata.TimelineID(r.u32(o)) }
func (r reader) bool(o offset) bool             { return r[o] != 0 }
func (r reader) time(o offset) time.Time        { return time.Unix(int64(r.u64(o)), 0).UTC() }

// crcAt reports whether a checksum of everything before o is stored at o.
func crcAt(b []byte, o offset) bool {
	return crc32.Checksum(b[:o], castagnoli) == binary.LittleEndian.Uint32(b[o:])
}

// crcAnywhere reports whether some prefix of the file is followed by its correct
// checksum, in either byte order: then the bytes are as a server wrote them.
func crcAnywhere(b []byte) bool {
	const least = offCheckPoint + 8
	crc := crc32.Checksum(b[:least], castagnoli)
	for o := least; o+4 <= maxActive; o += 4 {
		if stored := binary.LittleEndian.Uint32(b[o:]); stored == crc || bits.ReverseBytes32(stored) == crc {
			return true
		}
		crc = crc32.Update(crc, castagnoli, b[o:o+4])
	}
	return false
}

func sizeError(n int) error {
	hint := "the file is cut short; take a new base backup of this cluster"
	switch {
	case n == 0:
		hint = "the file is empty; take a new base backup of this cluster"
	case n > Size:
		hint = "the file is too long: is it a control file?"
	}
	return &Error{Msg: fmt.Sprintf("unexpected control file size %d, expected %d", n, Size), Hint: hint, Err: ErrSize}
}

func unknownVersion(b []byte, control uint32, err error) error {
	switch {
	case !crcAnywhere(b):
		return &Error{
			Msg: ErrCRC.Error() + fmt.Sprintf(", and unknown version number %d: the file is damaged or not a control file", control),
			Err: ErrCRC,
		}
	case layoutOf(bits.ReverseBytes32(control)) != nil:
		return platformError("the other byte order")
	}
	return &Error{Msg: err.Error(), Err: err}
}

// crcMismatch distinguishes damage from a file written by a server for another kind of
// machine, whose fields are at other offsets.
func crcMismatch(b []byte) error {
	if crcAnywhere(b) {
		return platformError("fields at other offsets")
	}
	return &Error{
		Msg:  ErrCRC.Error(),
		Hint: "the file is damaged, or was read while being written: stop the server and try again, or take a new base backup",
		Err:  ErrCRC,
	}
}

func platformError(what string) error {
	return &Error{
		Msg:  ErrPlatform.Error() + " (" + what + ")",
		Hint: "only clusters of 64-bit little-endian machines are supported",
		Err:  ErrPlatform,
	}
}
