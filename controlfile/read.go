package controlfile

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/gorewind/gorewind/internal/regular"
	"github.com/gorewind/gorewind/pgdata"
)

// A server may be writing its control file while it is read.
const (
	reads = 10
	pause = 10 * time.Millisecond
)

// Read reads the control file of a data directory, as pg_controldata does, and tries again
// if it was only partly written. The error wraps fs.ErrNotExist if the file does not exist;
// if the file is invalid it is an *Error.
func Read(dir string) (*Data, error) {
	name := filepath.Join(dir, filepath.FromSlash(pgdata.ControlFilePath))
	for n := 1; ; n++ {
		b, err := regular.ReadFile(name, Size)
		if err != nil {
			return nil, err
		}
		d, err := Parse(b)
		var e *Error
		if errors.As(err, &e) {
			e.File = name
		}
		if n == reads || !errors.Is(err, ErrCRC) {
			return d, err
		}
		time.Sleep(pause)
	}
}
