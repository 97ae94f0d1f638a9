package controlfile

import "errors"

// Errors about a control file, for [errors.Is].
var (
	// ErrSize: the file is not [Size] bytes long.
	ErrSize = errors.New("unexpected control file size")
	// ErrCRC: the checksum does not match. A file read while its server runs
	// can be torn: read it again before reporting this.
	ErrCRC = errors.New("unexpected control file CRC")
	// ErrPlatform: the cluster was created by a program for another kind of
	// machine, whose files this package cannot read.
	ErrPlatform = errors.New("control file of another platform")
)

// Error says why a control file cannot be used. It wraps one of the sentinels
// of this package, a *pgdata.UnsupportedVersionError, or the error of
// [pgdata.Geometry.Validate].
type Error struct {
	File string // set by the caller, who knows where the bytes came from
	Msg  string // in pg_rewind's words, if it has a message for it
	Hint string // what to do
	Err  error
}

func (e *Error) Error() string {
	s := e.Msg
	if e.File != "" {
		s = e.File + ": " + s
	}
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }
