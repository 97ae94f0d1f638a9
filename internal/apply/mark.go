package apply

import (
	"errors"
	"fmt"
	"io/fs"
)

// mark identifies a staged file after it was renamed: by its inode or, if the data
// directory was copied meanwhile, by its modification time. A server never wrote
// the replaced file at that very time.
type mark struct {
	Inode   uint64 `json:"inode,omitempty"`
	ModTime int64  `json:"mtime_ns,omitempty"`
}

func markOf(info fs.FileInfo) mark { return mark{inode(info), info.ModTime().UnixNano()} }

// is reports whether a file has the mark.
func (m mark) is(info fs.FileInfo) bool {
	now := markOf(info)
	return m.Inode != 0 && m.Inode == now.Inode || m.ModTime == now.ModTime
}

// markStaged stores the marks of staged files in a journal, and makes sure that the
// files exist.
func (s *Staging) markStaged(j *Journal) error {
	for i := range j.Steps {
		step := &j.Steps[i]
		if step.Do != Replace {
			continue
		}
		staged := string(step.Staged)
		info, err := s.t.disk.Lstat(staged)
		if err != nil {
			return s.t.failed("stat", staged, err)
		}
		if !info.Mode().IsRegular() || info.Size() != step.Size {
			return s.t.failed("use", staged, ErrChanged)
		}
		step.Mark = markOf(info)
	}
	return nil
}

// checkPlaced makes sure that a step's staged file, which is gone, was renamed into
// place. It does not check configuration files and logs, because they may have been
// changed since.
func (t *Target) checkPlaced(s *Step) error {
	p := string(s.Path)
	if !isData(p) {
		return nil
	}
	info, err := t.disk.Lstat(p)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return t.failed("stat", p, err)
	case err != nil, !info.Mode().IsRegular(), info.Size() != s.Size, s.Mark != mark{} && !s.Mark.is(info):
		return t.lost(string(s.Staged), fmt.Errorf("it is gone, and %q is not what it was to become", t.Join(p)))
	}
	return nil
}
