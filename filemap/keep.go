package filemap

import (
	"fmt"
	"path"
	"strings"

	"github.com/gorewind/gorewind/pgdata"
)

// Patterns tell by their names which of the target's files a rewind leaves as
// they are: configuration, certificates, logs. A pattern is one of path.Match. One
// with a slash is compared with the whole path, another one with every name in
// it. What matches a directory matches all that is in it.
type Patterns []string

// Keep tells which of the target's files a rewind leaves as they are.
type Keep struct {
	Patterns Patterns
	// Func, if not nil, tells more of them: it is asked about a path, and about the
	// directories that it lies in, unless it holds a cluster's data. It may be called by
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

// Match gives the first pattern that matches a path, or "".
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

// dataNames are what holds a cluster's data, at the top of its directory. None
// of it can be kept: together with the source's it would make no cluster.
var dataNames = map[string]bool{
	pgdata.VersionPath: true, pgdata.BackupLabelPath: true, "tablespace_map": true,
	"base": true, "global": true, "pg_clog": true, "pg_commit_ts": true, "pg_dynshmem": true, "pg_logical": true,
	"pg_multixact": true, "pg_notify": true, "pg_replslot": true, "pg_serial": true, "pg_snapshots": true, "pg_stat": true,
	"pg_stat_tmp": true, "pg_subtrans": true, pgdata.TablespaceRoot: true, "pg_twophase": true, "pg_wal": true,
	"pg_xact": true, "pg_xlog": true,
}

// Keepable reports whether a file of the target may be kept: it is of no cluster's data.
func Keepable(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return !dataNames[first]
}

// keeps reports whether a file stays as it is, or is not there and stays away.
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
