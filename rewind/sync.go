package rewind

import (
	"fmt"

	"github.com/gorewind/gorewind/internal/target"
)

// SyncMethod is how changes are brought to the disk.
type SyncMethod string

// The methods.
const (
	SyncFsync SyncMethod = ""       // fsync for every file that was written
	SyncFS    SyncMethod = "syncfs" // one call for every file system (Linux only)
)

// ParseSyncMethod understands what pg_rewind's --sync-method does (17 and later).
func ParseSyncMethod(s string) (SyncMethod, error) {
	switch s {
	case "fsync":
		return SyncFsync, nil
	case string(SyncFS):
		return SyncFS, nil
	}
	return "", fmt.Errorf("unrecognized sync method: %s", s)
}

// syncMode says what is made durable, and how.
func (r *Rewind) syncMode() target.SyncMode {
	return target.SyncMode{Off: r.opts.NoSync, FileSystem: r.opts.SyncMethod == SyncFS, Everything: r.recovered}
}
