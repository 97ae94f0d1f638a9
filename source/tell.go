package source

import (
	"context"
	"errors"
	"hash"
	"iter"

	"github.com/gorewind/gorewind/pgdata"
)

// Hasher is a source that can compute hashes where its files are, so that they can
// be compared without being transferred.
type Hasher interface {
	Source
	// NewHash returns the hash that the source computes. It may be a weak one:
	// it finds differences, but proves nothing about a malicious source.
	NewHash() hash.Hash
	// Hash calls result for every range, in order and from one goroutine, with the
	// hash of the source's bytes in the range. sum is valid only during the call. It is
	// nil if the source cannot compute it: because the file is gone, because the server
	// does not accept its name as text, or because the range is longer than MaxHash. Such
	// a range must be fetched. If the error wraps errors.ErrUnsupported, everything must
	// be fetched. An error of result ends Hash.
	Hash(ctx context.Context, ranges iter.Seq[Range], result func(r Range, sum []byte) error) error
}

// MaxHash is the longest range, in bytes, that every Hasher can hash.
const MaxHash = 16 << 20

// ErrWALNotHeld is wrapped if a source cannot be made to keep its WAL.
var ErrWALNotHeld = errors.New("the source does not hold its WAL")

// WALHolder is a source that can be made to keep its WAL while it is
// copied.
type WALHolder interface {
	Source
	// HoldWAL prevents the source from removing WAL from the returned LSN on, the redo
	// point of its last checkpoint or restartpoint, until release is called. release must
	// be called once the source is no longer needed. It returns an error if the WAL was
	// not held all the time; further calls have no effect.
	//
	// The error wraps ErrWALNotHeld if the source cannot or may not hold WAL. Then
	// WAL that is needed can be removed at any time, and must be checked again.
	HoldWAL(ctx context.Context) (from pgdata.LSN, release func() error, err error)
}

// SlotLister is a source that can list its replication slots.
type SlotLister interface {
	Source
	// Slots lists the current replication slots.
	Slots(ctx context.Context) ([]Slot, error)
}

// Slot is a replication slot.
type Slot struct {
	Name     string
	Physical bool // a standby can use it as its primary_slot_name
	Active   bool // it is in use
	// Restart is the LSN from which it keeps WAL; zero if it keeps none.
	Restart pgdata.LSN
}

// Namer is a source that can name what its files belong to. All names
// are written as in SQL, in double quotes if necessary.
type Namer interface {
	Source
	// RelationNames names relations by their files. The result lacks relations that do
	// not exist, and those in databases that do not accept connections.
	RelationNames(ctx context.Context, locators []pgdata.RelFileLocator) (map[pgdata.RelFileLocator]RelationName, error)
	// DatabaseNames names the databases by OID.
	DatabaseNames(ctx context.Context) (map[uint32]string, error)
	// TablespaceNames names the tablespaces by OID.
	TablespaceNames(ctx context.Context) (map[uint32]string, error)
}

// RelationName is the name and kind of a relation.
type RelationName struct {
	Database string // empty for a shared relation
	Schema   string // the schema of the relation, or of the table that it belongs to
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

// String is how people name the relation, without the database: "table
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
