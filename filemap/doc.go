// Package filemap decides, from two listings and the blocks that the target
// changed on its own, what happens to every file. It does no I/O.
//
// The rules are pg_rewind's (src/bin/pg_rewind/filemap.c), those of its newest
// major for all majors: they are the ones that proved right, and each difference
// to an older one leaves alone what that one copied or lost needlessly.
package filemap
