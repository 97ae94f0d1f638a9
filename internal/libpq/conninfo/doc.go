// Package conninfo understands connection strings as libpq does: it takes them
// apart, fills in what they leave open from service files, the environment and
// libpq's own defaults, finds passwords in password files, and writes them again
// as "pg_rewind -R" does. It connects to nothing.
//
// No error of this package holds a password, nor anything that could be a part
// of one.
package conninfo
