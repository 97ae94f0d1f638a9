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

// checkFollows checks whether a target that needs no rewind can get the WAL that comes
// next. If it cannot, that is an error with a resync and a warning otherwise. A failure
// of the check itself is ignored.
func (r *Rewind) checkFollows(ctx context.Context, a *analyzer, p *Plan) error {
	if r.triesReplication() && r.opts.Resync == NoResync {
		return nil // tryReplication tells more
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

// maxComingWAL is how many segments an archive is asked for that the source no longer
// has. Each of them has to be restored for that. If so many are there, the rest is
// assumed to be there, too.
const maxComingWAL = 64

// willFollow returns nil if the target can get the WAL that comes next. A standby needs
// the whole segment in which its own WAL ends, and all segments after it up to the
// first that the source has.
func (a *analyzer) willFollow(ctx context.Context, p *Plan) error {
	at := p.Target.EndOfWAL
	if at >= p.Source.EndOfWAL {
		return nil // it already has all WAL
	}
	missing, err := a.missingNext(ctx, p.Source, at)
	if missing != "" {
		return fmt.Errorf("%w: it needs no rewind, but its WAL ends at %s, and neither the source nor an archive has what comes next, WAL segment %s", ErrCannotFollow, a.lsn(at), missing)
	}
	return err
}

// missingNext returns the name of the first WAL segment, starting from that of an LSN,
// that neither the source nor an archive has. It is empty if the source has all
// segments from some point on, and an archive has all before that.
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
