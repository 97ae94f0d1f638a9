package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/timeline"
	"github.com/gorewind/gorewind/walreader"
)

// sides is what is known of the two clusters before they are compared.
type sides struct{ target, source Side }

// Limits on the number of newer timelines that are looked for in a row, and on the
// total size of their histories in bytes.
const (
	maxTimelines = 10_000
	maxHistories = 8 << 20
)

// sides finds each cluster's timeline and end of WAL. The control file only gives a
// lower bound, since it is written late.
func (a *analyzer) sides(ctx context.Context, s sides) (sides, error) {
	var err error
	if s.source, err = a.sourceSide(ctx, s.source); err != nil {
		return s, err
	}
	a.logHistory(ctx, "Source timeline history:", s.source.History)
	if s.target, err = a.targetSide(ctx, s.target); err != nil {
		return s, err
	}
	a.logHistory(ctx, "Target timeline history:", s.target.History)
	return s, nil
}

// filesLow returns the checkpoint before whose redo point all changes are in the files.
// Only a primary that was shut down has written everything in its WAL to its files. A
// standby has not, even if it was stopped cleanly: stopping makes no restartpoint if no
// checkpoint was replayed since the last one.
func filesLow(c *controlfile.Data) walreader.Checkpoint {
	own := c.CheckPointCopy
	return walreader.Checkpoint{LSN: c.CheckPoint, Redo: own.Redo, TLI: own.ThisTimeLineID, PrevTLI: own.PrevTimeLineID, FullPageWrites: own.FullPageWrites}
}

// targetSide reads the target's own WAL to its end, as a server started there would.
// All that such a server would replay on its own counts as part of the target.
func (a *analyzer) targetSide(ctx context.Context, s Side) (Side, error) {
	histories, err := a.histories(a.target.ReadFile, s.Control, "target")
	if err != nil {
		return s, err
	}
	s.FilesLow = filesLow(s.Control)
	if crashed(s.Control) {
		histories = histories[len(histories)-1:] // crash recovery stays on its timeline
	}
	wal := a.targetWAL(histories[0]).ofAny()
	wal.archive, wal.archived = a.archive, a.geo.SegNo(s.Control.CheckPoint)
	end, history, err := a.endOfOwnWAL(ctx, s.Control, histories, wal)
	if damage := (*damagedEndError)(nil); errors.As(err, &damage) {
		return s, a.unreadable(damage.Unwrap())
	}
	switch {
	case err != nil && isMissing(err): // fork decides whether this matters
		s.unread = a.unreadable(err)
		end, history = s.Control.CheckPoint, histories[len(histories)-1]
	case err != nil:
		return s, err
	}
	s.History, s.Timeline = history, history.Newest()
	s.EndOfWAL = max(end, s.Control.MinRecoveryPoint)
	return s, nil
}

// crashed reports whether a server would begin with crash recovery, on the WAL that the
// directory has: a primary that was not shut down, as opposed to a standby.
func crashed(c *controlfile.Data) bool {
	return !c.ShutDownCleanly() && c.State != controlfile.InArchiveRecovery
}

// damagedEndError says that the WAL of a crashed server continues after its end.
// Recovery would stop there, and leave pages that were changed by WAL after that.
type damagedEndError struct{ err error }

func (e *damagedEndError) Error() string { return e.err.Error() }
func (e *damagedEndError) Unwrap() error { return e.err }

// endOfOwnWAL reads from the last checkpoint to the end, and determines which history
// the WAL follows. A newer timeline than the control file's counts as soon as WAL goes
// past its beginning in a file of that timeline.
func (a *analyzer) endOfOwnWAL(ctx context.Context, c *controlfile.Data, histories []timeline.History, wal tracingWAL) (pgdata.LSN, timeline.History, error) {
	end, err := walreader.EndOfWAL(ctx, wal, a.format, c.CheckPoint)
	if err != nil {
		return 0, nil, err
	}
	if crashed(c) {
		if err := walreader.CheckNothingBehind(ctx, wal, a.format, end); err != nil {
			return 0, nil, &damagedEndError{err}
		}
	}
	tli := max(wal.openedAs(a.geo.SegNo(end.LSN-1)), c.Timeline())
	newest := histories[0]
	for i := len(newest) - 1; i > 0; i-- {
		if e := newest[i]; e.TLI <= tli && (e.Begin < end.LSN || e.TLI <= c.Timeline()) {
			h := slices.Clone(newest[:i+1])
			h[i].End = 0
			return end.LSN, h, nil
		}
	}
	return end.LSN, timeline.History{{TLI: newest[0].TLI}}, nil
}

