package apply

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/internal/poison"
	"github.com/gorewind/gorewind/pgdata"
)

// maxRecords is more than any cluster has blocks.
const maxRecords = 1 << 45

func isInside(p string) bool {
	return p != "." && p == path.Clean(p) && filepath.IsLocal(filepath.FromSlash(p)) && !strings.ContainsRune(p, 0)
}

// check refuses a journal that cannot be carried out: paths that lead out of the
// target, steps that are in each other's way, staging areas under links that no step
// makes, invalid control files. It is called before the commit, when the rewind can
// still be given up, and whenever a journal is read.
func (j *Journal) check() error {
	if len(j.Areas) == 0 || j.Records < 0 || j.Records > maxRecords {
		return fmt.Errorf("it has %d staging areas and %d pieces", len(j.Areas), j.Records)
	}
	control, err := controlfile.Parse(j.Control)
	if err != nil {
		return fmt.Errorf("the original control file: %w", err)
	}
	if err := j.checkNewControl(control); err != nil {
		return err
	}
	c := feasibility{j: j, steps: make(map[name]int, len(j.Steps)), staged: map[name]bool{}}
	for i := range j.Steps {
		if err := c.add(i); err != nil {
			return stepError(&j.Steps[i], err)
		}
	}
	for i := range j.Steps {
		if err := c.checkWay(i); err != nil {
			return stepError(&j.Steps[i], err)
		}
	}
	for i, a := range j.Areas {
		if err := c.checkArea(i, areaName(control.SystemIdentifier)); err != nil {
			return fmt.Errorf("staging area %q: %w", a.Dir, err)
		}
	}
	for _, f := range j.Files {
		if err := c.checkLast(f.Path); err != nil {
			return fmt.Errorf("file %q, which is written last: %w", f.Path, err)
		}
	}
	return nil
}

func stepError(s *Step, err error) error { return fmt.Errorf("step %s of %q: %w", s.Do, s.Path, err) }

// checkNewControl makes sure that the rewind ends with a valid control file of this
// cluster.
func (j *Journal) checkNewControl(old *controlfile.Data) error {
	if j.InPlace {
		return nil // the next run makes a new one
	}
	data, err := controlfile.Parse(j.NewControl)
	switch {
	case err != nil:
		return fmt.Errorf("the new control file: %w", err)
	case poison.Is(data) || data.SystemIdentifier != old.SystemIdentifier:
		return errors.New("the new control file is not one of this cluster")
	}
	return nil
}

// feasibility is what is known about the steps of a journal.
type feasibility struct {
	j      *Journal
	steps  map[name]int // by their paths
	staged map[name]bool
}

// add checks a step by itself.
func (c *feasibility) add(i int) error {
	s := &c.j.Steps[i]
	if s.Area < 0 || s.Area >= len(c.j.Areas) || s.Size < 0 || !isInside(string(s.Path)) {
		return errors.New("it is impossible")
	}
	if s.Path == pgdata.ControlFilePath || s.Path == pgdata.VersionPath && s.Do != Replace {
		return errors.New("no rewind does that to this file")
	}
	if c.inStaging(string(s.Path)) {
		return errors.New("it is in a staging area")
	}
	if _, twice := c.steps[s.Path]; twice {
		return errors.New("there are two for the same path")
	}
	switch s.Do {
	case Symlink:
		if err := decide.CheckLink(string(s.Link)); err != nil {
			return err
		}
	case Replace:
		if !c.inStaging(string(s.Staged)) || !isInside(string(s.Staged)) || c.staged[s.Staged] {
			return fmt.Errorf("%q is not a staged file", s.Staged)
		}
		c.staged[s.Staged] = true
	case Mkdir, Write, Truncate, Remove:
	default:
		return errors.New("there is no such step")
	}
	c.steps[s.Path] = i
	return nil
}

// inStaging reports whether a path is or leads into a staging area.
func (c *feasibility) inStaging(p string) bool {
	for _, a := range c.j.Areas {
		if rest, ok := strings.CutPrefix(p, string(a.Dir)); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// checkWay makes sure that all parent directories of a path exist when the step is
// done, and are kept if the step makes something.
func (c *feasibility) checkWay(i int) error {
	s := &c.j.Steps[i]
	for dir := path.Dir(string(s.Path)); dir != "."; dir = path.Dir(dir) {
		above, known := c.steps[name(dir)]
		if !known {
			continue
		}
		switch do := c.j.Steps[above].Do; {
		case do == Remove && s.Do == Remove:
		case do == Mkdir && above < i, do == Symlink && above < i && datadir.IsLinkPoint(dir):
		case (do == Mkdir || do == Symlink && datadir.IsLinkPoint(dir)) && s.Do != Mkdir && s.Do != Symlink:
		default:
			return fmt.Errorf("that of %q is in its way", dir)
		}
	}
	return nil
}

func (c *feasibility) checkArea(i int, own string) error {
	a := c.j.Areas[i]
	if i == 0 {
		if a.Dir != stagingDir || a.Link != "" {
			return errors.New("it is not the one in the data directory")
		}
		return nil
	}
	if !isInside(string(a.Dir)) || path.Base(string(a.Dir)) != own {
		return errors.New("its name is not one of this cluster's")
	}
	var link name
	if at, made := c.steps[name(path.Dir(string(a.Dir)))]; made && c.j.Steps[at].Do == Symlink {
		link = c.j.Steps[at].Link
	}
	if link != a.Link {
		return fmt.Errorf("it is under a link to %q that no step makes", a.Link)
	}
	return nil
}

// checkLast makes sure that no step makes a directory where a file belongs.
func (c *feasibility) checkLast(p string) error {
	if !isInside(p) || p == pgdata.ControlFilePath || c.inStaging(p) {
		return errors.New("it is impossible")
	}
	for dir := p; dir != "."; dir = path.Dir(dir) { // a link would be replaced
		if at, known := c.steps[name(dir)]; known {
			if do := c.j.Steps[at].Do; dir == p && do == Mkdir || dir != p && do != Mkdir {
				return fmt.Errorf("step %s of %q is in its way", do, dir)
			}
		}
	}
	return nil
}
