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
// comes next. A standby asks for the whole segment in which its own WAL ends.
func (a *analyzer) checkFollows(ctx context.Context, p *Plan) error {
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
		return fmt.Errorf("%w: its WAL ends at %s, and neither the source nor an archive has what comes next, WAL segment %s", ErrCannotFollow, a.lsn(at), name)
	default:
		return err
	}
}
