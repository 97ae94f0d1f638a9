// Package walreader reads PostgreSQL's write-ahead log: pages, records, and the
// blocks that records name. [Reader] reads record by record, [Scan] finds the
// last common checkpoint and all that a diverged cluster changed in one parallel
// pass, [Read] reads a stretch in the same way, each [Visitor] the records of a
// segment. [EndOfWAL] finds where WAL ends, [LastRecordEnd] where a record ends
// near a position, [FirstDifference] where two WALs part. What a record says of
// settings, transactions and files is told by methods of [Format] and [Record];
// each looks at the record's size before anything else. [ReadSummary] reads what a
// server wrote down of WAL that may be gone, [CoverSummaries] chooses such files.
//
// # Format
//
// WAL is one sequence of bytes, addressed by LSN and cut into segment files of 1
// MiB to 1 GiB and these into pages, usually of 8 KiB. A page starts with a header
// of 24 bytes, the first of a segment with one of 40 that also names the cluster
// and its sizes: xlp_magic (the major), xlp_info (flags), xlp_tli (timeline),
// xlp_pageaddr (its LSN), xlp_rem_len (how much of a record of earlier pages is
// still to come). Between the headers stand the records, each at a multiple of
// eight: a header of 24 bytes (length, transaction, start of the record before it,
// type, CRC), then headers of block references, then their page images and data,
// then main data. A record runs on over pages and segments; only its length is
// sure to stand on the first page. After an XLOG/SWITCH record the rest of the
// segment is padding.
//
// # Three answers
//
// Where no valid record can be read, the answer is one of three. The rule looks
// only at the place itself, so that it does not depend on what else was read:
//
//   - [ErrEndOfWAL], nothing was written here: the length is zero; or the page is
//     all zero, or old: valid, but for another segment, as in a recycled file (an
//     xlp_pageaddr that differs by whole segments), for an earlier page of this
//     one, with which a promotion fills up its first segment, or for a timeline
//     that was left (an xlp_tli that goes down). What follows a length of zero
//     does not matter: servers copy records into a page side by side, so a crash
//     can leave a hole before a record that is there.
//   - [ErrTornRecord], a record starts here, and the page that ought to continue
//     it was not written in the sense above. Or a server found that after a crash,
//     and abandoned the record: the page is flagged, and its first record,
//     XLOG/OVERWRITE_CONTRECORD, names the record that is void. Sequential reading
//     checks that and goes on there.
//   - [ErrCorrupt], all else: what stands here was written for this place, and the
//     page header, the length, resource manager, link to the previous record,
//     continuation or CRC is wrong.
//
// The end of WAL that a crash leaves is not always that clean: the last page may
// hold a record that was being copied when it was written out, or, after a loss
// of power, a mixture of old and new sectors. On a standby, which writes only what
// it receives, a recycled file's old content goes on in the middle of a page. A server's recovery takes every
// invalid record for the end. This package says ErrCorrupt, because the same bytes
// are what damage leaves: whoever must read the WAL of a cluster that was not shut
// down lets its server recover first, or asks [EndOfWAL], which takes it for the end as
// the server does.
//
// A segment that does not exist is none of the three: the error of
// [Segments.OpenSegment] is passed on.
//
// Lengths are never trusted with memory: a record's buffer grows with the
// continuation pages that were found, each of which repeats how much is to come.
package walreader
