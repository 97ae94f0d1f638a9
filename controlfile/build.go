package controlfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// Build creates a control file with d's values for the major d.Version, for programs that
// create data directories themselves. Fields that the major does not have are left out.
// Fields that d does not have are as initdb leaves them.
func Build(d Data) ([]byte, error) {
	if d.Version == nil {
		return nil, errors.New("a control file needs a major version: Data.Version must be set")
	}
	l := layoutOf(d.Version.ControlVersion)
	if l == nil {
		return nil, &pgdata.UnsupportedVersionError{ControlVersion: d.Version.ControlVersion, CatalogVersion: d.Version.CatalogVersion}
	}
	if err := d.Geometry.Validate(); err != nil {
		return nil, fmt.Errorf("could not build a control file: %w", err)
	}
	w := make(writer, Size)
	binary.LittleEndian.PutUint64(w, d.SystemIdentifier)
	w.u32(offControlVersion, d.Version.ControlVersion)
	w.u32(offCatalogVersion, d.Version.CatalogVersion)
	w.u32(offState, uint32(d.State))
	w.time(offTime, d.Time)
	w.u64(offCheckPoint, uint64(d.CheckPoint))
	w.u64(l.prevCheckPoint, uint64(d.PrevCheckPoint))
	copy(w[l.checkPointCopy:], d.CheckPointCopy.Encode(d.Version))
	w.u64(l.unloggedLSN, uint64(d.UnloggedLSN))
	w.u64(l.minRecoveryPoint, uint64(d.MinRecoveryPoint))
	w.u32(l.minRecoveryPointTLI, uint32(d.MinRecoveryPointTLI))
	w.u64(l.backupStartPoint, uint64(d.BackupStartPoint))
	w.u64(l.backupEndPoint, uint64(d.BackupEndPoint))
	w.bool(l.backupEndRequired, d.BackupEndRequired)
	w.u32(l.walLevel, uint32(d.WALLevel))
	w.bool(l.walLogHints, d.WALLogHints)
	w.u32(l.maxConnections, uint32(d.MaxConnections))
	w.u32(l.maxWorkerProcesses, uint32(d.MaxWorkerProcesses))
	w.u32(l.maxWALSenders, uint32(d.MaxWALSenders))
	w.u32(l.maxPreparedXacts, uint32(d.MaxPreparedXacts))
	w.u32(l.maxLocksPerXact, uint32(d.MaxLocksPerXact))
	w.bool(l.trackCommitTimestamp, d.TrackCommitTimestamp)
	w.u32(l.maxAlign, 8)
	w.u64(l.floatFormat, floatFormat)
	w.u32(l.blockSize, d.Geometry.BlockSize)
	w.u32(l.relSegBlocks, d.Geometry.RelSegBlocks)
	w.u32(l.slruPages, slruPagesPerSegment)
	w.u32(l.walBlockSize, d.Geometry.WALBlockSize)
	w.u32(l.walSegSize, d.Geometry.WALSegSize)
	w.u32(l.nameDataLen, d.NameDataLen)
	w.u32(l.indexMaxKeys, d.IndexMaxKeys)
	w.u32(l.toastMaxChunkSize, d.TOASTMaxChunkSize)
	w.u32(l.largeObjectBlock, d.LargeObjectBlock)
	for i := range l.platformBools {
		w.bool(l.largeObjectBlock+4+offset(i), true)
	}
	w.u32(l.checksumVersionAtInit, d.DataChecksumVersion)
	w.u32(l.checksumVersion, d.DataChecksumVersion)
	w.bool(l.defaultCharSigned, d.DefaultCharSigned)
	w.u32(l.crc, crc32.Checksum(w[:l.crc], castagnoli))
	return w, nil
}

// slruPagesPerSegment is SLRU_PAGES_PER_SEGMENT (access/slru.h).
const slruPagesPerSegment = 32

// Encode encodes the body of a checkpoint record of a major.
func (c CheckPoint) Encode(v *pgdata.Version) []byte {
	l := layoutOf(v.ControlVersion).checkPoint
	w := make(writer, v.WAL.CheckPointSize)
	binary.LittleEndian.PutUint64(w, uint64(c.Redo))
	w.u32(offThisTimeLineID, uint32(c.ThisTimeLineID))
	w.u32(offPrevTimeLineID, uint32(c.PrevTimeLineID))
	w.bool(offFullPageWrites, c.FullPageWrites)
	w.u32(l.walLevel, uint32(c.WALLevel))
	w.bool(l.logicalDecoding, c.LogicalDecoding)
	w.u32(l.nextXidEpoch, uint32(c.NextXid>>32))
	w.u32(l.nextXid, uint32(c.NextXid))
	w.u64(l.nextFullXid, c.NextXid)
	w.u32(l.nextOid, c.NextOid)
	w.u32(l.nextMulti, c.NextMulti)
	w.u32(l.nextMultiOffset, uint32(c.NextMultiOffset))
	w.u64(l.nextMultiOffset64, c.NextMultiOffset)
	w.u32(l.oldestXid, c.OldestXid)
	w.u32(l.oldestXidDB, c.OldestXidDB)
	w.u32(l.oldestMulti, c.OldestMulti)
	w.u32(l.oldestMultiDB, c.OldestMultiDB)
	w.time(l.time, c.Time)
	w.u32(l.oldestCommitTsXid, c.OldestCommitTsXid)
	w.u32(l.newestCommitTsXid, c.NewestCommitTsXid)
	w.u32(l.oldestActiveXid, c.OldestActiveXid)
	return w
}

// writer writes the fields of a control file or checkpoint record that a major has.
type writer []byte

func (w writer) u32(o offset, n uint32) {
	if o != 0 {
		binary.LittleEndian.PutUint32(w[o:], n)
	}
}

func (w writer) u64(o offset, n uint64) {
	if o != 0 {
		binary.LittleEndian.PutUint64(w[o:], n)
	}
}

func (w writer) bool(o offset, on bool) {
	if o != 0 && on {
		w[o] = 1
	}
}

func (w writer) time(o offset, t time.Time) { w.u64(o, uint64(t.Unix())) }
