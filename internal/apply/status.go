package apply

import (
	"errors"
	"io/fs"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/poison"
)

// Status is the state of a directory.
type Status struct {
	Name      string
	Control   *controlfile.Data
	Journal   *Journal // of a rewind that was committed but not completed
	Staged    bool     // there is a staging area
	Bytes     int64    // in the staging area
	Rewound   bool     // a rewind was completed, and no server has run since
	Locked    bool     // a gorewind is working on it
	ServerPID int
}

// Inspect finds out the status of a directory without changing it.
func Inspect(name string) (*Status, error) {
	d, err := datadir.Open(name)
	if err != nil {
		return nil, accessError(err)
	}
	t := newTarget(d)
	defer func() { _ = t.Close() }()
	s := &Status{Name: d.Name()}
	if s.ServerPID, err = t.ServerPID(); err != nil {
		return nil, err
	}
	lock, taken, err := t.takeLock()
	if err != nil {
		return nil, err
	}
	if s.Locked = !taken; taken {
		closeAll(lock)
	}
	if _, s.Control, err = t.readControl(); err != nil {
		return nil, err
	}
	if s.Journal, err = t.Journal(); err != nil {
		return nil, err
	}
	if s.Staged, err = t.findStagingDir(stagingDir); err != nil {
		return nil, err
	}
	if s.Staged {
		if s.Bytes, err = t.stagedBytes(); err != nil {
			return nil, err
		}
	}
	if !poison.Is(s.Control) {
		s.Rewound, err = t.rewound(s.Control)
	}
	return s, err
}

// stagedBytes is the size of the staging areas.
func (t *Target) stagedBytes() (int64, error) {
	areas, err := t.areasLeft()
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, a := range append(areas, Area{Dir: stagingDir}) {
		if t.mapTablespace(a) != nil || t.Enclose(string(a.Dir)) != nil {
			continue
		}
		entries, err := t.disk.ReadDir(string(a.Dir))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return 0, t.failed("read directory", string(a.Dir), err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				sum += info.Size()
			}
		}
	}
	return sum, nil
}