// histories returns the histories that a cluster may be on, newest first: that of its
// control file, and those of newer timelines that continue from there and whose files
// it has. A server looks for them in the same way (findNewestTimeLine, timeline.c).
func (a *analyzer) histories(read func(string) ([]byte, error), c *controlfile.Data, what string) ([]timeline.History, error) {
	tli := c.Timeline()
	own, err := readHistory(a.version, tli, read)
	if err != nil {
		return nil, withHistory(err, tli, what)
	}
	list := []timeline.History{own}
	size := 0
	counted := func(p string) ([]byte, error) {
		b, err := read(p)
		if size += len(b); size > maxHistories {
			return nil, fmt.Errorf("the histories of the timelines from %d on have more than %d bytes, which is impossible: "+
				"remove the files *.history from the %s's WAL directory that do not belong there", tli+1, maxHistories, what)
		}
		return b, err
	}
	for next := tli + 1; next < tli+maxTimelines; next++ {
		h, err := readHistory(a.version, next, counted)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return list, nil
		case err != nil:
			return nil, withHistory(err, next, what)
		case continuesFrom(h, c):
			list = append([]timeline.History{h}, list...)
		}
	}
	return list, nil
}

// continuesFrom reports whether a history continues from where a control file says that its
// cluster is.
func continuesFrom(h timeline.History, c *controlfile.Data) bool {
	for _, e := range h {
		if e.TLI == c.Timeline() {
			return e.End == 0 || e.End > c.CheckPoint && e.End >= c.MinRecoveryPoint
		}
	}
	return false
}

func readHistory(v *pgdata.Version, tli pgdata.TimelineID, read func(string) ([]byte, error)) (timeline.History, error) {
	if tli == 1 {
		return timeline.Parse(tli, nil)
	}
	p := v.WALPath(pgdata.HistoryFileName(tli))
	b, err := read(p)
	if err != nil {
		return nil, err
	}
	h, err := timeline.Parse(tli, b)
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", p, err)
	}
	return h, nil
}

// sourceSide takes from a running server what its control file shows too late or not at
// all.
func (a *analyzer) sourceSide(ctx context.Context, s Side) (Side, error) {
	s.FilesLow = filesLow(s.Control)
	if err := a.checkWALEnd(s); err != nil {
		return s, err
	}
	read := func(p string) ([]byte, error) { return a.source.ReadFile(ctx, p) }
	if s.State.Live && !s.State.InRecovery {
		s.Timeline, s.EndOfWAL = max(s.Control.Timeline(), s.State.Timeline), s.State.FlushLSN
		h, err := readHistory(a.version, s.Timeline, read)
		if err != nil {
			return s, withHistory(err, s.Timeline, "source")
		}
		s.History = h
		return s, nil
	}
	histories, err := a.histories(read, s.Control, "source")
	if err != nil {
		return s, err
	}
	if s.State.Live {
		return a.standbySide(ctx, s, histories)
	}
	end, history, err := a.endOfOwnWAL(ctx, s.Control, histories, a.sourceWAL(histories[0]).ofAny())
	switch {
	case err != nil && isMissing(err): // only what its control file says is certain
		end, history = s.Control.CheckPoint, histories[len(histories)-1]
	case err != nil:
		return s, fmt.Errorf("source %s: %w", a.source, err)
	}
	s.History, s.Timeline = history, history.Newest()
	s.EndOfWAL = max(end, s.Control.MinRecoveryPoint)
	return s, nil
}

