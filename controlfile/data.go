package controlfile

import (
	"fmt"
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// Size is the length of every control file in bytes (PG_CONTROL_FILE_SIZE,
// catalog/pg_control.h).
const Size = 8192

// Data is a control file (ControlFileData, catalog/pg_control.h). Fields that
// the cluster's major does not have are zero; the comments name the majors.
type Data struct {
	Version          *pgdata.Version
	SystemIdentifier uint64 // created by initdb, the same in all copies of the cluster

	Fields

	PrevCheckPoint    pgdata.LSN // the checkpoint before the last; 9.6 and 10
	CheckPointCopy    CheckPoint // the body of the last checkpoint record
	UnloggedLSN       pgdata.LSN
	BackupStartPoint  pgdata.LSN // redo point of the backup being recovered, or zero
	BackupEndPoint    pgdata.LSN // where a backup taken from a standby ends, or zero
	BackupEndRequired bool

	WALLevel             WALLevel
	WALLogHints          bool // the setting wal_log_hints
	MaxConnections       int32
	MaxWorkerProcesses   int32
	MaxWALSenders        int32 // 12 and later
	MaxPreparedXacts     int32
	MaxLocksPerXact      int32
	TrackCommitTimestamp bool

	Geometry            pgdata.Geometry
	NameDataLen         uint32 // bytes of a name, including the final zero
	IndexMaxKeys        uint32
	TOASTMaxChunkSize   uint32 // bytes
	LargeObjectBlock    uint32 // bytes of a large object's chunk (loblksize)
	DataChecksumVersion uint32 // 0: pages have no checksums
	DefaultCharSigned   bool   // 18 and later

	raw []byte // the whole file
}

// Fields are what [Data.Encode] can change.
type Fields struct {
	State State
	// Time of the last change of the file, in whole seconds, UTC.
	Time time.Time
	// CheckPoint is where the last checkpoint record starts.
	CheckPoint pgdata.LSN
	// MinRecoveryPoint is how far WAL must be replayed before the cluster is
	// consistent. It is zero without archive recovery.
	MinRecoveryPoint    pgdata.LSN
	MinRecoveryPointTLI pgdata.TimelineID
}

// CheckPoint is the body of a checkpoint record (CheckPoint,
// catalog/pg_control.h).
type CheckPoint struct {
	Redo            pgdata.LSN        // where replay starts
	ThisTimeLineID  pgdata.TimelineID // where the record was written
	PrevTimeLineID  pgdata.TimelineID // differs if the record began a timeline
	FullPageWrites  bool
	WALLevel        WALLevel // 17 and later
	LogicalDecoding bool     // 19 and later

	NextXid         uint64 // the epoch is the high half
	NextOid         uint32
	NextMulti       uint32
	NextMultiOffset uint64

	OldestXid         uint32
	OldestXidDB       uint32 // OID of the database
	OldestMulti       uint32
	OldestMultiDB     uint32 // OID of the database
	Time              time.Time
	OldestCommitTsXid uint32
	NewestCommitTsXid uint32
	OldestActiveXid   uint32 // zero in shutdown checkpoints
}

// Timeline is the newest timeline that the cluster is known to be on. The last
// checkpoint alone does not show it: a promoted standby writes the new timeline
// into the minimum recovery point at once, and its first checkpoint comes later.
func (d *Data) Timeline() pgdata.TimelineID {
	return max(d.MinRecoveryPointTLI, d.CheckPointCopy.ThisTimeLineID)
}

// ShutDownCleanly reports whether the cluster was shut down cleanly, as a primary or as a
// standby. A primary's files then contain everything in its WAL. A standby's may lack
// what it replayed after its last restartpoint (CreateRestartPoint in
// access/transam/xlog.c makes none without a new checkpoint record).
func (d *Data) ShutDownCleanly() bool {
	return d.State == ShutDown || d.State == ShutDownInRecovery
}

// State is what a cluster was doing when it last wrote its control file
// (DBState, catalog/pg_control.h).
type State uint32

// The states; their numbers never changed.
const (
	StartingUp         State = iota
	ShutDown                 // a primary that was shut down cleanly
	ShutDownInRecovery       // a standby that was shut down cleanly
	ShuttingDown
	InCrashRecovery
	InArchiveRecovery // a standby, running or killed
	InProduction      // a primary, running or killed
)

var stateNames = [...]string{
	StartingUp:         "starting up",
	ShutDown:           "shut down",
	ShutDownInRecovery: "shut down in recovery",
	ShuttingDown:       "shutting down",
	InCrashRecovery:    "in crash recovery",
	InArchiveRecovery:  "in archive recovery",
	InProduction:       "in production",
}

// String returns pg_controldata's wording.
func (s State) String() string {
	if int64(s) < int64(len(stateNames)) {
		return stateNames[s]
	}
	return fmt.Sprintf("unrecognized status code %d", uint32(s))
}

// WALLevel is the setting wal_level (WalLevel, access/xlog.h).
type WALLevel int32

// The levels.
const (
	Minimal WALLevel = iota
	Replica
	Logical
)

var walLevelNames = [...]string{Minimal: "minimal", Replica: "replica", Logical: "logical"}

// String returns the setting's value.
func (l WALLevel) String() string {
	if 0 <= l && int(l) < len(walLevelNames) {
		return walLevelNames[l]
	}
	return fmt.Sprintf("unrecognized wal_level %d", int32(l))
}
