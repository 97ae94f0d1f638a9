// Package export writes lost rows to files that people and programs read: a directory
// for each database, in it a file for each table, or for SQL one file, and beside them
// summary.json, which follows [Schema], and README.txt.
//
// Whatever tables and columns are called, they name no file outside of the directory,
// end no quotation in SQL and steer no terminal. Files are for their owner only.
package export

import (
	"context"
	_ "embed"
	"fmt"
	"iter"
	"os"

	"github.com/gorewind/gorewind/lost/rows"
)

// Schema is the JSON schema of summary.json.
//
//go:embed summary.schema.json
var Schema []byte

// Format is how rows are written.
type Format string

// The formats.
const (
	CSV   Format = "csv"   // a line for each version of a row
	JSONL Format = "jsonl" // an object for each change
	SQL   Format = "sql"   // statements that do the same again
)

// ParseFormat understands the word for a format.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case CSV, JSONL, SQL:
		return f, nil
	}
	return "", fmt.Errorf("unrecognized format: %s (choose from: csv, jsonl, sql)", s)
}

// Options say where rows are written, and how.
type Options struct {
	Dir    *os.Root // empty
	Format Format
	// Limit is how many changes of a table are written; zero: all. All are counted.
	Limit int64
	Sync  bool // wait until all of it is on the disk
	// Lookup, if not nil, is asked what the server that took over has of each row.
	Lookup Lookup
	// About is what stands in the summary and in the files' headers.
	About About
}

// About is where the rows come from.
type About struct {
	Target     string `json:"target"`
	Divergence string `json:"divergence"` // LSN
	Timeline   uint32 `json:"timeline"`   // on which that lies
	EndOfWAL   string `json:"end_of_wal"`
	// NotShutDown is that the target was not shut down cleanly, and its WAL was taken
	// into account.
	NotShutDown bool `json:"not_shut_down,omitempty"`
}

// Write writes all changes, and returns what summary.json has. sum is asked when they
// have ended.
func Write(ctx context.Context, o Options, changes iter.Seq2[*rows.Change, error], sum func() rows.Summary) (*Summary, error) {
	w := newWriter(o)
	err := w.write(ctx, changes)
	if err == nil {
		err = notWritten(w.endSQL())
	}
	if closing := w.close(); err == nil {
		err = notWritten(closing)
	}
	if err != nil {
		return nil, err
	}
	s := w.summary(sum())
	if err := w.finish(s); err != nil {
		return nil, notWritten(err)
	}
	return s, nil
}

func notWritten(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("could not write lost rows: %w", err)
}
