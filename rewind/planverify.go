package rewind

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/internal/pgconf"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// verify refuses a plan that no analysis makes. The plan was in a file, so nothing in
// it can be trusted. verify checks that it can be carried out, that it only names files
// that a rewind may change, and that its parts are consistent.
func (p *Plan) verify() error {
	t, s := p.Target.Control, p.Source.Control
	switch {
	case t == nil || s == nil:
		return errors.New("it has no control files")
	case p.Version == nil || p.Version != t.Version || s.Version != t.Version || s.Geometry != t.Geometry || s.SystemIdentifier != t.SystemIdentifier:
		return errors.New("its control files are of two clusters")
	case p.Evidence != report.ByWAL && p.Evidence != report.ByChanges && p.Evidence != report.ByComparison:
		return errors.New("it has no evidence")
	case p.Resumes || p.Again:
		return errors.New("it is what is left of another rewind")
	}
	if err := p.verifyPositions(); err != nil {
		return err
	}
	if !p.Required {
		return nil
	}
	if err := p.verifyHistories(); err != nil {
		return err
	}
	if p.Files == nil {
		return errors.New("it has no list of files")
	}
	if err := decide.Verify(p.Files, p.Version, t.Geometry); err != nil {
		return err
	}
	return p.verifyNames()
}

// verifyEarlier refuses what no rewind in place left in its journal.
func (p *Plan) verifyEarlier() error {
	if p.Target.Control == nil || p.Source.Control == nil || p.Version == nil {
		return errors.New("it has no control files")
	}
	if err := p.verifyPositions(); err != nil {
		return err
	}
	if err := p.verifyHistories(); err != nil {
		return err
	}
	return p.verifyNames()
}

func (p *Plan) verifyHistories() error {
	for _, side := range []struct {
		what string
		Side
	}{{"target", p.Target}, {"source", p.Source}} {
		if side.what == "target" && p.Evidence != report.ByWAL && len(side.History) == 0 {
			continue // it may have no readable one
		}
		if err := verifyHistory(side.History, side.Timeline); err != nil {
			return fmt.Errorf("the timelines of the %s: %w", side.what, err)
		}
	}
	return nil
}

// verifyPositions checks that positions in WAL are plausible.
func (p *Plan) verifyPositions() error {
	lsns := []pgdata.LSN{p.Divergence, p.ConsistentAt, p.Target.EndOfWAL, p.Source.EndOfWAL}
	for _, c := range []walreader.Checkpoint{p.Checkpoint, p.Start, p.Target.FilesLow, p.Source.FilesLow} {
		if c.Redo > c.LSN {
			return fmt.Errorf("a checkpoint at %s cannot begin at %s", c.LSN, c.Redo)
		}
		lsns = append(lsns, c.LSN)
	}
	for _, at := range p.Prepared {
		lsns = append(lsns, at)
	}
	for _, at := range lsns {
		if at > maxLSN {
			return fmt.Errorf("no WAL reaches %s", at)
		}
	}
	if p.Required && (p.Start.Redo == 0 || p.Start.TLI == 0 || p.Evidence == report.ByWAL && (p.Divergence == 0 || p.DivergenceTimeline == 0)) {
		return errors.New("it does not say where recovery starts")
	}
	return nil
}

// verifyHistory checks that a history is valid and leads to a timeline.
func verifyHistory(h timeline.History, newest pgdata.TimelineID) error {
	if len(h) == 0 || h.Newest() != newest {
		return fmt.Errorf("they do not lead to timeline %d", newest)
	}
	for i, e := range h {
		switch {
		case e.TLI == 0, i > 0 && e.TLI <= h[i-1].TLI, i > 0 && e.Begin != h[i-1].End:
			return fmt.Errorf("timeline %d does not come from the one before", e.TLI)
		case e.Begin > maxLSN, e.End > maxLSN:
			return fmt.Errorf("timeline %d goes beyond all WAL", e.TLI)
		}
	}
	if h[0].Begin != 0 || h[len(h)-1].End != 0 {
		return errors.New("they do not start with the first timeline and continue without gaps")
	}
	return nil
}

// verifyNames checks that everything used as a file name is a name of its kind.
func (p *Plan) verifyNames() error {
	geo := p.Target.Control.Geometry
	isSegment := func(name string) bool { _, _, ok := geo.ParseWALFileName(name); return ok }
	for _, w := range p.NeededWAL {
		if !isSegment(w.Name) || !slices.Contains([]report.Origin{report.OnTarget, report.OnSource, report.InArchive}, w.Origin) {
			return fmt.Errorf("recovery cannot read %.200q from %.200q", w.Name, w.Origin)
		}
	}
	if p.Files != nil {
		for i := range p.Files.Entries {
			e := &p.Files.Entries[i]
			if e.Action == filemap.Restore && !slices.Contains(p.NeededWAL, NeededWAL{path.Base(e.Path), report.InArchive}) {
				return fmt.Errorf("%.200q comes from the archive, and recovery does not need it", e.Path)
			}
		}
	}
	for _, name := range p.Unarchived {
		if !isSegment(name) {
			return fmt.Errorf("%.200q is not a WAL segment that may still have to be archived", name)
		}
	}
	for _, name := range p.Kept {
		if name != path.Clean(name) || !filepath.IsLocal(filepath.FromSlash(name)) || !decide.Keepable(name) {
			return fmt.Errorf("%.200q is not a file that can be kept", name)
		}
	}
	for name := range p.carried.Suspect {
		if name != path.Clean(name) || !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("%.200q is not a file of a cluster", name)
		}
	}
	for name := range p.carried.Recovery {
		if name != pgconf.RecoveryFile && name != pgconf.RecoveryDoneFile {
			return fmt.Errorf("%.200q is not a file that makes a server a standby", name)
		}
	}
	for name, blocks := range p.Damaged {
		if blocks == nil || name != path.Clean(name) || !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("%.200q is not a file of a cluster that can be damaged", name)
		}
	}
	for segment, blocks := range p.carried.Changed.Blocks {
		if blocks == nil {
			return fmt.Errorf("it does not say which blocks of file %q changed", segment.Path(p.Version))
		}
	}
	return nil
}
