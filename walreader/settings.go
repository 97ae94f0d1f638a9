package walreader

import (
	"encoding/binary"
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// Info codes of XLOG records about the server's settings
// (catalog/pg_control.h).
const (
	xlogParameterChange = 0x60
	xlogFPWChange       = 0x80
	xlogEndOfRecovery   = 0x90
	xlogFPIForHint      = 0xA0
	xlogCheckpointRedo  = 0xE0
)

// Values of wal_level (access/xlog.h).
const (
	WALLevelMinimal = 0
	WALLevelReplica = 1
	WALLevelLogical = 2
)

// Parameters are the settings that a server logs at its start when they differ
// from those in the control file (XLOG_PARAMETER_CHANGE,
// xl_parameter_change in access/xlog_internal.h).
type Parameters struct {
	WALLevel             int32 // 0 minimal, 1 replica, 2 logical
	WALLogHints          bool
	TrackCommitTimestamp bool
	MaxConnections       int32
	MaxWorkerProcesses   int32
	MaxWALSenders        int32 // zero up to 11, where the record does not have it
	MaxPreparedXacts     int32
	MaxLocksPerXact      int32
}

// isXLOG reports whether the record belongs to the XLOG resource manager and has that
// info code and that many bytes of main data.
func (rec *Record) isXLOG(info uint8, size int) bool {
	return rec.Rmgr == RmgrXLOG && rec.Info&infoRmgrMask == info && len(rec.MainData) == size
}

// Parameters returns the settings of a PARAMETER_CHANGE record.
func (f Format) Parameters(rec *Record) (Parameters, bool) {
	wal := &f.Version.WAL
	if !rec.isXLOG(xlogParameterChange, parameterChangeSize(wal)) {
		return Parameters{}, false
	}
	d := fields{rest: rec.MainData}
	var p Parameters
	p.MaxConnections, p.MaxWorkerProcesses = int32(d.uint32()), int32(d.uint32())
	if wal.ParameterSenders {
		p.MaxWALSenders = int32(d.uint32())
	}
	p.MaxPreparedXacts, p.MaxLocksPerXact, p.WALLevel = int32(d.uint32()), int32(d.uint32()), int32(d.uint32())
	flags := d.take(2)
	p.WALLogHints, p.TrackCommitTimestamp = flags[0] != 0, flags[1] != 0
	return p, true
}

func parameterChangeSize(wal *pgdata.WALFormat) int {
	if wal.ParameterSenders {
		return 28
	}
	return 24
}

// FullPageWritesChange returns the new value of full_page_writes if the record
// is an FPW_CHANGE. A primary writes one when the setting changes; at its start
// the checkpoint has the value.
func (f Format) FullPageWritesChange(rec *Record) (on, ok bool) {
	if !rec.isXLOG(xlogFPWChange, 1) {
		return false, false
	}
	return rec.MainData[0] != 0, true
}

// IsHintImage reports whether the record is the image of a page in which only
// hint bits changed. Servers write it with data checksums or wal_log_hints.
func (rec *Record) IsHintImage() bool {
	return rec.Rmgr == RmgrXLOG && rec.Info&infoRmgrMask == xlogFPIForHint
}

// EndOfRecovery returns the content of an END_OF_RECOVERY record: when a server was
// promoted without a checkpoint, to which timeline, and from which one.
func (f Format) EndOfRecovery(rec *Record) (at time.Time, tli, prev pgdata.TimelineID, ok bool) {
	if !rec.isXLOG(xlogEndOfRecovery, endOfRecoverySize(&f.Version.WAL)) {
		return time.Time{}, 0, 0, false
	}
	d := fields{rest: rec.MainData}
	at = d.timestamp()
	tli, prev = pgdata.TimelineID(d.uint32()), pgdata.TimelineID(d.uint32())
	return at, tli, prev, !d.bad
}

func endOfRecoverySize(wal *pgdata.WALFormat) int {
	if wal.StatesWALLevel {
		return 24 // including four bytes of padding
	}
	return 16
}

// Offsets of wal_level in records, in majors that have it there.
const (
	checkpointWALLevel    = 20
	endOfRecoveryWALLevel = 16
)

// WALLevelOf returns the wal_level in a record: a PARAMETER_CHANGE and,
// from 17 on, a checkpoint, CHECKPOINT_REDO or END_OF_RECOVERY. It applies to
// the WAL after the record.
func (f Format) WALLevelOf(rec *Record) (level int32, ok bool) {
	if p, ok := f.Parameters(rec); ok {
		return p.WALLevel, true
	}
	wal := &f.Version.WAL
	at := -1
	switch {
	case !wal.StatesWALLevel:
	case rec.isXLOG(xlogCheckpointShutdown, wal.CheckPointSize), rec.isXLOG(xlogCheckpointOnline, wal.CheckPointSize):
		at = checkpointWALLevel
	case rec.isXLOG(xlogEndOfRecovery, endOfRecoverySize(wal)):
		at = endOfRecoveryWALLevel
	case rec.isXLOG(xlogCheckpointRedo, 4):
		at = 0
	}
	if at < 0 {
		return 0, false
	}
	return int32(binary.LittleEndian.Uint32(rec.MainData[at:])), true
}

// CheckpointXIDs returns the transaction IDs of a checkpoint record: the next one,
// and the oldest one that was running, which is zero in shutdown checkpoints (CheckPoint,
// catalog/pg_control.h). Every transaction from the next one on began after the redo
// point.
func (f Format) CheckpointXIDs(rec *Record) (next, oldestActive uint32, ok bool) {
	wal := &f.Version.WAL
	if _, is := rec.Checkpoint(); !is || len(rec.MainData) != wal.CheckPointSize {
		return 0, 0, false
	}
	next = binary.LittleEndian.Uint32(rec.MainData[wal.CheckPointNextXid:])
	return next, binary.LittleEndian.Uint32(rec.MainData[wal.CheckPointSize-oldestActiveFromEnd:]), true
}

// oldestActiveFromEnd is how far before the end of a CheckPoint oldestActiveXid is: it
// is the last field in every major, followed by four bytes of padding.
const oldestActiveFromEnd = 8
