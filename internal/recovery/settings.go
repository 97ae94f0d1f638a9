package recovery

import "github.com/gorewind/gorewind/pgdata"

// setting is one of postgresql.conf, given on the command line, which wins.
type setting struct{ name, value string }

// keepAll is more WAL than there is, in segments and in MB, and no more than what
// the setting can be on any platform.
const keepAll = "2097151"

// settings are in force while the single-user server runs. A server does not start
// with one that it does not know.
//
// What is not here does no harm: a single-user server has no archiver, no
// checkpointer, no WAL receiver, no autovacuum, takes no connections, and without
// its signal files it runs no restore_command and heeds no recovery target.
// archive_mode must stay as it is: turned off, segments that wait to be archived
// would count as archived. So must shared_preload_libraries: WAL can be an
// extension's.
func settings(v *pgdata.Version, dir, configFile string, noSync bool) []setting {
	fsync := "on"
	if noSync {
		fsync = "off"
	}
	list := []setting{
		// In a configuration file this would win over -D, and lead to a cluster
		// that nobody meant.
		{"data_directory", dir},
		// The checkpoints at the end would remove the very WAL that tells what
		// the cluster changed since it diverged.
		{v.KeepWAL, keepAll},
		// pg_rewind turns it off, and syncs everything later. This may be the
		// only copy of what it holds, so a power cut must not damage it; and a
		// rewind relies on everything that it does not write being on disk.
		{"fsync", fsync},
		// Libraries of sessions have no part in recovery, and may be missing.
		{"session_preload_libraries", ""},
		{"local_preload_libraries", ""},
		// The pages may have been given to another server meanwhile.
		{"huge_pages", "try"},
		// What is read here, in a form that can be read, and nowhere else.
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
