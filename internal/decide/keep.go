package decide

import (
	"fmt"
	"path"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// Patterns select by name which of the target's files a rewind leaves
// unchanged: configuration, certificates, logs. The syntax is that of path.Match. A pattern
// with a slash is matched against the whole path, one without against every name in
// it. A pattern that matches a directory also matches everything in it.
type Patterns []string

// Keep selects the target's files that a rewind leaves unchanged.
type Keep struct {
	Patterns Patterns
	// Func, if not nil, selects more of them. It is called with a path, and with the
	// directories that contain it, except for paths of a cluster's data. It may be called by
	// two goroutines at once.
	Func func(path string) bool
}

// Match reports whether a file is kept.
func (k Keep) Match(name string) bool { return k.Patterns.Match(name) != "" || k.asks(name) }

func (k Keep) asks(name string) bool {
	if k.Func == nil || !Keepable(name) {
		return false
	}
	for at := name; at != "."; at = path.Dir(at) {
		if k.Func(at) {
			return true
		}
	}
	return false
}

// Check refuses malformed patterns.
func (p Patterns) Check() error {
	for _, pattern := range p {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return fmt.Errorf("pattern %q of files to keep is malformed", pattern)
		}
	}
	return nil
}

// Match returns the first pattern that matches a path, or "".
func (p Patterns) Match(name string) string {
	for _, pattern := range p {
		for at := name; at != "."; at = path.Dir(at) {
			subject := path.Base(at)
			if strings.Contains(pattern, "/") {
				subject = at
			}
			if ok, err := path.Match(pattern, subject); ok && err == nil {
				return pattern
			}
		}
	}
	return ""
}

// dataNames are the names at the top of a data directory that contain a cluster's data. None
// of it can be kept: mixed with the source's data it would not be a cluster.
var dataNames = map[string]bool{
	pgdata.VersionPath: true, pgdata.BackupLabelPath: true, "tablespace_map": true,
	"base": true, "global": true, "pg_clog": true, "pg_commit_ts": true, "pg_dynshmem": true, "pg_logical": true,
	"pg_multixact": true, "pg_notify": true, "pg_replslot": true, "pg_serial": true, "pg_snapshots": true, "pg_stat": true,
	"pg_stat_tmp": true, "pg_subtrans": true, pgdata.TablespaceRoot: true, "pg_twophase": true, "pg_wal": true,
	"pg_xact": true, "pg_xlog": true,
}

// Keepable reports whether a file of the target may be kept: it does not contain cluster data.
func Keepable(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return !dataNames[first]
}

// keeps reports whether a file is left unchanged or, if it does not exist, is not created.
func (b *Builder) keeps(name string) (bool, error) {
	pattern := b.rules.Keep.Patterns.Match(name)
	if pattern == "" {
		return b.rules.Keep.asks(name), nil
	}
	if !Keepable(name) {
		return false, fmt.Errorf("pattern %q of files to keep matches %q, which holds data: keep only configuration, certificates and logs", pattern, name)
	}
	return true, nil
}
