package rewind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// ErrSourceDamaged says that pages of the source are damaged. The target's own may be
// good.
var ErrSourceDamaged = errors.New("pages of the source have wrong checksums")

// DamagedPage is a page of the source whose checksum is wrong.
type DamagedPage struct {
	Path     string
	Relation string // its name, where the source knows it
	Block    uint32 // counted over all files of the relation
	LSN      pgdata.LSN
	Reason   string
}

// DamagedPagesError has the first of the pages that were found damaged.
type DamagedPagesError struct{ Pages []DamagedPage }

func (e *DamagedPagesError) Error() string {
	if len(e.Pages) == 0 {
		return ErrSourceDamaged.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %s", ErrSourceDamaged, e.Pages[0])
	if n := len(e.Pages); n > 1 {
		fmt.Fprintf(&b, ", and %d more", n-1)
	}
	return b.String()
}

// Unwrap gives ErrSourceDamaged.
func (e *DamagedPagesError) Unwrap() error { return ErrSourceDamaged }

func (d DamagedPage) String() string {
	name := ""
	if d.Relation != "" {
		name = d.Relation + ", "
	}
	return fmt.Sprintf("%sfile %q: %s", name, d.Path, d.Reason)
}

// checksumsOn is the data checksum version of clusters of which every page has one. 19
// has others for those that are being switched over (PG_DATA_CHECKSUM_VERSION and what
// follows it, storage/bufpage.h).
const checksumsOn = 1

// How often a page is read that is being written, and how long in between; the kernel is
// done with it in less than a millisecond.
const (
	pageReads = 8
	pagePause = 50 * time.Millisecond
)

// maxDoubtful is how many pages may be in doubt at once: so many are not being written.
const maxDoubtful = 4096

// verifier is between the source and the target: pages of tables and indexes pass that
// are as a server wrote them, and the others are held back, to be read again. Free
// space and visibility maps are not looked at: no WAL protects them from being half
// written, and servers take a damaged one for an empty one.
type verifier struct {
	source.Sink
	version *pgdata.Version
	geo     pgdata.Geometry
	mu      sync.Mutex
	doubt   []doubtful
}

type doubtful struct {
	path   string
	offset int64
	err    *page.ChecksumError
}

var pageBuffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// verifying puts a verifier before a sink, where the source has checksums. It is nil
// where there is nothing to verify.
func (r *Rewind) verifying(to source.Sink) *verifier {
	if r.opts.NoVerifyChecksums || r.plan.Source.Control.DataChecksumVersion != checksumsOn {
		return nil
	}
	return &verifier{Sink: to, version: r.plan.Version, geo: r.plan.Source.Control.Geometry}
}

// wrong finds the pages of a piece whose checksums are wrong, and says where they begin in
// it. What is no whole page is not looked at.
func (v *verifier) wrong(path string, data []byte, offset int64) (at []int64, err error) {
	segment, is := pgdata.ParseRelPath(v.version, path)
	size := int64(v.geo.BlockSize)
	if !is || len(data) == 0 {
		return nil, nil
	}
	first := uint32(offset/size) + segment.Segment*v.geo.RelSegBlocks
	from := (size - offset%size) % size
	if from > 0 {
		first++
	}
	for i := from; i+size <= int64(len(data)); i += size {
		var bad *page.ChecksumError
		if !errors.As(page.Verify(data[i:i+size], first+uint32((i-from)/size)), &bad) {
			continue
		}
		at = append(at, i)
		v.mu.Lock()
		if v.doubt = append(v.doubt, doubtful{path, offset + i, bad}); len(v.doubt) > maxDoubtful {
			err = damagedPages(v.doubt)
		}
		v.mu.Unlock()
		if err != nil {
			return at, err
		}
	}
	return at, nil
}

// WriteAt hands on what is right.
func (v *verifier) WriteAt(path string, data []byte, offset int64) error {
	bad, err := v.wrong(path, data, offset)
	switch {
	case err != nil:
		return err
	case len(bad) == 0:
		return v.Sink.WriteAt(path, data, offset)
	}
	return v.around(bad, int64(len(data)), func(from, to int64) error {
		return v.Sink.WriteAt(path, data[from:to], offset+from)
	})
}

// around does something with what lies between pages.
func (v *verifier) around(bad []int64, length int64, do func(from, to int64) error) error {
	from := int64(0)
	for _, at := range append(bad, length) {
		if at > from {
			if err := do(from, at); err != nil {
				return err
			}
		}
		from = at + int64(v.geo.BlockSize)
	}
	return nil
}

// CopyFrom reads a file of this machine before the kernel copies it.
func (v *verifier) CopyFrom(path string, from *os.File, offset, length int64) (int64, error) {
	if _, is := pgdata.ParseRelPath(v.version, path); !is || length == 0 {
		return source.CopyFrom(v.Sink, path, from, offset, length)
	}
	buf := pageBuffers.Get().(*[256 << 10]byte)
	defer pageBuffers.Put(buf)
	var copied int64
	for copied < length {
		n, _ := from.ReadAt(buf[:min(int64(len(buf)), length-copied)], offset+copied)
		if n == 0 { // its end, or an error, which shows again
			rest, err := source.CopyFrom(v.Sink, path, from, offset+copied, length-copied)
			return copied + rest, err
		}
		bad, verr := v.wrong(path, buf[:n], offset+copied)
		if verr != nil {
			return copied, verr
		}
		start := offset + copied
		if werr := v.around(bad, int64(n), func(a, b int64) error {
			_, err := source.CopyFrom(v.Sink, path, from, start+a, b-a)
			return err
		}); werr != nil {
			return copied, werr
		}
		copied += int64(n)
	}
	return copied, nil
}

// settle reads again what was held back: a page of a running server that was just being
// written is whole now. One that stays wrong ends the rewind.
func (r *Rewind) settle(ctx context.Context, v *verifier) error {
	if v == nil || len(v.doubt) == 0 {
		return nil
	}
	held := v.doubt
	for n := 1; len(held) > 0; n++ {
		v.doubt = nil
		ranges := make([]source.Range, len(held))
		for i, d := range held {
			ranges[i] = source.Range{Path: d.path, Offset: d.offset, Length: int64(v.geo.BlockSize)}
		}
		if err := r.opts.Source.Fetch(ctx, slices.Values(ranges), v); err != nil {
			return unreadable(err)
		}
		held = v.doubt
		if n == pageReads || len(held) > 0 && !r.plan.Source.State.Live {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pagePause):
		}
	}
	if len(held) == 0 {
		return nil
	}
	control, _, err := lookAtSource(ctx, r.opts.Source)
	if err != nil {
		return err
	}
	if control.DataChecksumVersion != checksumsOn { // they were switched off meanwhile
		return r.takeAsTheyAre(ctx, held, v.Sink)
	}
	return r.sourceDamaged(ctx, damagedPages(held), "Each was read several times. ")
}

