// Package walreader reads PostgreSQL's write-ahead log: pages, records, and the
// blocks that records name. [Reader] reads record by record, [Scan] finds the
// last common checkpoint and all that a diverged cluster changed in one parallel
// pass, [Read] reads a stretch in the same way. A [Visitor] sees the records of a
// segment. [EndOfWAL] finds the end of WAL, [LastRecordEnd] the end of a record
// near a position, [FirstDifference] where two WALs diverge. What a record contains about
// settings, transactions and files is returned by methods of [Format] and [Record];
// each checks the record's size first. [ReadSummary] reads a server's summary
// of WAL that may be gone, [CoverSummaries] chooses such files.
//
// # Format
//
// WAL is one sequence of bytes, addressed by LSN and divided into segment files of 1
// MiB to 1 GiB, and these into pages, usually of 8 KiB. A page starts with a header
// of 24 bytes, the first of a segment with one of 40 that also identifies the cluster
// and its sizes: xlp_magic (the major), xlp_info (flags), xlp_tli (timeline),
// xlp_pageaddr (its LSN), xlp_rem_len (how many bytes of a record from earlier pages are
// still to come). Between the headers are the records, each aligned to eight
// bytes: a header of 24 bytes (length, transaction, start of the record before it,
// type, CRC), then headers of block references, then their page images and data,
// then main data. A record continues across pages and segments; only its length is
// certain to be on the first page. After an XLOG/SWITCH record the rest of the
// segment is padding.
//
// # Three answers
//
// If no valid record can be read, there are three possible answers. The rule considers
// only the position itself, so the answer does not depend on what else was read:
//
//   - [ErrEndOfWAL], nothing was written here: the length is zero; or the page is
//     all zeros, or old: valid, but for another segment, as in a recycled file (an
//     xlp_pageaddr that differs by whole segments), for an earlier page of this
//     segment, with which a promotion fills its first segment, or for an abandoned
//     timeline (an xlp_tli that decreases). What follows a length of zero
//     does not matter: servers copy records into a page concurrently, so a crash
//     can leave a hole before a complete record.
//   - [ErrTornRecord], a record starts here, and the page that should continue
//     it was not written in the above sense. Or a server found that after a crash,
//     and abandoned the record: the page is flagged, and its first record,
//     XLOG/OVERWRITE_CONTRECORD, names the abandoned record. Sequential reading
//     checks that and continues there.
//   - [ErrCorrupt], everything else: the data was written for this position, and the
//     page header, the length, resource manager, link to the previous record,
//     continuation or CRC is wrong.
//
// The end of WAL after a crash is not always that clean: the last page may
// contain a record that was still being copied when the page was written, or, after a
// power failure, a mixture of old and new sectors. On a standby, which writes only what
// it receives, the old content of a recycled file continues in the middle of a page. A
// server's recovery treats every invalid record as the end. This package returns
// ErrCorrupt, because damage leaves the same bytes. To read the WAL of a cluster that was
// not shut down, let its server recover first, or use [EndOfWAL], which treats it as the
// end as the server does.
//
// A segment that does not exist is none of the three: the error of
// [Segments.OpenSegment] is passed on.
//
// Memory is never allocated from an unverified length: a record's buffer grows with the
// continuation pages that were found, each of which repeats the remaining length.
package walreader
