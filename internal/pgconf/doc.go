// Package pgconf reads a server's configuration files as the server does at its
// start, and writes the settings that make a server a standby.
//
// # Format
//
// Configuration is lines of "name = value" or "name value", and comments from #
// on (utils/misc/guc-file.l). Names are not case-sensitive and have at most one
// dot. A value is a word, a number with or without a unit, or quoted: between
// quotes, two quotes are one, and a backslash makes \b \f \n \r \t, an octal
// number, or takes the next character as it is. A line that is none of that makes
// the server refuse to start, and is an error here. What names and values mean is
// not checked: only a server knows all of them.
//
// "include", "include_if_exists" and "include_dir" read other files in their
// place, relative to the file that names them. Of several settings of a name the
// last one wins, and postgresql.auto.conf of the data directory, where ALTER
// SYSTEM writes, is read last. Up to 11, what a standby needs stands in a file of
// its own, recovery.conf.
package pgconf
