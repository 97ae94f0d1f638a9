package pgdata

import (
	"fmt"
	"strings"
)

// Version is one PostgreSQL major: a row of the table below. Everything that
// differs between majors and is not the layout of the control file (package
// controlfile) stands here, so that a new major is a new row.
type Version struct {
	Name           string // as in PG_VERSION: "9.6", "17"
	ServerNum      int    // server_version_num / 100
	ControlVersion uint32 // pg_control_version (catalog/pg_control.h)
	CatalogVersion uint32 // catalog_version_no (catalog/catversion.h)
	WALDir         string // directory of the WAL segments
	XactDir        string // directory of what became of transactions
	WAL            WALFormat
	SQL            SQLNames
	PaddedLSN      bool // LSNs are written with eight digits in the low half
	StampsControl  bool // pg_rewind sets the control file's time to now
	RecoveryConf   bool // a standby is made by recovery.conf, not standby.signal
	Defaults       SettingDefaults
	StrictCommands bool // an unknown %x in restore_command is an error (common/percentrepl.c)
	// KeepWAL is the setting that keeps old WAL from being removed: wal_keep_segments,
	// in segments, or wal_keep_size, in MB (13).
	KeepWAL  string
	JSONPath JSONPath
}

// JSONPath is how values of jsonpath are stored and written (utils/adt/jsonpath.c).
type JSONPath struct {
	NoDatetime  bool // .datetime() has no number among the kinds of items; those behind it have lower ones
	BareNumbers bool // numbers stand without brackets before a method
}

// SettingDefaults are those settings whose default differs between majors
// (utils/misc/guc_tables.c).
type SettingDefaults struct {
	HotStandby             bool // hot_standby: a standby takes queries
	MaxLocksPerTransaction int  // max_locks_per_transaction
}

// WALFormat is what a WAL reader must know of a major.
type WALFormat struct {
	Magic              uint16 // xlp_magic (access/xlog_internal.h)
	PageFlags          uint16 // all valid bits of xlp_info
	OverwriteFlag      uint16 // XLP_FIRST_IS_OVERWRITE_CONTRECORD
	ImageCompressed    uint8  // bits of bimg_info that mean "compressed" (access/xlogrecord.h)
	ImagePGLZ          uint8  // which of these says with pglz,
	ImageLZ4           uint8  // with lz4, or zero where there is none,
	ImageZstd          uint8  // and with zstd
	ImageApply         uint8  // BKPIMAGE_APPLY; zero where every image is applied
	ImageFlags         uint8  // all valid bits of bimg_info
	TopLevelXid        bool   // block id 252 exists
	CustomRmgrs        bool   // resource managers 128 to 255 exist
	DatabaseCreateWAL  uint8  // info of XLOG_DBASE_CREATE_WAL_LOG; zero where there is none
	DatabaseDrop       uint8  // info of XLOG_DBASE_DROP (commands/dbcommands_xlog.h)
	CheckPointSize     int    // bytes of the CheckPoint struct in checkpoint records
	CheckPointNextXid  int    // where that has the next transaction
	TransactionSpecial bool   // commits and aborts that drop relations are marked as special
	DatabaseDropList   bool   // XLOG_DBASE_DROP has a list of tablespaces; else there is a record for each
	XactInfo           uint32 // bits of xinfo that say what commit and abort records hold (access/xact.h)
	XactStatsSize      int    // bytes of an xl_xact_stats_item in them
	PrepareGIDLen      int    // where a PREPARE record has the length of its GID (xl_xact_prepare.gidlen, access/xact.h)
	PrepareGID         int    // and where the GID
	ParameterSenders   bool   // PARAMETER_CHANGE has max_wal_senders (xl_parameter_change, access/xlog_internal.h)
	StatesWALLevel     bool   // CheckPoint, CHECKPOINT_REDO and END_OF_RECOVERY have wal_level (catalog/pg_control.h)
}

// SQLNames is what differs between majors for a client: the functions that were
// renamed with "xlog" → "wal", who may call those that read files, and what newer
// servers can do.
type SQLNames struct {
	FlushLSN       string // end of the WAL known to be on disk; a primary only
	WALFileName    string // name of the segment that holds an LSN; a primary only
	ReceiveLSN     string // end of the WAL that was streamed and is on disk; a standby only
	ReplayLSN      string // end of the WAL that was replayed; a standby only
	Hash           string // the best hash function: "sha256" of bytea (11), or "md5"
	SuperuserOnly  bool   // the file functions ask for a superuser, whatever was granted
	TemporarySlots bool   // a replication slot can end with its session (10)
}

