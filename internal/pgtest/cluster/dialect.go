package cluster

import (
	"fmt"
	"maps"
)

// dialect is what this harness must know about a major besides pgdata.Version: a
// row of the table below applies from its server_version_num / 100 on.
type dialect struct {
	since       int
	walSegSize  bool                           // initdb --wal-segsize
	groupAccess bool                           // initdb --allow-group-access
	noChecksums []string                       // initdb options for a cluster without checksums
	checksums   []string                       // and with
	keepWAL     func(mb, segmentMB int) string // a line for postgresql.conf
	switchWAL   string
	insertLSN   string // insert position of a primary
	replayLSN   string // of a standby

	// settings are for postgresql.conf, in addition to those of every major.
	settings map[string]string

	pauseReplay, resumeReplay string
	reloadConnInfo            bool // primary_conninfo is read again at a reload
	loggedHash                bool // hash indexes are in WAL
	summaries                 bool // summarize_wal
	saysReady                 bool // postmaster.pid shows the state of the server
}

var dialects = func() []dialect {
	d96 := dialect{
		since:     906,
		checksums: []string{"--data-checksums"},
		keepWAL:   func(mb, seg int) string { return fmt.Sprintf("wal_keep_segments = %d", (mb+seg-1)/seg) },
		switchWAL: "pg_switch_xlog",
		insertLSN: "pg_current_xlog_insert_location",
		replayLSN: "pg_last_xlog_replay_location",

		pauseReplay: "pg_xlog_replay_pause", resumeReplay: "pg_xlog_replay_resume",
	}
	d10 := d96
	d10.since, d10.switchWAL, d10.insertLSN, d10.replayLSN = 1000, "pg_switch_wal", "pg_current_wal_insert_lsn", "pg_last_wal_replay_lsn"
	d10.pauseReplay, d10.resumeReplay = "pg_wal_replay_pause", "pg_wal_replay_resume"
	d10.loggedHash, d10.saysReady = true, true
	// No test has subscriptions, and most of the cost of starting a server is its processes.
	d10.settings = map[string]string{"max_logical_replication_workers": "0"}
	d11 := d10
	d11.since, d11.walSegSize, d11.groupAccess = 1100, true, true
	d12 := d11
	// New segments are holes, which cost nothing to write, read and copy.
	d12.since, d12.settings = 1200, with(d10.settings, "wal_init_zero", "off")
	d13 := d12
	d13.since, d13.keepWAL = 1300, func(mb, _ int) string { return fmt.Sprintf("wal_keep_size = %d", mb) }
	d13.reloadConnInfo = true
	d17 := d13
	d17.since, d17.summaries = 1700, true
	d18 := d17
	d18.since, d18.noChecksums = 1800, []string{"--no-data-checksums"}
	d18.settings = with(d17.settings, "io_method", "sync") // no processes that read ahead
	return []dialect{d96, d10, d11, d12, d13, d17, d18}
}()

func with(settings map[string]string, name, value string) map[string]string {
	more := maps.Clone(settings)
	more[name] = value
	return more
}

func (in *Installation) dialect() dialect {
	var found dialect
	for _, d := range dialects {
		if d.since <= in.Version.ServerNum {
			found = d
		}
	}
	return found
}

// CanChooseWALSegSize reports whether Options.WALSegSizeMB works; before 11 the
// size is compiled in.
func (in *Installation) CanChooseWALSegSize() bool { return in.dialect().walSegSize }

// CanGroupAccess reports whether Options.GroupAccess works: from 11.
func (in *Installation) CanGroupAccess() bool { return in.dialect().groupAccess }

// SummarizesWAL reports whether summarize_wal exists: from 17.
func (in *Installation) SummarizesWAL() bool { return in.dialect().summaries }

// SegSizeOr16 is size, in MB, if WAL segments can have it, and otherwise 16.
func (in *Installation) SegSizeOr16(size int) int {
	if in.CanChooseWALSegSize() {
		return size
	}
	return 16
}

// LogsHashIndexes reports whether hash indexes are in WAL: from 10.
func (in *Installation) LogsHashIndexes() bool { return in.dialect().loggedHash }
