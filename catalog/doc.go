// Package catalog reads a cluster's system catalogs from its files, without a server:
// which relations there are, their columns, types, primary keys and parents, and values
// stored in TOAST tables.
//
// Only the columns of pg_attribute must be known in advance, for each major
// ([layouts]): it describes all other catalogs, and itself. The files of the catalogs
// that every server needs first are found by relation maps (pg_filenode.map).
//
// Nothing is written, and nothing is locked: the server must not be running.
package catalog
