package pgdata

// FileType is what an entry of a data directory is.
type FileType uint8

// The types that a data directory may contain. Others (sockets, pipes) are not
// listed.
const (
	Regular FileType = iota + 1
	Directory
	Symlink
)

func (t FileType) String() string {
	switch t {
	case Regular:
		return "regular file"
	case Directory:
		return "directory"
	case Symlink:
		return "symbolic link"
	}
	return "unknown file type"
}

// FileInfo is one entry of a listing of a data directory.
type FileInfo struct {
	Path string   // relative to the data directory, "/" separated
	Type FileType // a symlinked WAL directory is listed as a directory
	Size int64    // bytes, of regular files
	Link string   // where a symbolic link leads
}

// Path names that are the same in every major.
const (
	ControlFilePath = "global/pg_control"
	BackupLabelPath = "backup_label"
	TablespaceRoot  = "pg_tblspc"
	PostmasterPid   = "postmaster.pid"
	VersionPath     = "PG_VERSION"
)
