package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/source"
)

// checkFollows finds out whether a target that needs no rewind will get the WAL that
// comes next. With a resync that it will not is an error; else it is a warning, and
// what stands in the way of finding it out is of no consequence.
func (r *Rewind) checkFollows(ctx context.Context, a *analyzer, p *Plan) error {
	if r.triesReplication() && r.opts.Resync == NoResync {
		return nil // which tells more
	}
	err := a.willFollow(ctx, p)
	switch {
	case err == nil || r.opts.Resync != NoResync || ctx.Err() != nil:
		return err
	case errors.Is(err, ErrCannotFollow):
		a.warn(p, "%v", err)
	default:
		a.log.DebugContext(ctx, fmt.Sprintf("it is not known whether the target will be able to follow: %v", err))
	}
	return nil
}

// willFollow is nil if the target will get the WAL that comes next. A standby asks for
// the whole segment in which its own WAL ends.
func (a *analyzer) willFollow(ctx context.Context, p *Plan) error {
	at := p.Target.EndOfWAL
	if at >= p.Source.EndOfWAL {
		return nil // it has all that there is
	}
	s := a.geo.SegNo(at)
	name := a.geo.WALFileName(p.Source.History.TimelineOf(a.geo, s), s)
	_, err := source.ReadRange(ctx, a.source, source.Range{Path: a.version.WALPath(name), Length: 1})
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	restored, err := a.restoreAnyway(ctx, name)
	var missing *archive.NotFoundError
	switch {
	case errors.As(err, &missing) || err == nil && restored == "":
		return fmt.Errorf("%w: it needs no rewind, but its WAL ends at %s, and neither the source nor an archive has what comes next, WAL segment %s", ErrCannotFollow, a.lsn(at), name)
	default:
		return err
	}
}
