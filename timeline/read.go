package timeline

import (
	"fmt"
	"path/filepath"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/regular"
	"github.com/gorewind/gorewind/pgdata"
)

// Read reads the history of the timeline that a data directory is on, according to its
// control file: History.Newest is that timeline. The control file of a standby that follows
// a new timeline does not show that before its next restartpoint.
func Read(dir string) (History, error) {
	c, err := controlfile.Read(dir)
	if err != nil {
		return nil, err
	}
	return ReadOf(dir, c.Version, c.Timeline())
}

// ReadOf reads the history of one of the timelines whose history files are in a data
// directory. Timeline 1 has none. The error wraps fs.ErrNotExist if there is no
// file, and a *ParseError if it is invalid.
func ReadOf(dir string, v *pgdata.Version, tli pgdata.TimelineID) (History, error) {
	if tli == 1 {
		return First(), nil
	}
	name := filepath.Join(dir, v.WALDir, pgdata.HistoryFileName(tli))
	b, err := regular.ReadFile(name, MaxSize)
	if err != nil {
		return nil, err
	}
	h, err := Parse(tli, b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Dir(name), err)
	}
	return h, nil
}
