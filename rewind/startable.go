package rewind

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/pgdata"
)

// Origin is where a WAL segment is.
type Origin string

// The origins.
const (
	FromTarget  Origin = "target"
	FromSource  Origin = "source"
	FromArchive Origin = "archive" // restore_command brought it back
	Nowhere     Origin = "missing"
)

// NeededWAL is a WAL segment that the rewound server's recovery reads before it
// takes connections.
type NeededWAL struct {
	Name   string
	Origin Origin
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

// checkStart finds all WAL that recovery will read, up to where the source is
// now. What neither side has is brought back from the archive. It is an error if
// the archive does not have it either.
func (r *Rewind) checkStart(ctx context.Context, b *filemap.Builder, wal *walFacts) (err error) {
	p, geo := r.plan, r.targetControl.Geometry
	from, to := r.recoveryStart().Redo, r.consistentAt()
	r.restored, r.kept = map[string]int64{}, map[string]bool{}
	begun := r.earlier != nil || r.opts.startOrNot // it goes on, startable or not
	var missing []string
	last := geo.SegNo(max(to, from+1) - 1)
	for s := geo.SegNo(from); s <= last; s++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(missing) > maxMissing && (!begun || s >= geo.SegNo(p.Divergence)) {
			break // the target has nothing of what follows
		}
		name := geo.WALFileName(p.Source.History.TimelineOf(geo, s), s)
		at := NeededWAL{name, Nowhere}
		src, onSource := b.Source(p.Version.WALPath(name))
		switch {
		case r.hasOwn(ctx, b, wal, name, s, onSource):
			at.Origin = FromTarget
		case onSource && wal.written(name, src.Size) > 0:
			at.Origin = FromSource
		default:
			if at.Origin, err = r.fromArchive(ctx, name); err == nil && at.Origin == FromArchive && len(r.restored) == 0 {
				// It has what is needed, so it is worth while to ask for the rest.
				err = r.archive.checkRoom(ctx, r.inNeitherListing(b, s, last))
			}
			if err != nil {
				return err
			}
		}
		switch at.Origin {
		case FromTarget:
			r.kept[name] = true
		case FromArchive:
			r.restored[p.Version.WALPath(name)] = int64(geo.WALSegSize)
		case Nowhere:
			missing = append(missing, name)
		}
		p.NeededWAL = append(p.NeededWAL, at)
	}
	if missing != nil && !begun {
		e := &CannotStartError{Missing: missing, From: r.lsn(from), To: r.lsn(to), MayBeArchived: r.mayBeArchived()}
		return &Explained{Err: e, Hint: "If an archive has them, set restore_command in the target's configuration or copy them to the source's " +
			p.Version.WALDir + ", else take a base backup."}
	}
	return nil
}

// inNeitherListing yields the names of segments that neither side has.
func (r *Rewind) inNeitherListing(b *filemap.Builder, from, last pgdata.SegNo) iter.Seq[string] {
	geo := r.targetControl.Geometry
	return func(yield func(string) bool) {
		for s := from; s <= last; s++ {
			name := geo.WALFileName(r.plan.Source.History.TimelineOf(geo, s), s)
			_, onSource := b.Source(r.plan.Version.WALPath(name))
			_, onTarget := b.Target(r.plan.Version.WALPath(name))
			if !onSource && !onTarget && !yield(name) {
				return
			}
		}
	}
}

// consistentAt is up to where recovery must replay, as far as that is known
// before anything is copied.
func (r *Rewind) consistentAt() pgdata.LSN {
	c := r.sourceControl
	if r.live != nil && !r.sourceState.InRecovery {
		return r.sourceState.FlushLSN
	}
	return max(c.CheckPoint, c.MinRecoveryPoint)
}

// hasOwn reports whether the target has a segment that it will keep, and that is
// what its name says.
func (r *Rewind) hasOwn(ctx context.Context, b *filemap.Builder, wal *walFacts, name string, s pgdata.SegNo, onSource bool) bool {
	p, geo := r.plan.Version.WALPath(name), r.targetControl.Geometry
	if f, has := b.Target(p); !has || f.Size != int64(geo.WALSegSize) || s >= geo.SegNo(r.plan.Divergence) || r.suspect(p) {
		return false
	}
	if onSource {
		return wal.isCommon(name)
	}
	return r.ownIsGood(ctx, s)
}

// fromArchive brings a segment back, also where Options.RestoreTargetWAL does not
// ask for it: without this segment nothing would start.
func (r *Rewind) fromArchive(ctx context.Context, name string) (Origin, error) {
	if r.earlier != nil {
		return Nowhere, nil // its journal is where restored WAL would lie
	}
	if r.archive == nil && r.noArchive == nil {
		if r.noArchive = r.openArchive(); r.noArchive != nil {
			r.log.Debug(fmt.Sprintf("WAL segment %s and others are not looked for in an archive: %v", name, r.noArchive))
		}
	}
	if r.archive == nil {
		return Nowhere, nil
	}
	_, err := r.archive.restore(ctx, name)
	var missing *archive.NotFoundError
	switch {
	case err == nil:
		return FromArchive, nil
	case errors.As(err, &missing):
		r.log.Warn(fmt.Sprintf("recovery will need file %q, which neither side has: %v", r.plan.Version.WALPath(name), err))
		return Nowhere, nil
	}
	return Nowhere, err
}

// neededWAL tells the target's own segments that recovery reads. That of the
// divergence itself is not among them: beyond the divergence it holds what the
// target must forget, and the source has it on its own timeline.
func (r *Rewind) neededWAL(name string) bool { return r.kept[name] }
