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

// ErrSourceDamaged says that pages of the source are damaged. The target's copies of
// them may be good.
var ErrSourceDamaged = errors.New("pages of the source have wrong checksums")

// DamagedPage is a page of the source with a wrong checksum.
type DamagedPage struct {
	Path     string
	Relation string // its name, if the source knows it
	Block    uint32 // block number within the whole relation
	LSN      pgdata.LSN
	Reason   string
}

// DamagedPagesError lists the first damaged pages that were found.
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

// Unwrap returns ErrSourceDamaged.
func (e *DamagedPagesError) Unwrap() error { return ErrSourceDamaged }

func (d DamagedPage) String() string {
	name := ""
	if d.Relation != "" {
		name = d.Relation + ", "
	}
	return fmt.Sprintf("%sfile %q: %s", name, d.Path, d.Reason)
}

// checksumsOn is the data checksum version of a cluster in which every page has a
// checksum. 19 has other values while checksums are being switched on or off
// (PG_DATA_CHECKSUM_VERSION and the constants after it, storage/bufpage.h).
const checksumsOn = 1

// How often to read a page that is being written, and how long to wait in between. The
// kernel finishes such a write in less than a millisecond.
const (
	pageReads = 8
	pagePause = 50 * time.Millisecond
)

// maxDoubtful is the maximum number of suspect pages at a time: a server never writes
// that many at once.
const maxDoubtful = 4096

// verifier sits between the source and the target. It passes on pages of tables and
// indexes with right checksums, and holds the others back to be read again. It ignores
// free space and visibility maps: WAL does not protect them from torn writes, and
// servers treat a damaged one as empty.
type verifier struct {
	source.Sink
	version *pgdata.Version
	geo     pgdata.Geometry
	mu      sync.Mutex
	doubt   []suspectPage
}

type suspectPage struct {
	path   string
	offset int64
	err    *page.ChecksumError
}

var pageBuffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// verifying puts a verifier in front of a sink if the source has checksums. It returns
// nil if there is nothing to verify.
func (r *Rewind) verifying(to source.Sink) *verifier {
	if r.opts.NoVerifyChecksums || r.plan.Source.Control.DataChecksumVersion != checksumsOn {
		return nil
	}
	return &verifier{Sink: to, version: r.plan.Version, geo: r.plan.Source.Control.Geometry}
}

// wrong returns the offsets, within a piece, of the pages whose checksums are wrong. It
// ignores partial pages.
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
		if v.doubt = append(v.doubt, suspectPage{path, offset + i, bad}); len(v.doubt) > maxDoubtful {
			err = damagedPages(v.doubt)
		}
		v.mu.Unlock()
		if err != nil {
			return at, err
		}
	}
	return at, nil
}

// WriteAt writes the pages that are right to the sink.
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

// around calls do for the ranges between the bad pages.
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

// CopyFrom checks a local file before the kernel copies it.
func (v *verifier) CopyFrom(path string, from *os.File, offset, length int64) (int64, error) {
	if _, is := pgdata.ParseRelPath(v.version, path); !is || length == 0 {
		return source.CopyFrom(v.Sink, path, from, offset, length)
	}
	buf := pageBuffers.Get().(*[256 << 10]byte)
	defer pageBuffers.Put(buf)
	var copied int64
	for copied < length {
		n, _ := from.ReadAt(buf[:min(int64(len(buf)), length-copied)], offset+copied)
		if n == 0 { // end of file, or an error that the copy will return, too
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

// rereadSuspects reads again the pages that were held back. A page that a running server was
// just writing is complete by now. A page that stays wrong ends the rewind.
func (r *Rewind) rereadSuspects(ctx context.Context, v *verifier) error {
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
	if control.DataChecksumVersion != checksumsOn { // checksums were switched off meanwhile
		return r.copyUnverified(ctx, held, v.Sink)
	}
	return r.sourceDamaged(ctx, damagedPages(held), "Each was read several times. ")
}

// sourceDamaged returns the error for a source with damaged pages, with advice.
func (r *Rewind) sourceDamaged(ctx context.Context, e *DamagedPagesError, how string) error {
	return &Explained{
		Err: e.named(ctx, r.opts.Source, r.plan.Version), Detail: how + "The target's copies of these pages may be good.",
		Hint: "Repair or replace the source, or copy its pages as they are (Options.NoVerifyChecksums).",
	}
}

// copyUnverified copies pages without checking their checksums.
func (r *Rewind) copyUnverified(ctx context.Context, held []suspectPage, to source.Sink) error {
	return r.opts.Source.Fetch(ctx, func(yield func(source.Range) bool) {
		for _, d := range held {
			if !yield(source.Range{Path: d.path, Offset: d.offset, Length: int64(r.plan.Files.Geometry.BlockSize)}) {
				return
			}
		}
	}, to)
}

func damagedPages(list []suspectPage) *DamagedPagesError {
	e := new(DamagedPagesError)
	for _, d := range list {
		e.Pages = append(e.Pages, DamagedPage{Path: d.path, Block: d.err.Block, LSN: d.err.LSN, Reason: d.err.Error()})
	}
	return e
}

// named asks the source for the names of the relations, if it can tell.
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
