// Package rewindtest makes what tests of a program need that rewinds: a pair of small
// data directories of any major that have parted, without a server or a download.
//
// [New] makes such a pair. [Pair.Interrupt] leaves a committed rewind unfinished in it,
// as a crash does; [Pair.LoseWAL] takes away what a rewind needs. [Live] looks like a
// running server, and is a directory. [FailAt] lets a rewind fail when a phase begins,
// [Live.Fail] when the source is asked for something. [Equal] compares the result.
//
// The directories are honest as far as they go: control files, WAL, timeline history,
// transaction status and pages of tables are as a server of the major writes them, with
// their checksums. pg_controldata, pg_waldump, pg_checksums and pg_rewind take them for
// what they seem to be. But they have no catalogs, so that no server starts on them, and no
// lost rows can be told by name.
package rewindtest
