package source

import (
	"context"
	"errors"
	"hash"
	"iter"

	"github.com/gorewind/gorewind/pgdata"
)

// Hasher is a source that computes hashes where its files are, so that they can
// be compared with others without being moved.
type Hasher interface {
	Source
	// NewHash is the hash that the source computes. It is not always a strong one:
	// it finds differences, and proves nothing about a source that lies.
	NewHash() hash.Hash
	// Hash calls result for every range, in order and from one goroutine, with the
	// hash of the bytes that the source has of it. A sum is valid during the call
	// only. It is nil where the source cannot tell, because the file is gone, its
	// name is not text to the server, or the range is longer than MaxHash: such a
	// range is to be fetched. So is everything when the error wraps
	// errors.ErrUnsupported. An error of result ends the Hash.
	Hash(ctx context.Context, ranges iter.Seq[Range], result func(r Range, sum []byte) error) error
}

// MaxHash is the longest range, in bytes, of which every Hasher knows the hash.
const MaxHash = 16 << 20

// ErrWALNotHeld is wrapped where a source does not keep its WAL.
var ErrWALNotHeld = errors.New("the source does not hold its WAL")

// WALHolder is a source that can be made to keep its WAL for as long as it is
// copied.
type WALHolder interface {
	Source
	// HoldWAL keeps the source from removing WAL from the returned LSN on, the redo
	// point of its last checkpoint or restartpoint, until release is called. It must
	// be called once the source is no longer needed, and tells with an error whether
	// the WAL was not held all the time; calling it again changes nothing.
	//
	// The error wraps ErrWALNotHeld where the source cannot or may not hold WAL:
	// then what is needed of it can vanish, and is to be looked at again.
	HoldWAL(ctx context.Context) (from pgdata.LSN, release func() error, err error)
}

// SlotLister is a source that knows its replication slots.
type SlotLister interface {
	Source
	// Slots lists the replication slots that there are at the moment.
	Slots(ctx context.Context) ([]Slot, error)
}

// Slot is a replication slot.
type Slot struct {
	Name     string
	Physical bool // a standby can use it as its primary_slot_name
	Active   bool // somebody uses it
	// Restart is from where it keeps WAL; zero where it keeps none.
	Restart pgdata.LSN
}

// Namer is a source that knows the names of what its files belong to. All names
// are as SQL takes them, in double quotes where it needs them.
type Namer interface {
	Source
	// RelationNames names relations by where their files are. What does not exist,
	// or lies in a database to which no connection can be made, is missing.
	RelationNames(ctx context.Context, locators []pgdata.RelFileLocator) (map[pgdata.RelFileLocator]RelationName, error)
	// DatabaseNames names the databases by their OIDs.
	DatabaseNames(ctx context.Context) (map[uint32]string, error)
	// TablespaceNames names the tablespaces by their OIDs.
	TablespaceNames(ctx context.Context) (map[uint32]string, error)
}

// RelationName says what a relation is called and what it is.
type RelationName struct {
	Database string // empty for a relation that all databases share
	Schema   string // of the relation, or of the table that it belongs to
	Name     string
	Kind     RelationKind
	Table    string // the table that an index or a toast table belongs to, or empty
}

// RelationKind is a kind of relation that has files.
type RelationKind string

// The kinds of relations (relkind, catalog/pg_class.h).
const (
	Table            RelationKind = "table"
	Index            RelationKind = "index"
	Sequence         RelationKind = "sequence"
	MaterializedView RelationKind = "materialized view"
	ToastTable       RelationKind = "toast table" // holds the long values of a table
	ToastIndex       RelationKind = "toast index" // the index of a toast table
)

// String is what people call the relation, without the database: "table
// public.t", "index public.t_pkey on public.t", "table public.t (toast)".
func (n RelationName) String() string {
	switch n.Kind {
	case Index:
		return "index " + n.Schema + "." + n.Name + " on " + n.Schema + "." + n.Table
	case ToastTable:
		return "table " + n.Schema + "." + n.Table + " (toast)"
	case ToastIndex:
		return "table " + n.Schema + "." + n.Table + " (index of toast)"
	}
	return string(n.Kind) + " " + n.Schema + "." + n.Name
}
