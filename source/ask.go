package source

import (
	"context"
	"errors"
)

// ErrNoSuchTable is wrapped where the source has no table of that name, columns and
// primary key.
var ErrNoSuchTable = errors.New("no such table")

// KeyedTable is a table of a source, and what is asked of its rows.
type KeyedTable struct {
	Database, Schema, Name string
	Columns                []string
	Key                    []int // which of these are its primary key
}

// RowFinder is a source that can be asked for rows: a running server.
type RowFinder interface {
	// RowsByKey looks rows up by primary keys, each of which has as many values as the
	// table's key. For each key it returns the row's values as text, nil for a null, or
	// nil if there is no such row. Nothing is written, and no table is read from end to
	// end.
	RowsByKey(ctx context.Context, t KeyedTable, keys [][]string) ([][]*string, error)
}
