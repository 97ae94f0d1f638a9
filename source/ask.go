package source

import (
	"context"
	"errors"
)

// ErrNoSuchTable is wrapped if the source has no table with that name, columns and
// primary key.
var ErrNoSuchTable = errors.New("no such table")

// KeyedTable is a table of a source and the columns to read.
type KeyedTable struct {
	Database, Schema, Name string
	Columns                []string
	Key                    []int // the indexes of the primary key's columns
}

// RowFinder is a source that can look up rows: a running server.
type RowFinder interface {
	// RowsByKey looks rows up by primary keys, each of which has as many values as the
	// table's key. For each key it returns the row's values as text, nil for a null, or
	// nil if there is no such row. Nothing is written, and no table is scanned.
	RowsByKey(ctx context.Context, t KeyedTable, keys [][]string) ([][]*string, error)
}
