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

// NeededWAL is a WAL segment that the rewound server's recovery reads before it accepts
// connections.
type NeededWAL struct {
	Name   string
	Origin report.Origin
}

// CannotStartError says that the rewound server could not start, because recovery would
// need WAL that was found nowhere.
type CannotStartError struct {
	Missing  []string // names of segments; only the first ones if there are many
	From, To string   // the WAL that recovery reads, as LSNs
	// MayBeArchived is as in MissingWALError.
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

// maxMissing is how many missing segments a message names, and after how many the
// search is given up: restore_command is tried several times for each of them.
const maxMissing = 5

// errNotReplayed is the error for a segment that recovery will not find.
var errNotReplayed = fmt.Errorf("recovery will not read it: %w", fs.ErrNotExist)

// recoveryReads finds all WAL that recovery will read, up to where the source is now.
// WAL that neither side has is restored from the archive.
func (w *walTableBuilder) recoveryReads(ctx context.Context) (err error) {
	p, geo := w.plan, w.a.geo
	from, to := p.Start.Redo, p.ConsistentAt
	begun := p.Again || w.a.opts.startOrNot // it continues whether the result can start or not
	var missing []string
	restored := 0
	last := geo.SegNo(max(to, from+1) - 1)
	for s := geo.SegNo(from); s <= last; s++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(missing) > maxMissing && (!begun || s >= w.fork) {
			break // the target has none of what follows
		}
		name := geo.WALFileName(p.Source.History.TimelineOf(geo, s), s)
		at := NeededWAL{name, report.Missing}
		segment, onSource := w.table.segments[name]
		switch {
		case segment.Common || !onSource && w.keeps(name, s):
			at.Origin, segment.Keep = report.OnTarget, true
		case onSource && segment.Written > 0:
			at.Origin = report.OnSource
		case w.keeps(name, s): // the source has a recycled segment of that name
			at.Origin, segment.Keep = report.OnTarget, true
		default:
			at.Origin, err = w.a.fromArchive(ctx, name)
			if err == nil && at.Origin == report.InArchive {
				if segment.Restored = int64(geo.WALSegSize); restored == 0 {
					// The archive has what is needed, so it is worth asking for the rest.
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
		e := &CannotStartError{Missing: missing, From: w.a.lsn(from), To: w.a.lsn(to), MayBeArchived: w.a.mayBeArchived(true)}
		if p.Evidence != report.ByWAL { // the source had that WAL a moment ago
			return &Explained{Err: e, Hint: p.otherwise()}
		}
		return &Explained{Err: e, Hint: fmt.Sprintf("If an archive has them, %s or copy them to the source's %s, else take a base backup.",
			w.a.opts.askArchive(), p.Version.WALDir)}
	}
	return nil
}

// keeps reports whether recovery can use the target's own segment: it must be from
// before the fork, and be what its name says.
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

// fromArchive restores a segment even if Options.RestoreTargetWAL is not set: the
// server could not start without it.
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
