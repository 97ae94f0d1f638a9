// Package conninfo handles connection strings as libpq does: it parses them,
// completes them from service files, the environment and
// libpq's own defaults, finds passwords in password files, and writes the settings
// as "pg_rewind -R" does. It does not connect.
//
// No error of this package contains a password, or anything that could be a part
// of one.
package conninfo