var (
	sql96 = SQLNames{
		FlushLSN: "pg_current_xlog_flush_location", WALFileName: "pg_xlogfile_name", SuperuserOnly: true,
		ReceiveLSN: "pg_last_xlog_receive_location", ReplayLSN: "pg_last_xlog_replay_location", Hash: "md5",
	}
	sql10 = SQLNames{
		FlushLSN: "pg_current_wal_flush_lsn", WALFileName: "pg_walfile_name", SuperuserOnly: true, TemporarySlots: true,
		ReceiveLSN: "pg_last_wal_receive_lsn", ReplayLSN: "pg_last_wal_replay_lsn", Hash: "md5",
	}
	sql11 = with(sql10, func(n *SQLNames) { n.SuperuserOnly, n.Hash = false, "sha256" })

	path12 = JSONPath{NoDatetime: true, BareNumbers: true}
	path13 = JSONPath{BareNumbers: true}

	defaults96 = SettingDefaults{MaxLocksPerTransaction: 64}
	defaults10 = SettingDefaults{MaxLocksPerTransaction: 64, HotStandby: true}
	defaults19 = SettingDefaults{MaxLocksPerTransaction: 128, HotStandby: true}

	// The WAL formats, each with the first major that writes it. Magic is per major.
	wal96 = WALFormat{
		PageFlags: 0x0F, OverwriteFlag: 0x08, ImageFlags: 0x03, ImageCompressed: 0x02, ImagePGLZ: 0x02,
		DatabaseDrop: 0x10, CheckPointSize: 80, CheckPointNextXid: 24,
		XactInfo: 0x3F, PrepareGIDLen: 46, PrepareGID: 48,
	}
	wal10 = with(wal96, func(f *WALFormat) { f.ImageFlags, f.ImageApply, f.XactInfo = 0x07, 0x04, 0x7F })
	wal11 = with(wal10, func(f *WALFormat) { f.XactInfo, f.PrepareGID = 0xFF, 64 })
	wal12 = with(wal11, func(f *WALFormat) { f.CheckPointSize, f.ParameterSenders = 88, true })
	wal13 = with(wal12, func(f *WALFormat) { f.DatabaseDropList = true })
	wal14 = with(wal13, func(f *WALFormat) { f.TopLevelXid, f.TransactionSpecial = true, true })
	wal15 = with(wal14, func(f *WALFormat) {
		f.ImageFlags, f.ImageApply, f.ImageCompressed = 0x1F, 0x02, 0x1C
		f.ImagePGLZ, f.ImageLZ4, f.ImageZstd = 0x04, 0x08, 0x10
		f.CustomRmgrs, f.DatabaseCreateWAL, f.DatabaseDrop = true, 0x10, 0x20
		f.XactInfo, f.XactStatsSize, f.PrepareGIDLen, f.PrepareGID = 0x1FF, 12, 54, 72
	})
	wal17 = with(wal15, func(f *WALFormat) { f.StatesWALLevel = true })
	wal18 = with(wal17, func(f *WALFormat) { f.XactStatsSize = 16 })
	// 19 dropped "block is removable" and gave its bit to "overwrites a partial record".
	wal19 = with(wal18, func(f *WALFormat) {
		f.PageFlags, f.OverwriteFlag, f.CheckPointSize, f.CheckPointNextXid = 0x07, 0x04, 96, 32
	})
)

func with[T any](row T, change func(*T)) T { change(&row); return row }

func (f WALFormat) magic(m uint16) WALFormat { f.Magic = m; return f }

// versions is sorted by age. The rows were checked against clusters of every
// major; 19 is that of its first release candidate.
var versions = []*Version{
	{Name: "9.6", ServerNum: 906, ControlVersion: 960, CatalogVersion: 201608131, WALDir: "pg_xlog", XactDir: "pg_clog", WAL: wal96.magic(0xD093), SQL: sql96, KeepWAL: "wal_keep_segments", Defaults: defaults96, RecoveryConf: true},
	{Name: "10", ServerNum: 1000, ControlVersion: 1002, CatalogVersion: 201707211, WALDir: "pg_wal", XactDir: "pg_xact", WAL: wal10.magic(0xD097), SQL: sql10, KeepWAL: "wal_keep_segments", Defaults: defaults10, RecoveryConf: true},
	{Name: "11", ServerNum: 1100, ControlVersion: 1100, CatalogVersion: 201809051, WALDir: "pg_wal", XactDir: "pg_xact", WAL: wal11.magic(0xD098), SQL: sql11, KeepWAL: "wal_keep_segments", Defaults: defaults10, RecoveryConf: true},
	{Name: "12", ServerNum: 1200, ControlVersion: 1201, CatalogVersion: 201909212, WALDir: "pg_wal", XactDir: "pg_xact", WAL: wal12.magic(0xD101), SQL: sql11, KeepWAL: "wal_keep_segments", Defaults: defaults10, JSONPath: path12},
	{Name: "13", ServerNum: 1300, ControlVersion: 1300, CatalogVersion: 202007201, WALDir: "pg_wal", XactDir: "pg_xact", WAL: wal13.magic(0xD106), SQL: sql11, KeepWAL: "wal_keep_size", Defaults: defaults10, JSONPath: path13},
	{Name: "14", ServerNum: 1400, ControlVersion: 1300, CatalogVersion: 202107181, WALDir: "pg_wal", XactDir: "pg_xact", WAL: wal14.magic(0xD10D), SQL: sql11, KeepWAL: "wal_keep_size", Defaults: defaults10, JSONPath: path13},
	{Name: "15", ServerNum: 1500, ControlVersion: 1300, CatalogVersion: 202209061, WALDir: "pg_wal", XactDir: "pg_xact", WAL: wal15.magic(0xD110), SQL: sql11, KeepWAL: "wal_keep_size", Defaults: defaults10, StampsControl: true},
	{Name: "16", ServerNum: 1600, ControlVersion: 1300, CatalogVersion: 202307071, WALDir: "pg_wal", XactDir: "pg_xact", WAL: wal15.magic(0xD113), SQL: sql11, KeepWAL: "wal_keep_size", Defaults: defaults10, StrictCommands: true, StampsControl: true},
	{Name: "17", ServerNum: 1700, ControlVersion: 1700, CatalogVersion: 202406281, WALDir: "pg_wal", XactDir: "pg_xact", WAL: wal17.magic(0xD116), SQL: sql11, KeepWAL: "wal_keep_size", Defaults: defaults10, StrictCommands: true, StampsControl: true},
	{Name: "18", ServerNum: 1800, ControlVersion: 1800, CatalogVersion: 202506291, WALDir: "pg_wal", XactDir: "pg_xact", WAL: wal18.magic(0xD118), SQL: sql11, KeepWAL: "wal_keep_size", Defaults: defaults10, StrictCommands: true, StampsControl: true},
	{Name: "19", ServerNum: 1900, ControlVersion: 1905, CatalogVersion: 202610061, WALDir: "pg_wal", XactDir: "pg_xact", WAL: wal19.magic(0xD122), SQL: sql11, KeepWAL: "wal_keep_size", Defaults: defaults19, StrictCommands: true, StampsControl: true, PaddedLSN: true},
}

