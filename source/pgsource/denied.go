package pgsource

import (
	"errors"
	"io/fs"

	"github.com/jackc/pgx/v5/pgconn"
)

// deniedError says that the operating system does not let the server read a file. It is an
// fs.ErrPermission.
type deniedError struct{ error }

func (e *deniedError) Unwrap() []error { return []error{e.error, fs.ErrPermission} }

// denied tells what the system denies the server from what the server denies the role;
// both have the same code (errcode_for_file_access, utils/error/elog.c).
func denied(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42501" && (pg.File == "genfile.c" || pg.File == "fd.c") {
		return &deniedError{err}
	}
	return err
}
