package rewind

import (
	"context"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
)

// listings are both sides' file lists, which are made while the target's WAL is
// read.
type listings struct {
	builder  *filemap.Builder
	group    *errgroup.Group
	excluded []string // what is passed over on the source, for the log
	cancel   context.CancelFunc
}

// list begins to list both sides.
func (r *Rewind) list(ctx context.Context) *listings {
	l := &listings{builder: filemap.NewBuilder(filemap.Rules{
		Version: r.plan.Version, Geometry: r.targetControl.Geometry, Suspect: r.suspect, Keep: r.opts.Keep,
	})}
	ctx, l.cancel = context.WithCancel(ctx)
	l.group, ctx = errgroup.WithContext(ctx)
	debug := r.log.Enabled(ctx, slog.LevelDebug)
	l.group.Go(func() error {
		for f, err := range r.opts.Source.Files(ctx) {
			if err == nil {
				err = l.builder.AddSource(f)
			}
			if err != nil {
				return err
			}
			if debug && filemap.Excluded(f.Path) {
				l.excluded = append(l.excluded, f.Path)
			}
		}
		return l.builder.EndSource()
	})
	l.group.Go(func() error {
		for f, err := range r.target.Files() {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				err = l.builder.AddTarget(f)
			}
			if err != nil {
				return err
			}
		}
		l.builder.EndTarget()
		return nil
	})
	return l
}

// stop ends the listing, if it still goes on.
func (l *listings) stop() {
	l.cancel()
	_ = l.group.Wait()
}

// mapFiles decides about every file.
func (r *Rewind) mapFiles(ctx context.Context, l *listings, changed pgdata.ChangedBlocks) error {
	p, b := r.plan, l.builder
	r.step("reading source file list")
	err := l.group.Wait()
	for _, path := range l.excluded {
		r.log.Debug(fmt.Sprintf("entry \"%s\" excluded from source file list", path))
	}
	if err != nil {
		return err
	}
	r.step("reading target file list")
	wal, err := r.learnWAL(ctx, b)
	if err != nil {
		return err
	}
	if err := r.checkStart(ctx, b, wal); err != nil {
		return err
	}
	r.checkSettings(b)
	if p.Files, err = b.Plan(filemap.Facts{
		Divergence: p.Divergence, Changed: changed, NeededWAL: r.neededWAL, Restored: r.restored,
		CommonWAL: wal.isCommon, Written: wal.written, Local: wal.localOf,
	}); err != nil {
		return err
	}
	if err := r.compareFiles(ctx, p.Files); err != nil {
		return err
	}
	if err := r.target.Check(p.Files, p.Version); err != nil {
		return err
	}
	if err := r.measureSpace(); err != nil {
		return err
	}
	r.describeFiles(ctx)
	return nil
}

// measureSpace finds out what room the rewind takes. That there is too little is
// an error when it begins; some may be made until then.
func (r *Rewind) measureSpace() (err error) {
	r.space, err = r.target.Space(r.plan.Files, r.live == nil, r.inPlace())
	for _, s := range r.space {
		if s.Needed > s.Free {
			r.warn("%v", &SpaceError{Dir: s.Dir, Needed: s.Needed, Free: s.Free, InPlace: r.inPlace()})
		}
	}
	return err
}
