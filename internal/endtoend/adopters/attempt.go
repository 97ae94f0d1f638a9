package adopters

import (
	"context"

	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// Open connects to a source. Tests have others than OpenServer.
type Open func(ctx context.Context, connInfo string, o pgsource.Options) (source.Source, error)

// OpenServer connects to a running server.
func OpenServer(ctx context.Context, connInfo string, o pgsource.Options) (source.Source, error) {
	s, err := pgsource.Open(ctx, connInfo, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// attempt is what every program does: it finishes what an earlier run committed, for which
// no source is needed, or else rewinds. A dry run only says what would be done. The error
// is a *rewind.Error.
func attempt(ctx context.Context, o rewind.Options, dryRun bool) (*report.Document, error) {
	r, err := rewind.Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	doc := r.Document(ctx, nil)
	if dryRun {
		return doc, nil
	}
	return doc, r.Apply(ctx)
}

// evidence is with which Options.Resync to make the call again after ActionResync: no
// evidence but a comparison helps if the control file itself is lost.
func evidence(failed *rewind.Error) rewind.Resync {
	if failed.Condition == rewind.MissingControlFile || failed.Condition == rewind.DamagedControlFile {
		return rewind.ResyncCompare
	}
	return rewind.ResyncIfNeeded
}
