package rewind

import (
	"context"
	"fmt"
	"sync"

	"github.com/gorewind/gorewind/source"
)

// holdWAL lets a live source keep its WAL for as long as it is copied, if it can,
// and meanwhile the copying begins. Whether WAL was lost all the same,
// checkFetchedWAL finds out.
func (r *Rewind) holdWAL(ctx context.Context) (release func()) {
	if r.releaseWAL != nil { // it does so since the analysis
		return r.releaseWAL
	}
	if r.slotMade {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var held sync.WaitGroup
	var end func()
	held.Go(func() { end = r.keepWAL(ctx) })
	return sync.OnceFunc(func() {
		cancel()
		held.Wait()
		end()
	})
}

// keepWAL is holdWAL that waits until the source does so.
func (r *Rewind) keepWAL(ctx context.Context) (release func()) {
	holder, can := r.opts.Source.(source.WALHolder)
	if !can {
		return func() {}
	}
	from, free, err := holder.HoldWAL(ctx)
	if err != nil {
		r.log.DebugContext(ctx, "the source does not keep its WAL: "+err.Error(), "error", err)
		return func() {}
	}
	r.log.Debug(fmt.Sprintf("the source keeps its WAL from %s on", from), "lsn", r.lsn(from))
	return sync.OnceFunc(func() {
		if err := free(); err != nil {
			r.log.DebugContext(ctx, "the source did not keep its WAL for as long as it was copied: "+err.Error(), "error", err)
		}
	})
}
