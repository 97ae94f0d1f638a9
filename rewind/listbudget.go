package rewind

import (
	"context"
	"fmt"

	"github.com/gorewind/gorewind/pgdata"
)

// listBudget is how much of a listing is believed of a source. What is listed is kept,
// and what has to be copied again in the plan; so a source that invents files could
// take all memory. The target, which was a copy of it, says how many can be: a source
// has a few times as many, or some more.
type listBudget struct {
	files int64 // that the source may have in any case
	bytes int64 // of their names
	times int64 // as many as the target may be believed in any case

	target chan struct{} // closed when the target was counted
	counted,
	listed listCount
}

type listCount struct{ files, bytes int64 }

func (c *listCount) add(f pgdata.FileInfo) {
	c.files++
	c.bytes += int64(len(f.Path) + len(f.Link))
}

// A file that is to be copied takes some 400 bytes of memory in the end.
const (
	freeFiles = 250_000
	freeBytes = 16 << 20
	asMuch    = 2
	allFiles  = 4_000_000
	allBytes  = 256 << 20
)

func newListBudget(s Side) *listBudget {
	if s.Unknown {
		return &listBudget{files: allFiles, bytes: allBytes, times: asMuch, target: make(chan struct{})}
	}
	return &listBudget{files: freeFiles, bytes: freeBytes, times: asMuch, target: make(chan struct{})}
}

// addTarget counts an entry of the target's.
func (b *listBudget) addTarget(f pgdata.FileInfo) { b.counted.add(f) }

// endTarget says that all of the target was counted.
func (b *listBudget) endTarget() { close(b.target) }

// addSource refuses what is too much. As soon as it depends on the target, that is
// waited for, which is read from a disk of this machine.
func (b *listBudget) addSource(ctx context.Context, f pgdata.FileInfo) error {
	b.listed.add(f)
	if b.listed.files <= b.files && b.listed.bytes <= b.bytes {
		return nil
	}
	select {
	case <-b.target:
	case <-ctx.Done():
		return ctx.Err()
	}
	if b.listed.files <= b.files+b.times*b.counted.files && b.listed.bytes <= b.bytes+b.times*b.counted.bytes {
		return nil
	}
	return fmt.Errorf("the source lists %d files with names of %d bytes and more, and the target has %d with %d: "+
		"if it really has that many, take a base backup: %w",
		b.listed.files, b.listed.bytes, b.counted.files, b.counted.bytes, ErrSourceUntrusted)
}
