package rewind

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// receiver takes what is fetched, and knows what the target's files will be.
type receiver interface {
	source.Sink
	// Skip says that a file of the plan is not needed after all.
	Skip(path string) error
	ReadFile(path string) ([]byte, error)
	// Open opens a file as the target will have it, unless it is assembled from pieces.
	Open(path string) (*os.File, error)
	// Has reports whether the target will have a file that the plan copies.
	Has(path string) bool
}

// fetch copies everything from the source. WAL comes last. By then the source has all
// WAL up to the minimum recovery point on its disk. So the target gets it even if the
// source is gone before the target starts.
func (r *Rewind) fetch(ctx context.Context, to receiver) (apply.Final, error) {
	sink := &counter{Sink: to}
	defer func() { p := &r.phases[len(r.phases)-1]; p.Bytes, p.Files = sink.bytes.Load(), int(sink.files.Load()) }()
	defer r.watchFetched(sink, r.plan.Files.FetchBytes(), r.plan.Files.FetchFiles())()
	var files source.Sink = sink
	verified := r.verifying(sink)
	if verified != nil {
		files = verified
	}
	if err := r.opts.Source.Fetch(ctx, r.fileRanges(&sink.files), files); err != nil {
		var damaged *DamagedPagesError
		if errors.As(err, &damaged) {
			return apply.Final{}, r.sourceDamaged(ctx, damaged, "")
		}
		if !as[*apply.AccessError](err) { // an AccessError is about the target
			err = unreadable(err)
		}
		return apply.Final{}, err
	}
	if err := r.rereadSuspects(ctx, verified); err != nil {
		return apply.Final{}, err
	}
	e, err := r.endOfSource(ctx)
	if err != nil {
		return apply.Final{}, err
	}
	wal, walCtx := errgroup.WithContext(ctx)
	wal.Go(func() error { return r.fetchWAL(walCtx, e.written, to, sink) })
	wal.Go(func() error { return r.lastRecord(walCtx, &e) })
	if err := wal.Wait(); err != nil {
		return apply.Final{}, err
	}
	if !r.plan.Source.State.Live { // it must not have been started meanwhile
		if e, err = r.endOfSource(ctx); err != nil {
			return apply.Final{}, err
		}
	}
	if err := r.checkFetchedWAL(ctx, e, to); err != nil {
		return apply.Final{}, err
	}
	return r.final(ctx, e, to)
}

// fetchWAL copies the WAL up to where the source has written it.
func (r *Rewind) fetchWAL(ctx context.Context, written pgdata.LSN, to receiver, sink *counter) error {
	plan := r.plan.Files
	var ranges []source.Range
	for i := range plan.Entries {
		entry := &plan.Entries[i]
		if !plan.IsSegment(entry) || entry.Action != filemap.Copy {
			continue
		}
		upTo := writtenTo(r.plan.Source, path.Base(entry.Path), entry.SourceSize, written)
		if entry.Reason == filemap.NotWritten && upTo == 0 {
			if err := to.Skip(entry.Path); err != nil {
				return err
			}
			continue
		}
		if err := r.copyLocal(entry, to); err != nil {
			return err
		}
		ranges = append(ranges, source.Range{Path: entry.Path, Offset: entry.LocalBytes, Length: max(0, upTo-entry.LocalBytes)})
	}
	sink.files.Add(int64(len(ranges)))
	return r.opts.Source.Fetch(ctx, slices.Values(ranges), &walSink{sink, ctx, r, int64(plan.Geometry.WALSegSize)})
}

// copyLocal takes the first bytes of a file from a file that the target has.
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
		err = fmt.Errorf("could not read file %q: %w", r.target.Join(e.Local), apply.ErrChanged)
	}
	return err
}

// fileRanges lists what is fetched from the source other than WAL, in the plan's order.
func (r *Rewind) fileRanges(files *atomic.Int64) iter.Seq[source.Range] {
	plan := r.plan.Files
	return func(yield func(source.Range) bool) {
		for i := range plan.Entries {
			e := &plan.Entries[i]
			if plan.IsSegment(e) || e.FetchBytes(plan.Geometry) == 0 && e.Action != filemap.Copy {
				continue
			}
			if !entryRanges(e, plan.Geometry, yield) {
				return
			}
			files.Add(1)
		}
	}
}

// entryRanges yields the changed blocks of a file and the ranges that its action
// requires.
func entryRanges(e *filemap.Entry, geo pgdata.Geometry, yield func(source.Range) bool) bool {
	for run := range e.Runs(geo) {
		if !yield(source.Range{Path: e.Path, Offset: run.Offset, Length: run.Length}) {
			return false
		}
	}
	switch e.Action {
	case filemap.Copy:
		return yield(source.Range{Path: e.Path, Length: decide.Limit(e)})
	case filemap.CopyTail:
		return yield(source.Range{Path: e.Path, Offset: e.TailStart(geo), Length: e.SourceSize - e.TailStart(geo)})
	}
	return true
}
