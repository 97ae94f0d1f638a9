// Package pgconf reads a server's configuration files as the server does at its
// start, and writes the settings that make a server a standby.
//
// # Format
//
// Configuration consists of lines of "name = value" or "name value", and comments from #
// on (utils/misc/guc-file.l). Names are not case-sensitive and have at most one
// dot. A value is a word, a number with or without a unit, or quoted. Between
// quotes, two quotes are one; a backslash makes \b \f \n \r \t or an octal
// number, and otherwise makes the next character literal. The server refuses to start
// with any other line, and such a line is an error here. The meaning of names and values is
// not checked: only a server knows all of them.
//
// "include", "include_if_exists" and "include_dir" read other files in their
// place, relative to the file that names them. If a name is set several times the
// last value wins, and postgresql.auto.conf of the data directory, where ALTER
// SYSTEM writes, is read last. Up to 11, the settings of a standby are in a separate
// file, recovery.conf.
package pgconf
