// Package decide decides, from two listings and the blocks that the target changed on
// its own, what happens to every file: it makes a filemap.Plan. It does no I/O.
//
// The rules are pg_rewind's (src/bin/pg_rewind/filemap.c): those of its newest
// major for all majors. They have proved right, and where an older major differs, it
// needlessly copied or lost files that are left alone here.
package decide
