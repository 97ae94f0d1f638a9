// Package controlfile reads pg_control, the file in which a cluster keeps what
// it must know before it can read anything else, and edits it in place. It knows
// the layout of every supported major.
package controlfile
