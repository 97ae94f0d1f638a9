package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
)

// NeededWAL is a WAL segment that the rewound server's recovery reads before it
// takes connections.
type NeededWAL struct {
	Name   string
	Origin report.Origin
}

// CannotStartError says that the rewound server could not start: recovery would
// need WAL that is nowhere.
type CannotStartError struct {
	Missing  []string // names of segments; where there are many, the first ones
	From, To string   // what recovery reads, as LSNs
	// MayBeArchived is what it is in MissingWALError.
	MayBeArchived bool
}

func (e *CannotStartError) Error() string {
	names := e.Missing
	more := ""
	if len(names) > maxMissing {
		more = " and more"
		names = names[:maxMissing]
	}
	return fmt.Sprintf("the rewound server could not start: its recovery from %s to %s needs WAL that neither side has: %s%s",
		e.From, e.To, strings.Join(names, ", "), more)
}

// maxMissing is how many segments a message names, and how many are looked for in
// vain before it is said: every one of them takes restore_command some attempts.
const maxMissing = 5

// errNotReplayed is the error of a segment that recovery will not find.
var errNotReplayed = fmt.Errorf("recovery will not read it: %w", fs.ErrNotExist)

// recoveryReads finds all WAL that recovery will read, up to where the source is
// now. What neither side has is brought back from the archive.
func (w *walTableBuilder) recoveryReads(ctx context.Context) (err error) {
	p, geo := w.plan, w.a.geo
	from, to := p.Start.Redo, p.ConsistentAt
	begun := p.Again || w.a.opts.startOrNot // it goes on, startable or not
	var missing []string
	restored := 0
	last := geo.SegNo(max(to, from+1) - 1)
	for s := geo.SegNo(from); s <= last; s++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(missing) > maxMissing && (!begun || s >= w.fork) {
			break // the target has nothing of what follows
		}
		name := geo.WALFileName(p.Source.History.TimelineOf(geo, s), s)
		at := NeededWAL{name, report.Missing}
		segment, onSource := w.table.segments[name]
		switch {
		case segment.Common || !onSource && w.keeps(name, s):
			at.Origin, segment.Keep = report.OnTarget, true
		case onSource && segment.Written > 0:
			at.Origin = report.OnSource
		case w.keeps(name, s): // and the source has something recycled there
			at.Origin, segment.Keep = report.OnTarget, true
		default:
			at.Origin, err = w.a.fromArchive(ctx, name)
			if err == nil && at.Origin == report.InArchive {
				if segment.Restored = int64(geo.WALSegSize); restored == 0 {
					// It has what is needed, so it is worth while to ask for the rest.
					err = w.a.anyArchive().checkRoom(ctx, w.inNeitherListing(s, last))
				}
				restored++
			}
			if err != nil {
				return err
			}
		}
		if at.Origin == report.Missing {
			missing = append(missing, name)
		} else {
			w.table.segments[name] = segment
		}
		w.table.needed = append(w.table.needed, at)
	}
	if missing != nil && !begun {
		e := &CannotStartError{Missing: missing, From: w.a.lsn(from), To: w.a.lsn(to), MayBeArchived: w.a.mayBeArchived()}
		if p.Evidence != ByWAL { // the source had it a moment ago
			return &Explained{Err: e, Hint: p.otherwise()}
		}
		return &Explained{Err: e, Hint: "If an archive has them, set restore_command in the target's configuration or copy them to the source's " +
			p.Version.WALDir + ", else take a base backup."}
	}
	return nil
}

// keeps reports whether the target's own segment can serve recovery: it is of before
// the fork, and what its name says.
func (w *walTableBuilder) keeps(name string, s pgdata.SegNo) bool {
	f, has := w.lists.Target(w.a.version.WALPath(name))
	return has && w.good[s] && f.Size == int64(w.a.geo.WALSegSize) && name == w.a.geo.WALFileName(w.plan.Target.History.TimelineOf(w.a.geo, s), s)
}

// inNeitherListing yields the names of segments that neither side has.
func (w *walTableBuilder) inNeitherListing(from, last pgdata.SegNo) iter.Seq[string] {
	return func(yield func(string) bool) {
		for s := from; s <= last; s++ {
			name := w.a.geo.WALFileName(w.plan.Source.History.TimelineOf(w.a.geo, s), s)
			_, onSource := w.lists.Source(w.a.version.WALPath(name))
			_, onTarget := w.lists.Target(w.a.version.WALPath(name))
			if !onSource && !onTarget && !yield(name) {
				return
			}
		}
	}
}

// fromArchive brings a segment back, also where Options.RestoreTargetWAL does not
// ask for it: without this segment nothing would start.
func (a *analyzer) fromArchive(ctx context.Context, name string) (report.Origin, error) {
	p, err := a.restoreAnyway(ctx, name)
	var missing *archive.NotFoundError
	switch {
	case errors.As(err, &missing):
		a.log.Warn(fmt.Sprintf("recovery will need file %q, which neither side has: %v", a.version.WALPath(name), err), "segment", name, "error", err)
		return report.Missing, nil
	case err != nil || p == "":
		return report.Missing, err
	}
	return report.InArchive, nil
}
