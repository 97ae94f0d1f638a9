package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/pgdata"
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
		a.log.DebugContext(ctx, fmt.Sprintf("it is not known whether the target will be able to follow: %v", err), "error", err)
	}
	return nil
}

// maxComingWAL is how many segments an archive is asked for that the source has no more.
// So many are believed, since each of them is brought back for that.
const maxComingWAL = 64

// willFollow is nil if the target will get the WAL that comes next. A standby asks for
// the whole segment in which its own WAL ends, and for all of them until the source has
// one.
func (a *analyzer) willFollow(ctx context.Context, p *Plan) error {
	at := p.Target.EndOfWAL
	if at >= p.Source.EndOfWAL {
		return nil // it has all that there is
	}
	missing, err := a.missingNext(ctx, p.Source, at)
	if missing != "" {
		return fmt.Errorf("%w: it needs no rewind, but its WAL ends at %s, and neither the source nor an archive has what comes next, WAL segment %s", ErrCannotFollow, a.lsn(at), missing)
	}
	return err
}

// missingNext names the first WAL segment, from that of an LSN on, that neither the
// source nor an archive has; it is empty if the source has all from some place on, and an
// archive all before that.
func (a *analyzer) missingNext(ctx context.Context, s Side, at pgdata.LSN) (missing string, err error) {
	for no := a.geo.SegNo(at); no < a.geo.SegNo(at)+maxComingWAL; no++ {
		name := a.geo.WALFileName(s.History.TimelineOf(a.geo, no), no)
		_, err := source.ReadRange(ctx, a.source, source.Range{Path: a.version.WALPath(name), Length: 1})
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		restored, err := a.restoreAnyway(ctx, name)
		var notFound *archive.NotFoundError
		switch {
		case errors.As(err, &notFound) || err == nil && restored == "":
			return name, nil
		case err != nil:
			return "", err
		}
	}
	return "", nil
}