// sourceDamaged says what to do about a source with damaged pages.
func (r *Rewind) sourceDamaged(ctx context.Context, e *DamagedPagesError, how string) error {
	return &Explained{
		Err: e.named(ctx, r.opts.Source, r.plan.Version), Detail: how + "What the target has there may be good.",
		Hint: "Repair or replace the source, or copy its pages as they are (Options.NoVerifyChecksums).",
	}
}

// takeAsTheyAre copies pages whatever their checksums are.
func (r *Rewind) takeAsTheyAre(ctx context.Context, held []doubtful, to source.Sink) error {
	return r.opts.Source.Fetch(ctx, func(yield func(source.Range) bool) {
		for _, d := range held {
			if !yield(source.Range{Path: d.path, Offset: d.offset, Length: int64(r.plan.Files.Geometry.BlockSize)}) {
				return
			}
		}
	}, to)
}

func damagedPages(list []doubtful) *DamagedPagesError {
	e := new(DamagedPagesError)
	for _, d := range list {
		e.Pages = append(e.Pages, DamagedPage{Path: d.path, Block: d.err.Block, LSN: d.err.LSN, Reason: d.err.Error()})
	}
	return e
}

// named asks the source what the relations are called, if it can tell.
func (e *DamagedPagesError) named(ctx context.Context, src source.Source, version *pgdata.Version) *DamagedPagesError {
	namer, can := src.(source.Namer)
	if !can {
		return e
	}
	var all []pgdata.RelFileLocator
	for _, p := range e.Pages[:min(len(e.Pages), maxNamed)] {
		if s, is := pgdata.ParseRelPath(version, p.Path); is {
			all = append(all, s.Locator)
		}
	}
	names, err := namer.RelationNames(ctx, all)
	if err != nil {
		return e
	}
	for i := range e.Pages {
		if s, is := pgdata.ParseRelPath(version, e.Pages[i].Path); is {
			if n, known := names[s.Locator]; known {
				e.Pages[i].Relation = n.String()
			}
		}
	}
	return e
}
