package rewind_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/internal/apply/faultdisk"
	"github.com/gorewind/gorewind/internal/pgtest/randomtest"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/rewind"
)

// TestEveryInstantWithoutAControlFile makes clusters of directories that are not
// clusters, and interrupts that at any change, with or without a power cut: running the
// same command again succeeds.
func TestEveryInstantWithoutAControlFile(t *testing.T) {
	seed := randomtest.Seed()
	for _, c := range []struct {
		name    string
		start   func(p *specimen) error
		resync  rewind.Resync
		inPlace bool
	}{
		{"empty", emptied, rewind.ResyncIfNeeded, false},
		{"empty, in place", emptied, rewind.ResyncIfNeeded, true},
		{"without its directory", withoutGlobal, rewind.ResyncCompare, false},
		{"damaged", withDamagedControl, rewind.ResyncCompare, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newSpecimen(t)
			p.restore(t)
			require.NoError(t, c.start(p))
			start, err := faultdisk.Load(p.root)
			require.NoError(t, err)
			options := func() rewind.Options {
				opts := p.options(t)
				opts.Resync, opts.InPlace = c.resync, c.inPlace
				return opts
			}
			require.NoError(t, run(options().WithDisk(withoutSync)))
			filled := p.load(t)
			again := func(what string) {
				require.NoError(t, run(options().WithDisk(withoutSync)), what)
				assert.Empty(t, faultdisk.Diff(filled, p.load(t), stagingOnly), what)
			}
			dies := func(k int64, disk func(apply.Disk) apply.Disk) (what string, struck bool) {
				require.NoError(t, start.Store(p.root))
				var n atomic.Int64
				var at atomic.Value
				_ = run(options().WithDisk(func(d apply.Disk) apply.Disk {
					return faultdisk.Wrap(disk(d), func(op faultdisk.Op) error {
						if op.Read || n.Add(1) < k {
							return nil
						}
						at.CompareAndSwap(nil, op)
						return errFault
					})
				}))
				return fmt.Sprintf("before change %d: %+v, seed %d", k, at.Load(), seed), n.Load() >= k
			}
			for k, struck := int64(1), true; struck && !t.Failed(); k += step(5) {
				var what string
				what, struck = dies(k, withoutSync)
				again("killed " + what)
				cut := faultdisk.NewPowerCut(start, "target", placesOf(start))
				what, _ = dies(k, cut.Disk)
				for _, left := range []*faultdisk.Node{cut.Worst(), cut.Random(rand.New(rand.NewPCG(seed, uint64(k))))} {
					require.NoError(t, left.Store(p.root))
					again("power cut " + what)
				}
			}
		})
	}
}

func emptied(p *specimen) error {
	for _, dir := range []string{"target", "wal", "old", "both", "new"} {
		dir = filepath.Join(p.root, dir)
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
			return err
		}
	}
	return nil
}

func withoutGlobal(p *specimen) error { return os.RemoveAll(filepath.Join(p.target(), "global")) }

func withDamagedControl(p *specimen) error {
	return os.WriteFile(filepath.Join(p.target(), pgdata.ControlFilePath), make([]byte, 8192), 0o600)
}

// placesOf returns where paths of a target lead to, or will lead to, from a given start.
func placesOf(start *faultdisk.Node) map[string]string {
	places := maps.Clone(links)
	if start.Find("target/pg_wal") == nil { // it will be a directory
		delete(places, "pg_wal")
	}
	return places
}
