// Package ownfiles says how the files are called that gorewind has in a data directory
// while it works, for those who make them and those who must leave them alone.
package ownfiles

// Prefix begins the names of those files. Base backups, pg_checksums and pg_rewind skip
// such names.
const Prefix = "pgsql_tmp_gorewind"
