package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// checkFetchedWAL repeats the earlier checks on what is there now: that recovery will
// find its WAL, and that the operations in it on whole files are right. Meanwhile a
// source may have removed some WAL and written more. A rewind in place that is started
// again continues whether the result will start or not; for it, only WAL that must not
// be copied is looked for.
func (r *Rewind) checkFetchedWAL(ctx context.Context, e end, to receiver) error {
	if r.opts.startOrNot {
		return nil
	}
	a, p := r.analyzer, r.plan
	wal := fetchedWAL{r: r, to: to, restored: map[string]bool{}}
	for _, w := range p.NeededWAL {
		wal.restored[w.Name] = w.Origin == report.InArchive
	}
	here := e.minLSN // the target itself will have the WAL up to here
	first, last := a.geo.SegNo(p.Start.Redo), a.geo.SegNo(max(e.minLSN, 1)-1)
	listed := first + pgdata.SegNo(len(p.NeededWAL))
	for s := first; s <= last; s++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := wal.OpenSegment(ctx, s)
		if err == nil {
			_ = f.Close()
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		here = min(here, a.geo.SegStart(s))
		if p.Again {
			break
		}
		if err := r.canBeFetched(ctx, s); err != nil {
			return err
		}
		if s >= listed && s < last {
			// Servers remove the oldest segments first. So of the segments written since, those
			// in between are there if this one and the last are. Only the source says how many
			// there are, so they are not checked one by one.
			s = last - 1
		}
	}
	return r.checkReplay(ctx, wal, here, to)
}

// canBeFetched checks a segment that was written since the files were listed: the
// target will request it from the source or an archive.
func (r *Rewind) canBeFetched(ctx context.Context, s pgdata.SegNo) error {
	a := r.analyzer
	name := a.geo.WALFileName(r.plan.Source.History.TimelineOf(a.geo, s), s)
	_, err := source.ReadRange(ctx, r.opts.Source, source.Range{Path: a.version.WALPath(name), Length: 1})
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p, rerr := a.restoreAnyway(ctx, name)
	var missing *archive.NotFoundError
	switch {
	case rerr == nil && p != "":
		return nil
	case rerr != nil && !errors.As(rerr, &missing):
		return rerr
	}
	return fmt.Errorf("%w: it removed WAL segment %s, which the target needs, while its files were copied: "+
		"let it keep more WAL (wal_keep_size, a replication slot) and run gorewind again", ErrSourceChanged, name)
}

// checkReplay reads every record of the WAL that recovery will replay, as far as it is
// here, and looks for operations on whole files.
func (r *Rewind) checkReplay(ctx context.Context, wal fetchedWAL, here pgdata.LSN, to receiver) error {
	a, p := r.analyzer, r.plan
	if here <= p.Start.Redo {
		return nil
	}
	last, err := walreader.LastRecordEnd(ctx, wal, a.format, here)
	if err == nil && last > p.Start.Redo {
		h := &ahead{from: wal, end: last}
		if h.events, err = a.readEvents(ctx, wal, p.Start.Redo, last); err == nil {
			return r.checkReplayed(ctx, h, wal, to)
		}
	}
	if err != nil && isMissing(err) && p.Again {
		return nil
	}
	if err != nil && isMissing(err) {
		return fmt.Errorf("%w: the WAL that came from it is not what recovery needs: %w: run gorewind again", ErrSourceChanged, err)
	}
	return err
}

func (r *Rewind) checkReplayed(ctx context.Context, h *ahead, wal fetchedWAL, to receiver) error {
	a, p := r.analyzer, r.plan
	if err := a.checkAheadSettings(p, h.events.since(p.shared())); err != nil {
		return err
	}
	files := stateFiles(p, h.events.prepared)
	for i := range p.Files.Entries {
		e := &p.Files.Entries[i]
		if strings.HasPrefix(e.Path, twoPhaseDir+"/") && files[e.Path] && (e.Action == filemap.Copy || e.Blocks != nil || e.Action == filemap.CopyTail) {
			if err := to.Skip(e.Path); err != nil {
				return err
			}
		}
	}
	return a.checkOperations(ctx, p, newEvents(0), wal, h)
}

// fetchedWAL opens the WAL that the rewound target will have.
type fetchedWAL struct {
	r        *Rewind
	to       receiver
	restored map[string]bool
}

func (w fetchedWAL) OpenSegment(_ context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	a := w.r.analyzer
	name := a.geo.WALFileName(w.r.plan.Source.History.TimelineOf(a.geo, s), s)
	p := a.version.WALPath(name)
	if w.restored[name] {
		return a.target.Open(a.anyArchive().path(name))
	}
	if f, err := w.open(p); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	return nil, fmt.Errorf("WAL segment %s: %w", name, fs.ErrNotExist)
}

func (w fetchedWAL) open(p string) (*os.File, error) {
	if w.to.Has(p) || w.r.plan.keepsWAL(path.Base(p)) {
		return w.to.Open(p)
	}
	return nil, fs.ErrNotExist
}

// keepsWAL reports whether the target keeps its own segment called name for recovery.
func (p *Plan) keepsWAL(name string) bool {
	for _, w := range p.NeededWAL {
		if w.Name == name {
			return w.Origin == report.OnTarget
		}
	}
	return false
}

// walSink passes on the WAL that a source sends. A segment that recovery needs and that
// the source has removed since it was listed comes from the archive instead.
type walSink struct {
	source.Sink
	ctx  context.Context
	r    *Rewind
	size int64
}

// CopyFrom makes walSink a FileSink, whether its own sink is one or not.
func (s *walSink) CopyFrom(p string, from *os.File, offset, length int64) (int64, error) {
	return source.CopyFrom(s.Sink, p, from, offset, length)
}

// Vanished says that the source no longer has a file.
func (s *walSink) Vanished(p string) error {
	name := path.Base(p)
	for _, w := range s.r.plan.NeededWAL {
		if w.Name != name || w.Origin != report.OnSource {
			continue
		}
		at, err := s.r.analyzer.restoreAnyway(s.ctx, name)
		var missing *archive.NotFoundError
		switch {
		case errors.As(err, &missing) || err == nil && at == "":
			return s.Sink.Vanished(p)
		case err != nil:
			return err
		}
		f, err := s.r.target.Open(at)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = source.CopyFrom(s.Sink, p, f, 0, s.size)
		return err
	}
	return s.Sink.Vanished(p)
}
