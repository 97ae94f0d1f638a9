package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/gorewind/gorewind/filemap"
)

// checkCommittable makes sure that what is committed can be carried out (invariant I2). Right
// before the commit it looks once more at the places of all steps, and does in the
// staging area what a file system may refuse: links of any text, and names that no
// server has made here before. What fails here fails where it does no harm.
func (s *Staging) checkCommittable(ctx context.Context, j *Journal) error {
	if err := j.check(); err != nil {
		return fmt.Errorf("the rewind could not be carried out to its end, so it was not begun: %w", err)
	}
	return s.t.trySteps(ctx, s.areas, j)
}

// checkCommittable is the same for a rewind in place, whose files that are copied are there
// or are made.
func (c *InPlace) checkCommittable(ctx context.Context) error {
	j := &Journal{InPlace: true, Steps: c.steps(c.areas)}
	for i := range j.Steps {
		s := &j.Steps[i]
		if f := c.files[string(s.Path)]; f != nil && s.Do == Write && f.entry.Action == filemap.Copy {
			s.Do = Replace
		}
	}
	return c.t.trySteps(ctx, c.areas, j)
}

// trySteps looks at the places of all steps, and makes in the staging area what is new.
func (t *Target) trySteps(ctx context.Context, areas *areaMap, j *Journal) error {
	if err := t.checkSteps(ctx, j); err != nil {
		return err
	}
	byParent := map[string][]*Step{}
	for i := range j.Steps {
		if s := &j.Steps[i]; s.Do == Symlink || (s.Do == Mkdir || s.Do == Replace) && !isOrdinary(path.Base(string(s.Path))) {
			dir := path.Dir(string(s.Path))
			byParent[dir] = append(byParent[dir], s)
		}
	}
	for dir, steps := range byParent {
		if err := ctx.Err(); err != nil {
			return err
		}
		in := stagingDir
		if !j.InPlace {
			area, err := areas.find(dir)
			if err != nil {
				return err
			}
			in = string(areas.areas[area].Dir)
		}
		if err := t.tryToMake(in+"/precommit", steps); err != nil {
			return err
		}
	}
	return nil
}

// isOrdinary tells a name as servers give them, which every file system takes.
func isOrdinary(base string) bool {
	return len(base) <= 64 && strings.Trim(base, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-") == ""
}

// tryToMake makes, in a directory of its own in the staging area, what steps make in
// one directory of the target, and removes it again.
func (t *Target) tryToMake(dir string, steps []*Step) error {
	if err := t.dropArea(dir); err != nil { // of one in place that was interrupted
		return err
	}
	if err := t.mkdirExact(dir, 0o700); err != nil {
		return err
	}
	for _, s := range steps {
		if err := t.tryToMakeOne(path.Join(dir, path.Base(string(s.Path))), s); err != nil {
			return fmt.Errorf("%q can not be made here: %w", t.Join(string(s.Path)), err)
		}
	}
	return t.dropArea(dir)
}

func (t *Target) tryToMakeOne(p string, s *Step) error {
	if _, err := t.disk.Lstat(p); err == nil {
		return errors.New("this file system takes its name for that of another file which the source has")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return t.failed("stat", p, err)
	}
	switch s.Do {
	case Symlink:
		return t.symlink(string(s.Link), p)
	case Mkdir:
		return t.mkdirExact(p, 0o700)
	}
	f, err := t.disk.Open(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return t.failed("create", p, err)
	}
	return nil
}
