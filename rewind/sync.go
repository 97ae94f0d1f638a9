package rewind

import (
	"fmt"

	"github.com/gorewind/gorewind/internal/apply"
)

// SyncMethod says how changes are synced to disk.
type SyncMethod string

// The methods.
const (
	SyncFsync SyncMethod = ""       // fsync for every file that was written
	SyncFS    SyncMethod = "syncfs" // one call for each file system (Linux only)
)

// ParseSyncMethod parses the values of pg_rewind's --sync-method (17 and later).
func ParseSyncMethod(s string) (SyncMethod, error) {
	switch s {
	case "fsync":
		return SyncFsync, nil
	case string(SyncFS):
		return SyncFS, nil
	}
	return "", fmt.Errorf("unrecognized sync method: %s", s)
}

// syncMode says what is synced, and how.
func (r *Rewind) syncMode() apply.SyncMode {
	return apply.SyncMode{Off: r.opts.NoSync, FileSystem: r.opts.SyncMethod == SyncFS, Everything: r.recovered}
}
