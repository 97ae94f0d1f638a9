// Package archive retrieves WAL files from a server's archive with its
// restore_command, as the server itself does (access/transam/xlogarchive.c) and
// pg_rewind --restore-target-wal (fe_utils/archive.c), but with more attempts, and
// archives files with its archive_command. A function can replace restore_command.
package archive
