// Package rows tells which rows are lost where two clusters parted: what the
// transactions that committed behind the divergence inserted, updated and deleted, in
// the order in which they committed, with the old and the new row.
//
// A row comes from the WAL, where it is in the record, in a page image, or was put
// where it is by an earlier record; else from the target's pages, if the transaction
// that is noted there says that it is the same version. So a row is right, or it is
// not told: then the change is still listed, with the reason.
//
// The WAL is read twice: in parallel to learn what became of the transactions, and in
// order to collect what those did that committed. What a transaction did is kept until
// its commit record comes, in memory, and beyond a limit in a file.
//
// Nothing is written but that file, and no server is started.
package rows

import (
	"time"

	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/pgdata"
)

// Op is what happened to a row.
type Op string

// What happens to rows.
const (
	Inserted Op = "insert"
	Updated  Op = "update"
	Deleted  Op = "delete"
)

// Change is a row that is lost.
type Change struct {
	Table     *Table
	Op        Op
	XID       uint32     // the transaction; not the subtransaction
	LSN       pgdata.LSN // of the record
	Committed time.Time  // by the server's clock, in UTC
	CommitLSN pgdata.LSN
	// New is the row as it was inserted or updated to, Old as it was before, both with
	// as many values as the table has columns; nil where there is none, or none that is
	// known.
	New, Old []Value
	// OldIsKey is that of the old row only the columns of its key are known
	// (wal_level = logical); the others are missing.
	OldIsKey bool
	// NewPlace and OldPlace are where the versions are in the table's file.
	NewPlace, OldPlace heapwal.Place
	Why                string // why a row that there must be is not known; else empty
}

// Value is what a column holds.
type Value struct {
	Text string // as the server writes it, in UTF-8
	Null bool
	// Missing is that it is not known: it lies in a TOAST table and is not there any
	// more, or the row is known by its key only.
	Missing bool
	// UnknownType is the name of a type whose values are not known: Text are its bytes,
	// as those of a bytea.
	UnknownType string
	Escaped     bool // Text has bytes that are no text, as \xNN
}

// Column is a column of a table that was not dropped.
type Column struct {
	Name string
	Type string // with its schema, but for pg_catalog
	Key  bool   // of the primary key
	// Generated columns are computed from others. Virtual ones are so when they are read,
	// and their values are missing.
	Generated, Virtual bool
	AlwaysIdentity     bool // GENERATED ALWAYS AS IDENTITY
}

// Table is a table of which rows are lost.
type Table struct {
	Database string
	Schema   string
	Name     string
	OID      uint32
	Parent   string // what it is a partition or a child of: schema and name; or empty
	Columns  []Column
	Key      []int // the columns of its primary key, in its order; nil if there is none
	// Passing tables were created and dropped behind the divergence.
	Passing bool

	// How many rows are lost, and of how many of these one that there must be is not
	// known.
	Inserted, Updated, Deleted int64
	Unknown                    int64
	Escaped                    int64             // values with bytes that are no text
	UnknownTypes               map[string]string // by columns
}

// What happened to a relation as a whole.
const (
	RelationCreated   = "created"
	RelationDropped   = "dropped"
	RelationRewritten = "rewritten" // VACUUM FULL, CLUSTER, ALTER TABLE: with its rows
	RelationEmptied   = "emptied"   // TRUNCATE, or a rewrite without rows
)

// RelationEvent is what happened to a table, materialized view or view.
type RelationEvent struct {
	Database, Schema, Name string
	Kind                   string // table, view, …
	What                   string
	XID                    uint32 // that wrote its row in pg_class last; zero if it was dropped
}

// Summary is what was found, when all changes were told.
type Summary struct {
	Tables []*Table // those of which rows are lost, by database, schema and name
	Events []RelationEvent
	// Transactions is how many committed behind the divergence, RolledBack how many
	// were rolled back after they changed rows (subtransactions among them), Open how
	// many changed rows and never ended.
	Transactions, RolledBack, Open int
	// NotNamed is how many rows were changed in files of which no catalog tells any
	// more whose they were.
	NotNamed int64
	// Incomplete is that transactions committed which began before the oldest WAL that
	// is there: what they did before it is not among the changes.
	Incomplete bool
	Unparsed   int // records that are not laid out as is known
}
