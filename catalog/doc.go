// Package catalog reads a cluster's system catalogs from its files, without a
// server: which relations there are, their columns, types, primary keys and
// parents, and the values that lie in TOAST tables.
//
// Only of pg_attribute the columns must be known, for each major ([layouts]): it
// describes all others, and itself. The files of the catalogs that every server
// needs first are found by relation maps (pg_filenode.map).
//
// Nothing is written, and nothing is locked: the server must not run.
package catalog
