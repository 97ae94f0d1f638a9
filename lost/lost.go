// Package lost tells what stands in WAL behind the point where two clusters
// parted, in terms that mean something to whoever loses it: transactions,
// relations, databases, tablespaces. A [Visitor] collects it from the records that
// a [walreader.Scan] reads. A record that ought to say something, and is not laid
// out as is known, is counted, and no error.
package lost

import (
	"time"

	"github.com/gorewind/gorewind/pgdata"
)

// Lost is what stands in the records from the divergence point on: what a rewind
// throws away. Every list in it has at most 10000 entries, however much WAL
// there is.
type Lost struct {
	Records int64
	Bytes   int64 // of these records, without page headers

	// Committed counts transactions, but not their subtransactions (commit and
	// COMMIT PREPARED records). Aborted counts those that were rolled back after
	// they wrote something; the WAL does not tell them from subtransactions that
	// were. Prepared counts transactions that were prepared for a commit in two
	// phases, whatever became of them.
	Committed, Aborted, Prepared int

	// StillPrepared are those that were prepared behind the divergence point and
	// neither committed nor rolled back before the end, in the order of WAL.
	StillPrepared List[Prepared]

	// FirstCommit and LastCommit are the first and the last in the WAL; zero
	// where nothing was committed.
	FirstCommit, LastCommit Commit

	// CommittedIn counts committed transactions by the OID of their database,
	// where the record tells it: with wal_level = logical all do, else those that
	// changed catalogs.
	CommittedIn map[uint32]int

	// Blocks counts, for every relation, the different blocks of its main fork
	// that were changed.
	Blocks map[pgdata.RelFileLocator]int64

	// Rows counts, for every relation, rows that committed transactions changed; of
	// catalogs and TOAST tables, too.
	Rows map[pgdata.RelFileLocator]RowCounts

	// Relations by where their files are, in the order of WAL. These are indexes
	// and TOAST tables too; TRUNCATE and everything that rewrites a table creates
	// a relation and drops one. Created are also those that were dropped again
	// behind the divergence point and those of transactions that never ended, but
	// not those that were rolled back or copied with a database's catalogs. Truncated are those that became shorter, as by
	// VACUUM. Relations that go with their database are not among the dropped.
	Created, Dropped, Truncated List[pgdata.RelFileLocator]

	CreatedDatabases, DroppedDatabases []uint32 // their OIDs, in the order of WAL
	CreatedTablespaces                 []Tablespace
	DroppedTablespaces                 []uint32 // their OIDs, in the order of WAL

	Messages int // of pg_logical_emit_message

	// Unparsed counts records that ought to say some of the above, and that are
	// not laid out as this package knows it. Their checksums are right and they
	// concern this report only, so they are no errors: what is certain of them is
	// counted, such as that they commit a transaction, and nothing is guessed.
	Unparsed int
}

// Commit is the end of a committed transaction.
type Commit struct {
	LSN  pgdata.LSN // where its record starts
	XID  uint32     // of the top-level transaction
	Time time.Time  // when it was committed, by the server's clock, in UTC
}

// Prepared is a transaction that was prepared for a commit in two phases.
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
	Location string // empty if it lies in the data directory; not necessarily UTF-8
}

// List is a list of bounded length.
type List[T any] struct {
	List []T // the first ones
	More int // how many the list does not have
}

// maxListed bounds lists, whose length the WAL would decide.
const maxListed = 10_000

func (l *List[T]) add(e T) {
	if len(l.List) < maxListed {
		l.List = append(l.List, e)
	} else {
		l.More++
	}
}

// prepend puts earlier ones before it.
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