// standbySide finds which timeline a running standby is on. Having the history of a
// newer timeline is not enough: it is on that timeline if it has WAL of that timeline
// at its position. A standby that reads an archive has no such file for either
// timeline; then only what is before the switch is certain.
func (a *analyzer) standbySide(ctx context.Context, s Side, histories []timeline.History) (Side, error) {
	s.EndOfWAL = max(s.State.WALEnd(), s.Control.MinRecoveryPoint)
	for i, h := range histories {
		s.History, s.Timeline = h, h.Newest()
		if i == len(histories)-1 {
			break
		}
		begin := h[len(h)-1].Begin
		if s.EndOfWAL <= begin {
			continue
		}
		newer, err := a.hasPage(ctx, h, s.EndOfWAL)
		if newer || err != nil {
			return s, err
		}
		older, err := a.hasPage(ctx, histories[i+1], s.EndOfWAL)
		if err != nil {
			return s, err
		}
		if !older {
			s.EndOfWAL = begin
		}
	}
	return s, nil
}

// hasPage reports whether the source has the page with the last byte before an LSN, in
// a file of the history's own timeline.
func (a *analyzer) hasPage(ctx context.Context, h timeline.History, l pgdata.LSN) (bool, error) {
	_, err := walreader.PageTimeline(ctx, a.sourceWAL(timeline.History{{TLI: h.Newest()}}), a.format, a.geo.PageStart(l-1))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !isDamage(err) {
		return false, err
	}
	return err == nil, nil
}

func (a *analyzer) logHistory(ctx context.Context, title string, h timeline.History) {
	a.log.DebugContext(ctx, title, "timeline", h.Newest())
	for i, line := range h.Lines(a.lsn) {
		a.log.DebugContext(ctx, line, "timeline", h[i].TLI)
	}
}

// timelineAt returns the timeline of the last byte before an LSN.
func timelineAt(h timeline.History, l pgdata.LSN) pgdata.TimelineID {
	for i := len(h) - 1; i > 0; i-- {
		if h[i].Begin < l {
			return h[i].TLI
		}
	}
	return h[0].TLI
}

// No cluster has come near these limits. At ten gigabytes a second, a cluster reaches
// the first in three years, and the second, which limits WAL without a checkpoint, in a
// day.
const (
	maxLSN             pgdata.LSN = 1 << 60
	maxSinceCheckpoint pgdata.LSN = 1 << 50
)

// checkPositions refuses a control file of the source with implausible LSNs. Loops over
// WAL rely on it.
func (a *analyzer) checkPositions(c *controlfile.Data) error {
	switch at := c.CheckPointCopy.Redo; {
	case max(c.CheckPoint, c.MinRecoveryPoint) >= maxLSN:
		return a.implausible("its control file has the checkpoint %s and the minimum recovery point %s", c.CheckPoint, c.MinRecoveryPoint)
	case at > c.CheckPoint || uint64(at) < uint64(c.Geometry.WALSegSize): // WAL starts with segment 1
		return a.implausible("its control file has the checkpoint %s with redo at %s", c.CheckPoint, at)
	}
	return nil
}

// checkWALEnd is checkPositions for what a running source reports.
func (a *analyzer) checkWALEnd(s Side) error {
	if !s.State.Live {
		return nil
	}
	last := s.Control.CheckPoint
	switch end := s.State.WALEnd(); {
	case end >= maxLSN || end > last && end-last > maxSinceCheckpoint:
		return a.implausible("it has WAL up to %s, and its last checkpoint at %s", end, last)
	case !s.State.InRecovery && s.State.FlushLSN <= last:
		return a.implausible("it has WAL up to %s, and its last checkpoint at %s, which is later", s.State.FlushLSN, last)
	}
	return nil
}

func (a *analyzer) implausible(what string, x, y pgdata.LSN) error {
	return fmt.Errorf("the source %s says that "+what+", which is impossible: %w", a.source, a.lsn(x), a.lsn(y), ErrSourceUntrusted)
}
