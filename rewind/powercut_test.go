package rewind_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/pgtest"
	"github.com/gorewind/gorewind/internal/pgtest/randomtest"
)

// TestEveryPowerCut cuts the power before changes of the target's disk, in torture
// before every one, and at the end. What was not synced is lost, all of it or some.
func TestEveryPowerCut(t *testing.T) {
	var instants atomic.Int64
	seed := randomtest.Seed()
	t.Run("all", func(t *testing.T) {
		for _, s := range scenarios() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				p := newSpecimenFor(t, s.mode)
				start := p.begin(t, s)
				var last *faultdisk.Node
				for k, struck := int64(1), true; struck; k += step(2 * s.every) {
					require.NoError(t, start.Store(p.root))
					opts := p.options(t)
					s.opts(&opts)
					cut := faultdisk.NewPowerCut(start, "target", links)
					var n atomic.Int64
					var at atomic.Value
					_ = s.do(opts.WithDisk(func(d apply.Disk) apply.Disk {
						return faultdisk.Wrap(cut.Disk(s.wrapped(d)), func(op faultdisk.Op) error {
							if op.Read || n.Add(1) < k {
								return nil
							}
							at.CompareAndSwap(nil, op)
							return errFault
						})
					}))
					struck = n.Load() >= k
					worst := cut.Worst()
					if last == nil || len(faultdisk.Diff(worst, last, nil)) > 0 { // otherwise that was tried already
						p.checkCut(t, worst, fmt.Sprintf("cut before %d: %+v, all is lost", k, at.Load()))
						instants.Add(1)
					}
					last = worst
					for i := range max(1, torture) {
						r := rand.New(rand.NewPCG(seed, uint64(k)<<8|uint64(i)))
						p.checkCut(t, cut.Random(r), fmt.Sprintf("cut before %d: %+v, some is lost, seed %d", k, at.Load(), seed))
						instants.Add(1)
					}
					if t.Failed() {
						t.FailNow()
					}
				}
			})
		}
	})
	pgtest.Note(fmt.Sprintf("cut the power at %d instants (seed %d)", instants.Load(), seed))
}

// checkCut verifies I1 or I2 on what a power cut left, and the result of the next
// rewind.
func (p *specimen) checkCut(t *testing.T, left *faultdisk.Node, what string) {
	t.Helper()
	require.NoError(t, left.Store(p.root), what)
	p.finish(t, p.checkState(t, what), what)
	p.mustBeRewound(t, what)
}
