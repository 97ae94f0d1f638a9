// Package rewindtest makes what tests of a rewinding program need: a pair of small data
// directories of any major that have diverged, without a server or a download.
//
// [New] makes such a pair. [Pair.Interrupt] leaves a committed rewind unfinished in it,
// as a crash does. [Pair.LoseWAL] removes WAL that a rewind needs. [Live] looks like a
// running server, and is a directory. [FailAt] makes a rewind fail when a phase begins,
// and [Live.Fail] when it asks the source for something. [Equal] compares the result.
//
// The directories are genuine as far as they go: control files, WAL, timeline history,
// transaction status and table pages are as a server of the major writes them, with
// checksums. pg_controldata, pg_waldump, pg_checksums and pg_rewind accept them. But
// they have no catalogs, so no server starts on them, and lost rows cannot be listed by
// name.
package rewindtest
