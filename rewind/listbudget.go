package rewind

import (
	"context"
	"fmt"

	"github.com/gorewind/gorewind/pgdata"
)

// listBudget limits the size of a source's listing. The listing is held in memory, and
// so is the part of it that must be copied, in the plan. So a source that invents files
// could use up all memory. The target was a copy of the source, so its size sets the
// limit: a source may have a few times as many files, or some more.
type listBudget struct {
	files int64 // files that the source may have in any case
	bytes int64 // bytes in their names
	times int64 // the source may have this many times as many as the target

	target chan struct{} // closed when the target was counted
	counted,
	listed listCount
}

type listCount struct{ files, bytes int64 }

func (c *listCount) add(f pgdata.FileInfo) {
	c.files++
	c.bytes += int64(len(f.Path) + len(f.Link))
}

// A file to be copied takes about 400 bytes of memory in the end.
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

// addTarget counts an entry of the target.
func (b *listBudget) addTarget(f pgdata.FileInfo) { b.counted.add(f) }

// endTarget says that the whole target was counted.
func (b *listBudget) endTarget() { close(b.target) }

// addSource returns an error if the source lists too much. If that depends on the
// target, it waits until the target is counted, which is fast because it is on a local
// disk.
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
