// Package lost reports what is in the WAL after the point where two clusters diverged,
// in terms that mean something to the person who loses it: transactions, relations,
// databases, tablespaces. A [Visitor] collects it from the records that a
// [walreader.Scan] reads. A record that should say something but has an unknown layout
// is counted, and is not an error.
package lost

import (
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// Lost is what the records from the divergence point on contain: what a rewind
// discards. Every list in it has at most 10000 entries, however much WAL there is.
type Lost struct {
	Records int64
	Bytes   int64 // of these records, without page headers

	// Committed counts transactions without their subtransactions (commit and COMMIT
	// PREPARED records). Aborted counts transactions that were rolled back after they
	// wrote something; the WAL does not distinguish these from subtransactions that were
	// rolled back. Prepared counts transactions that were prepared for two-phase commit,
	// whatever their outcome.
	Committed, Aborted, Prepared int

	// StillPrepared lists the transactions that were prepared after the divergence point
	// and neither committed nor rolled back before the end, in WAL order.
	StillPrepared List[Prepared]

	// FirstCommit and LastCommit are the first and last commits in the WAL; zero if
	// nothing was committed.
	FirstCommit, LastCommit Commit

	// CommittedIn counts committed transactions by the OID of their database, if the
	// record has it: with wal_level = logical all records do, otherwise those of
	// transactions that changed catalogs.
	CommittedIn map[uint32]int

	// Blocks counts, for every relation, the different blocks of its main fork that were
	// changed.
	Blocks map[pgdata.RelFileLocator]int64

	// Rows counts, for every relation, the rows that committed transactions changed. It
	// includes catalogs and TOAST tables.
	Rows map[pgdata.RelFileLocator]RowCounts

	// The relations that were created, dropped and truncated, by their files, in WAL
	// order. They include indexes and TOAST tables; TRUNCATE and everything that rewrites
	// a table creates a relation and drops one. Created includes relations that were
	// dropped again after the divergence point, and those of transactions that never
	// ended. It leaves out those that were rolled back or copied with a database's
	// catalogs. Truncated has the relations that became shorter, for example by VACUUM.
	// Dropped does not list relations that were dropped with their database.
	Created, Dropped, Truncated List[pgdata.RelFileLocator]

	CreatedDatabases, DroppedDatabases []uint32 // their OIDs, in the order of WAL
	CreatedTablespaces                 []Tablespace
	DroppedTablespaces                 []uint32 // their OIDs, in the order of WAL

	Messages int // messages of pg_logical_emit_message

	// Unparsed counts records that should say something of the above but have a layout
	// that this package does not know. Their checksums are right and they affect only this
	// report, so they are not errors. What is certain is still counted, for example that a
	// record commits a transaction; nothing is guessed.
	Unparsed int
}

// Commit is the end of a committed transaction.
type Commit struct {
	LSN  pgdata.LSN // where its record starts
	XID  uint32     // top-level transaction
	Time time.Time  // when it was committed, by the server's clock, in UTC
}

// Prepared is a transaction that was prepared for two-phase commit.
type Prepared struct {
	LSN      pgdata.LSN // where its record starts
	XID      uint32
	Database uint32    // its OID
	Time     time.Time // when it was prepared, by the server's clock, in UTC
	GID      string    // as in PREPARE TRANSACTION; not necessarily UTF-8
}

// Tablespace is a tablespace that was created.
type Tablespace struct {
	OID      uint32
	Location string // empty if it is in the data directory; not necessarily UTF-8
}

// List is a list of bounded length.
type List[T any] struct {
	List []T // the first entries
	More int // how many entries the list leaves out
}

// maxListed bounds lists, since otherwise the WAL would decide their length.
const maxListed = 10_000

func (l *List[T]) add(e T) {
	if len(l.List) < maxListed {
		l.List = append(l.List, e)
	} else {
		l.More++
	}
}

// prepend puts earlier entries before the list.
func (l *List[T]) prepend(earlier List[T]) {
	if len(earlier.List) == 0 {
		return
	}
	all := len(earlier.List) + earlier.More + len(l.List) + l.More
	l.List = prepend(l.List, earlier.List)
	l.More = all - len(l.List)
}

func prepend[T any](list, earlier []T) []T {
	if len(earlier) == 0 {
		return list
	}
	return append(earlier, list[:min(len(list), maxListed-len(earlier))]...)
}
