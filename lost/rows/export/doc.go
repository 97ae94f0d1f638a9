// Package export writes lost rows to files for people and programs: a directory for
// each database with a file for each table (for SQL, one file for each database),
// summary.json, which follows [Schema], and README.txt.
//
// Whatever the names of tables and columns are, they cannot name a file outside the
// directory, end a quotation in SQL or control a terminal. Files are readable by their
// owner only.
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

// Format is the format in which rows are written.
type Format string

// The formats.
const (
	CSV   Format = "csv"   // a line for each version of a row
	JSONL Format = "jsonl" // an object for each change
	SQL   Format = "sql"   // statements that repeat the changes
)

// ParseFormat parses the name of a format.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case CSV, JSONL, SQL:
		return f, nil
	}
	return "", fmt.Errorf("unrecognized format: %s (choose from: csv, jsonl, sql)", s)
}

// Options says where to write rows, and how.
type Options struct {
	Dir    *os.Root // must be empty
	Format Format
	// Limit is the maximum number of changes to write for each table; zero: no limit. All
	// changes are counted.
	Limit int64
	Sync  bool // wait until everything is on disk
	// Lookup, if not nil, is used to compare each row with the server that took over.
	Lookup Lookup
	// About is written to the summary and to the files' headers.
	About About
}

// About says where the rows come from.
type About struct {
	Target     string `json:"target"`
	Divergence string `json:"divergence"` // LSN
	Timeline   uint32 `json:"timeline"`   // timeline of the divergence
	EndOfWAL   string `json:"end_of_wal"`
	// NotShutDown says that the target was not shut down cleanly, and that its WAL was
	// taken into account.
	NotShutDown bool `json:"not_shut_down,omitempty"`
}

// Write writes all changes, and returns what summary.json has. sum is called after the
// last change.
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
