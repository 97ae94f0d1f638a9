package rewind

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/source"
)

// listings holds both sides' file lists, which are made while the target's WAL is read.
type listings struct {
	builder  *decide.Builder
	group    *errgroup.Group
	excluded []string // what is ignored on the source, for the log
	cancel   context.CancelFunc
	files    atomic.Int64 // listed on the source so far
}

// list starts listing both sides.
func (a *analyzer) list(ctx context.Context, s Side, earlier *Plan) *listings {
	rules := decide.Rules{Version: a.version, Geometry: a.geo, Keep: a.keep}
	if earlier != nil {
		rules.Suspect = earlier.carried.Suspect
	}
	spared := func(dir string) bool { return rules.Keep.Match(dir) }
	if s, ok := a.source.(source.Sparing); ok {
		s.Spare(spared)
	}
	a.target.Spare(spared)
	l := &listings{builder: decide.NewBuilder(rules)}
	ctx, l.cancel = context.WithCancel(ctx)
	l.group, ctx = errgroup.WithContext(ctx)
	budget := newListBudget(s)
	debug := a.log.Enabled(ctx, slog.LevelDebug)
	l.group.Go(func() error {
		for f, err := range a.source.Files(ctx) {
			l.files.Add(1)
			if err == nil {
				err = budget.addSource(ctx, f)
			}
			if err == nil {
				err = l.builder.AddSource(f)
			} else {
				err = unreadable(err)
			}
			if err != nil {
				return err
			}
			if debug && decide.Excluded(f.Path) {
				l.excluded = append(l.excluded, f.Path)
			}
		}
		return l.builder.EndSource()
	})
	l.group.Go(func() error {
		for f, err := range a.target.Files() {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				err = l.builder.AddTarget(f)
			} else {
				err = unreadable(err)
			}
			if err != nil {
				return err
			}
			budget.addTarget(f)
		}
		budget.endTarget()
		l.builder.EndTarget()
		return nil
	})
	return l
}

// stop ends the listing if it is still in progress.
func (l *listings) stop() {
	l.cancel()
	_ = l.group.Wait()
}

// wait returns both lists when they are complete.
func (l *listings) wait(ctx context.Context, a *analyzer) (*decide.Builder, error) {
	a.step("reading source file list")
	stop := a.watch(func() Progress { return Progress{Activity: ListingFiles, DoneFiles: int(l.files.Load())} })
	err := l.group.Wait()
	stop()
	for _, path := range l.excluded {
		a.log.DebugContext(ctx, fmt.Sprintf("entry \"%s\" excluded from source file list", path), "path", path)
	}
	if err != nil {
		return nil, err
	}
	a.step("reading target file list")
	return l.builder, nil
}
