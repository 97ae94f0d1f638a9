package rewind

import (
	"context"
	"fmt"
	"sync"

	"github.com/gorewind/gorewind/source"
)

// holdWAL makes a live source, if it can, retain its WAL while it is copied. Copying
// starts meanwhile. checkFetchedWAL finds out whether WAL was lost all the same.
func (r *Rewind) holdWAL(ctx context.Context) (release func()) {
	if r.releaseWAL != nil { // it has done so since the analysis
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

// keepWAL is holdWAL, but waits until the source retains its WAL.
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
			r.log.DebugContext(ctx, "the source did not keep its WAL while it was copied: "+err.Error(), "error", err)
		}
	})
}
