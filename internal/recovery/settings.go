package recovery

import "github.com/gorewind/gorewind/pgdata"

// setting is a setting on the command line, which overrides postgresql.conf.
type setting struct{ name, value string }

// keepAll is more WAL than exists, in segments and in MB, and a valid value of
// the setting on every platform.
const keepAll = "2097151"

// settings are in force while the single-user server runs. A server does not start
// with an unknown setting.
//
// Other settings do no harm: a single-user server has no archiver, no
// checkpointer, no WAL receiver and no autovacuum, and accepts no connections. Without
// its signal files it runs no restore_command and ignores recovery targets.
// archive_mode must not be changed: if it were off, segments that wait to be archived
// would count as archived. Nor may shared_preload_libraries: WAL records can belong to
// an extension.
func settings(v *pgdata.Version, dir, configFile string, noSync bool) []setting {
	fsync := "on"
	if noSync {
		fsync = "off"
	}
	list := []setting{
		// In a configuration file this would override -D, and lead to another
		// cluster.
		{"data_directory", dir},
		// The checkpoints at the end would remove the very WAL that shows what
		// the cluster changed since it diverged.
		{v.KeepWAL, keepAll},
		// pg_rewind turns it off, and syncs everything later. This may be the only
		// copy of the data, so a power failure must not damage it; and a
		// rewind relies on everything that it does not write being on disk.
		{"fsync", fsync},
		// Session libraries are not needed for recovery, and may be missing.
		{"session_preload_libraries", ""},
		{"local_preload_libraries", ""},
		// The huge pages may have been taken by another server.
		{"huge_pages", "try"},
		// Messages must have a form that can be parsed here, and go nowhere else.
		{"lc_messages", "C"},
		{"log_min_messages", "warning"},
		{"log_line_prefix", ""},
		{"log_destination", "stderr"},
	}
	if configFile != "" {
		list = append([]setting{{"config_file", configFile}}, list...)
	}
	return list
}
