package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/target"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// receiver takes what is fetched, and knows what the target's files will be.
type receiver interface {
	source.Sink
	// Skip says that a file of the plan is not wanted after all.
	Skip(path string) error
	ReadFile(path string) ([]byte, error)
	// Has reports whether the target will have a file that the plan copies.
	Has(path string) bool
}

// fetch brings everything over. WAL comes last: of the source's, all that the
// minimum recovery point asks for is then on its disk, so that the target gets it
// even if the source is gone before the target starts.
func (r *Rewind) fetch(ctx context.Context, to receiver) (target.Final, error) {
	sink := &counter{Sink: to}
	defer func() { p := &r.phases[len(r.phases)-1]; p.Bytes, p.Files = sink.bytes.Load(), int(sink.files.Load()) }()
	defer r.watch(sink, r.plan.Files.FetchBytes(), r.plan.Files.FetchFiles())()
	if err := r.opts.Source.Fetch(ctx, r.fileRanges(&sink.files), sink); err != nil {
		return target.Final{}, err
	}
	e, err := r.endOfSource(ctx)
	if err != nil {
		return target.Final{}, err
	}
	wal, walCtx := errgroup.WithContext(ctx)
	wal.Go(func() error { return r.fetchWAL(walCtx, e.written, to, sink) })
	wal.Go(func() error { return r.lastRecord(walCtx, &e) })
	if err := wal.Wait(); err != nil {
		return target.Final{}, err
	}
	if r.live == nil { // which must not have been started meanwhile
		if e, err = r.endOfSource(ctx); err != nil {
			return target.Final{}, err
		}
	}
	if err := r.checkFetchedWAL(ctx, e, to); err != nil {
		return target.Final{}, err
	}
	return r.final(e, to)
}

// fetchWAL brings the WAL up to where the source has written it.
func (r *Rewind) fetchWAL(ctx context.Context, written pgdata.LSN, to receiver, sink *counter) error {
	plan, geo := r.plan.Files, r.sourceControl.Geometry
	var ranges []source.Range
	for i := range plan.Entries {
		entry := &plan.Entries[i]
		if !plan.IsWAL(entry) || entry.Action != filemap.Copy {
			continue
		}
		upTo := entry.Limit()
		if _, _, ok := geo.ParseWALFileName(path.Base(entry.Path)); ok {
			upTo = r.writtenTo(path.Base(entry.Path), entry.SourceSize, written)
			if entry.Reason == filemap.NotWritten && upTo == 0 {
				if err := to.Skip(entry.Path); err != nil {
					return err
				}
				continue
			}
		}
		if err := r.copyLocal(entry, to); err != nil {
			return err
		}
		ranges = append(ranges, source.Range{Path: entry.Path, Offset: entry.LocalBytes, Length: max(0, upTo-entry.LocalBytes)})
	}
	sink.files.Add(int64(len(ranges)))
	return r.opts.Source.Fetch(ctx, slices.Values(ranges), sink)
}

// copyLocal takes the first bytes of a file from one that the target has.
func (r *Rewind) copyLocal(e *filemap.Entry, to source.Sink) error {
	if e.Local == "" {
		return nil
	}
	f, err := r.target.Open(e.Local)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := source.CopyFrom(to, e.Path, f, 0, e.LocalBytes)
	if err == nil && n < e.LocalBytes {
		err = fmt.Errorf("could not read file %q: %w", r.target.Join(e.Local), target.ErrChanged)
	}
	return err
}

// checkFetchedWAL proves again what checkStart did, of what is there now: that
// recovery will find its WAL. A source may have removed some of it meanwhile, and
// written more.
func (r *Rewind) checkFetchedWAL(ctx context.Context, e end, to receiver) error {
	if r.earlier != nil || r.opts.startOrNot {
		return nil
	}
	geo, v := r.sourceControl.Geometry, r.plan.Version
	for s := geo.SegNo(r.recoveryStart().Redo); s <= geo.SegNo(max(e.minLSN, 1)-1); s++ {
		name := geo.WALFileName(r.plan.Source.History.TimelineOf(geo, s), s)
		p := v.WALPath(name)
		if r.kept[name] || r.restored[p] > 0 || to.Has(p) {
			continue
		}
		// Written since the files were listed: the target will ask for it.
		_, err := source.ReadRange(ctx, r.opts.Source, source.Range{Path: p, Length: 1})
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: it removed WAL segment %s, which the target needs, while its files were copied: "+
				"let it keep more WAL (wal_keep_size, a replication slot) and run gorewind again", ErrSourceChanged, name)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// fileRanges lists what is fetched from the source beside WAL, in the plan's order.
func (r *Rewind) fileRanges(files *atomic.Int64) iter.Seq[source.Range] {
	plan := r.plan.Files
	return func(yield func(source.Range) bool) {
		for i := range plan.Entries {
			e := &plan.Entries[i]
			if plan.IsWAL(e) || e.FetchBytes(plan.Geometry) == 0 && e.Action != filemap.Copy {
				continue
			}
			if !entryRanges(e, plan.Geometry, yield) {
				return
			}
			files.Add(1)
		}
	}
}

// entryRanges yields the changed blocks of a file and what its action asks for.
func entryRanges(e *filemap.Entry, geo pgdata.Geometry, yield func(source.Range) bool) bool {
	for run := range e.Runs(geo) {
		if !yield(source.Range{Path: e.Path, Offset: run.Offset, Length: run.Length}) {
			return false
		}
	}
	switch e.Action {
	case filemap.Copy:
		return yield(source.Range{Path: e.Path, Length: e.Limit()})
	case filemap.CopyTail:
		return yield(source.Range{Path: e.Path, Offset: e.TargetSize, Length: e.SourceSize - e.TargetSize})
	}
	return true
}
