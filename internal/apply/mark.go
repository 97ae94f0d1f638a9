package apply

import (
	"errors"
	"fmt"
	"io/fs"
)

// mark tells a staged file, wherever it was renamed to, from the one that it
// replaces: by its inode, or where the data directory was copied meanwhile by when
// it was last written to, which is never when a server wrote the other one.
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

// markStaged notes how the files of a journal that are renamed into place are
// told from all others, and makes sure that they are there.
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

// checkPlaced makes sure that a step's staged file, which is gone, has the name that it
// was to get. Of a configuration or a log nobody knows: people write to them, too.
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
