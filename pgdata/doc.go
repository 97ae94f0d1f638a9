// Package pgdata is the vocabulary that the rest of gorewind shares: positions
// in the write-ahead log, timelines, relation files and blocks, file names, and
// the table of PostgreSQL majors. It does no I/O and imports nothing of ours.
package pgdata
