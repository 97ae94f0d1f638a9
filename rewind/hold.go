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
	holder, can := r.opts.Source.(source.WALHolder)
	if !can {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var held sync.WaitGroup
	end := func() {}
	held.Go(func() {
		from, free, err := holder.HoldWAL(ctx)
		if err != nil {
			r.log.Debug(err.Error())
			return
		}
		r.log.Debug(fmt.Sprintf("the source keeps its WAL from %s on", from))
		end = func() {
			if err := free(); err != nil {
				r.log.Debug(err.Error())
			}
		}
	})
	return sync.OnceFunc(func() {
		cancel()
		held.Wait()
		end()
	})
}
