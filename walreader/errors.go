package walreader

import (
	"errors"
	"fmt"

	"github.com/gorewind/gorewind/pgdata"
)

// The three answers to "why is there no record here?"; see the package comment
// for the rule. Each is wrapped in an [*Error].
var (
	// ErrEndOfWAL: nothing was written at this position.
	ErrEndOfWAL = errors.New("end of WAL")
	// ErrTornRecord: a record starts here, but its continuation was never
	// written, or what was written was abandoned and overwritten.
	ErrTornRecord = errors.New("torn WAL record")
	// ErrCorrupt: something was written here and is not valid, or no record
	// can start at the position.
	ErrCorrupt = errors.New("corrupt WAL")
)

// Error says where and why a record could not be read.
type Error struct {
	LSN    pgdata.LSN // start of the record that was wanted
	File   string     // name of the faulty segment; empty if it could not be opened
	Offset int64      // bytes from the start of File
	Reason string     // in PostgreSQL's words, if it has a message for it
	Err    error      // one of the three above, or the error of opening or reading a segment

	version  *pgdata.Version
	previous bool // the record was wanted because a later one points back to it
}

func (e *Error) Error() string {
	what := "could not read WAL record at"
	if e.previous {
		what = "could not find previous WAL record at"
	}
	return fmt.Sprintf("%s %s: %s", what, formatLSN(e.version, e.LSN), e.Reason)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// BoundaryError says that the divergence point or the end of a scan
// is not between two records, so it does not belong to this WAL.
type BoundaryError struct {
	Fork     bool       // the divergence point; otherwise the end
	At       pgdata.LSN // the given position
	Expected pgdata.LSN // the next boundary in the WAL

	version *pgdata.Version
}

func (e *BoundaryError) Error() string {
	at, expected := formatLSN(e.version, e.At), formatLSN(e.version, e.Expected)
	if e.Fork {
		return fmt.Sprintf("no WAL record starts at the divergence point %s; expected %s", at, expected)
	}
	return fmt.Sprintf("end pointer %s is not a valid end point; expected %s", at, expected)
}

func formatLSN(v *pgdata.Version, l pgdata.LSN) string {
	if v == nil {
		return l.String()
	}
	return v.FormatLSN(l)
}