// Versions lists the supported majors, oldest first. The rows are shared: do
// not change them.
func Versions() []*Version { return append([]*Version(nil), versions...) }

// VersionByName finds a major by the text of its PG_VERSION file, such as "9.6"
// or "17", or nil.
func VersionByName(name string) *Version {
	return find(func(v *Version) bool { return v.Name == name })
}

// VersionByControl finds a major by the two version numbers of its control
// file. Both are needed: 13 to 16 share a pg_control_version, and beta releases
// differ from the final one only in their numbers. The error is an
// *UnsupportedVersionError.
func VersionByControl(control, catalog uint32) (*Version, error) {
	v := find(func(v *Version) bool { return v.ControlVersion == control && v.CatalogVersion == catalog })
	if v == nil {
		return nil, &UnsupportedVersionError{ControlVersion: control, CatalogVersion: catalog}
	}
	return v, nil
}

// VersionByServerNum finds a major by a server's server_version_num, such as
// 90624 or 170005. The error is an *UnsupportedVersionError.
func VersionByServerNum(num int) (*Version, error) {
	v := find(func(v *Version) bool { return v.ServerNum == num/100 })
	if v == nil {
		return nil, &UnsupportedVersionError{ServerNum: num}
	}
	return v, nil
}

func find(match func(*Version) bool) *Version {
	for _, v := range versions {
		if match(v) {
			return v
		}
	}
	return nil
}

// UnsupportedVersionError says that a cluster or server is of a version that is
// not in the table: a beta, something older than 9.6 or newer than gorewind.
// Nothing is wrong with the data.
type UnsupportedVersionError struct {
	ControlVersion, CatalogVersion uint32 // from a control file, or zero
	ServerNum                      int    // from a server, or zero
}

func (e *UnsupportedVersionError) Error() string {
	what := fmt.Sprintf("server_version_num %d", e.ServerNum)
	if e.ServerNum == 0 {
		what = fmt.Sprintf("pg_control_version %d with catalog version %d", e.ControlVersion, e.CatalogVersion)
		var names []string
		for _, v := range versions {
			if v.ControlVersion == e.ControlVersion {
				names = append(names, v.Name)
			}
		}
		if names != nil {
			return fmt.Sprintf("%s is not PostgreSQL %s as released, perhaps it is a beta: use a released PostgreSQL",
				what, strings.Join(names, " or "))
		}
	}
	return fmt.Sprintf("%s is not supported: gorewind knows the releases of PostgreSQL %s to %s; is there a newer gorewind?",
		what, versions[0].Name, versions[len(versions)-1].Name)
}

func (v *Version) String() string { return v.Name }

// TablespaceDir is the directory that this major makes inside a tablespace
// (TABLESPACE_VERSION_DIRECTORY, common/relpath.h).
func (v *Version) TablespaceDir() string { return fmt.Sprintf("PG_%s_%d", v.Name, v.CatalogVersion) }

// FormatLSN writes l as servers of this major do.
func (v *Version) FormatLSN(l LSN) string {
	if v.PaddedLSN {
		return l.Padded()
	}
	return l.String()
}

// WALPath is the path of a file in the WAL directory, relative to the data
// directory.
func (v *Version) WALPath(name string) string { return v.WALDir + "/" + name }

// InWALDir reports whether path lies in the WAL directory, and gives the rest.
func (v *Version) InWALDir(path string) (rest string, ok bool) {
	return strings.CutPrefix(path, v.WALDir+"/")
}
