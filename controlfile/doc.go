// Package controlfile reads pg_control, the file with what a cluster must know
// before it can read anything else, and edits it in place. It supports
// the layouts of all supported majors.
package controlfile
