// Package archive gets WAL files from where a server archives them, by its
// restore_command, as the server itself does (access/transam/xlogarchive.c) and
// pg_rewind --restore-target-wal (fe_utils/archive.c), but with more patience, and
// hands files over by its archive_command. A function can take restore_command's place.
package archive
