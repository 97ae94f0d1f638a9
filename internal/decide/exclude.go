package decide

import (
	"path"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/internal/ownfiles"
	"github.com/gorewind/gorewind/pgdata"
)

// excludedContents are directories whose contents are useless to another
// server: it recreates them when it starts (basebackup.c has the same list).
var excludedContents = []string{
	"pg_dynshmem/", "pg_notify/", "pg_replslot/", "pg_serial/", "pg_snapshots/", "pg_stat_tmp/", "pg_subtrans/",
}

// excludedNames are files, in any directory, that belong to one server only.
var excludedNames = map[string]bool{
	"backup_label": true, "backup_manifest": true, "current_logfiles.tmp": true, "postgresql.auto.conf.tmp": true,
	"postmaster.opts": true, "postmaster.pid": true, "tablespace_map": true,
}

// files are paths at which a server can only use a regular file. A rewind writes some
// of them last.
var files = []string{
	pgdata.BackupLabelPath, "backup_manifest", "postgresql.auto.conf", "recovery.conf", "recovery.done",
	"recovery.signal", "standby.signal", "tablespace_map", pgdata.VersionPath, pgdata.ControlFilePath,
}

// Files lists paths at which there can only be a file.
func Files() []string { return slices.Clone(files) }

const relcacheInit = "pg_internal.init" // followed by a process ID while it is written

// Excluded reports whether a file of the source is treated as if it did not
// exist, so that it is not copied, and is removed from the target.
func Excluded(p string) bool {
	for _, dir := range excludedContents {
		if strings.HasPrefix(p, dir) {
			return true
		}
	}
	name := path.Base(p)
	return excludedNames[name] || strings.HasPrefix(name, relcacheInit) || strings.Contains(p, "/pgsql_tmp")
}

// invisible reports whether a file is left alone on both sides: gorewind's own
// files, those that macOS creates everywhere, those that file systems have at their
// top, and those in a tablespace outside this version's directory.
func invisible(v *pgdata.Version, p string) bool {
	if slices.Contains(strings.Split(p, "/"), "lost+found") {
		return true
	}
	if strings.Contains(p, ".DS_Store") || strings.HasPrefix(p, ownfiles.Prefix) || strings.Contains(p, "/"+ownfiles.Prefix) {
		return true
	}
	rest, below := strings.CutPrefix(p, pgdata.TablespaceRoot+"/")
	_, rest, inTablespace := strings.Cut(rest, "/")
	dir, _, _ := strings.Cut(rest, "/")
	return below && inTablespace && dir != v.TablespaceDir()
}

// PassedOver reports whether a file is neither copied nor compared: it belongs to
// one server only, or not to this version of PostgreSQL.
func PassedOver(v *pgdata.Version, p string) bool { return Excluded(p) || invisible(v, p) }
