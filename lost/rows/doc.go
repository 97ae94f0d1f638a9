// Package rows finds the rows that are lost where two clusters diverged: what
// transactions that committed after the divergence inserted, updated and deleted, in
// the order in which they committed, with the old and the new row.
//
// A row is taken from the WAL if it is in the record, in a page image, or was put in
// its place by an earlier record. Otherwise it is taken from the target's page, if the
// transaction ID there shows that it is the same version. So a row is right, or it is
// not reported: then the change is still listed, with the reason.
//
// The WAL is read twice: in parallel to learn the outcome of the transactions, and in
// order to collect the changes of those that committed. The changes of a transaction
// are kept until its commit record is read: in memory, and beyond a limit in a file.
//
// Nothing but that file is written, and no server is started.
package rows

import (
	"time"

	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/pgdata"
)

// Op is what happened to a row.
type Op string

// The operations on rows.
const (
	Inserted Op = "insert"
	Updated  Op = "update"
	Deleted  Op = "delete"
)

// Change is a lost change of a row.
type Change struct {
	Table     *Table
	Op        Op
	XID       uint32     // the top-level transaction
	LSN       pgdata.LSN // of the record
	Committed time.Time  // by the server's clock, in UTC
	CommitLSN pgdata.LSN
	// New is the row as inserted or updated, Old as it was before. Both have as many
	// values as the table has columns. They are nil if there is no such row, or it is not
	// known.
	New, Old []Value
	// OldIsKey says that only the key columns of the old row are known (wal_level =
	// logical); the others are missing.
	OldIsKey bool
	// NewPlace and OldPlace are the places of the versions in the table's file.
	NewPlace, OldPlace heapwal.Place
	Why                string // why a row that must exist is not known; otherwise empty
}

// Value is the value of a column.
type Value struct {
	Text string // as the server writes it, in UTF-8
	Null bool
	// Missing says that the value is not known: it was in a TOAST table and is no longer
	// there, or only the key of the row is known.
	Missing bool
	// UnknownType is the name of a type whose values cannot be formatted. Text then has
	// the bytes, in the format of bytea.
	UnknownType string
	Escaped     bool // Text has bytes that are not valid text, written as \xNN
}

// Column is a column of a table that was not dropped.
type Column struct {
	Name string
	Type string // with its schema, unless that is pg_catalog
	Key  bool   // part of the primary key
	// Generated columns are computed from others. Virtual ones are computed when they are
	// read, and their values are missing here.
	Generated, Virtual bool
	AlwaysIdentity     bool // GENERATED ALWAYS AS IDENTITY
}

// Table is a table with lost rows.
type Table struct {
	Database string
	Schema   string
	Name     string
	OID      uint32
	Parent   string // schema and name of the table that it is a partition or child of, or empty
	Columns  []Column
	Key      []int // indexes of the primary key's columns, in key order; nil if there is no primary key
	// Passing tables were created and dropped again after the divergence.
	Passing bool

	// How many rows are lost, and for how many of these a row that must exist is not
	// known.
	Inserted, Updated, Deleted int64
	Unknown                    int64
	Escaped                    int64             // values with bytes that are not valid text
	UnknownTypes               map[string]string // by column
}

// What happened to a relation as a whole.
const (
	RelationCreated   = "created"
	RelationDropped   = "dropped"
	RelationRewritten = "rewritten" // VACUUM FULL, CLUSTER, ALTER TABLE: its rows were kept
	RelationEmptied   = "emptied"   // TRUNCATE, or a rewrite that kept no rows
)

// RelationEvent is what happened to a table, materialized view or view.
type RelationEvent struct {
	Database, Schema, Name string
	Kind                   string // table, view, …
	What                   string
	XID                    uint32 // transaction that last wrote its row in pg_class; zero if it was dropped
}

// Summary says what was found. It is complete when all changes were yielded.
type Summary struct {
	Tables []*Table // tables with lost rows, by database, schema and name
	Events []RelationEvent
	// Transactions is how many transactions committed after the divergence, RolledBack how
	// many were rolled back after they changed rows (including subtransactions), and Open
	// how many changed rows and never ended.
	Transactions, RolledBack, Open int
	// NotNamed is how many rows were changed in files whose tables are no longer in any
	// catalog.
	NotNamed int64
	// Incomplete says that some committed transactions began before the oldest available
	// WAL: what they did before that is not among the changes.
	Incomplete bool
	Unparsed   int // records with an unknown layout
}
