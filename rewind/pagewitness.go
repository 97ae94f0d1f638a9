package rewind

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// What bounds the proof by pages: how many pages of a stretch of WAL are looked at, how
// many are asked for at a time, and how many segments of the target's WAL are read.
const (
	maxWitnessPages    = 1024
	witnessPagesAtOnce = 256
	maxWitnessSegments = 16
)

// proveByPages proves by pages what WAL would that the source has no more: up to where
// the two have one history. A page says by its LSN which record changed it last. The
// pages are looked at that the target's WAL says were changed, from its end backwards
// until one tells. One that is the same on both sides, with its LSN, was changed last by
// a record that both histories have, and so is all before it. One that is older on the
// source, or another at the same LSN, was changed by a record that only the target has.
// What the source has newer tells nothing. If the histories part once, all pages of the
// one sort have lower LSNs than those of the other; then the highest of them is the fork,
// as far as is known.
//
// What the target changed after the fork counts as different. What is not seen is that
// two servers parted before all WAL that is read, or in so many pages of it that only
// some were looked at, and have come to write the same records at the same places since
// then.
func (a *analyzer) proveByPages(ctx context.Context, s sides, f fork) (o ownChanges, err error) {
	unproven := func(reason string, args ...any) error {
		return &Explained{Err: ErrUnproven, Detail: sentence(f.unproven + "; " + fmt.Sprintf(reason, args...))}
	}
	end := s.target.EndOfWAL
	if s.source.FilesLow.Redo < end {
		return o, unproven("the source has made no checkpoint since, so its files do not tell")
	}
	w, own := pageWitness{a: a, end: end}, a.backward(ctx, s.target)
	for w.same == 0 {
		changed, more, err := own.read(ctx)
		if err != nil {
			return o, a.unreadable(err)
		}
		if !more {
			break
		}
		w.begin = own.begin
		for batch := range slices.Chunk(w.sample(changed.Blocks), witnessPagesAtOnce) {
			if err := w.compare(ctx, batch); err != nil {
				return o, err
			}
		}
	}
	switch {
	case w.same == 0:
		return o, unproven("there is no page that both changed last by the same record")
	case w.own != 0 && w.own < w.same:
		return o, unproven("pages do not tell, either: one that the target changed at %s is another on the source, one that it changed at %s is the same", a.lsn(w.own), a.lsn(w.same))
	}
	a.log.Info(fmt.Sprintf("source and target have %d pages that the same records changed last, the newest at %s", w.pages, a.lsn(w.same)),
		"pages", w.pages, "lsn", a.lsn(w.same))
	f.at, f.unproven = w.same, ""
	f.timeline = timelineAt(s.target.History, f.at)
	f.required = end > f.at
	o = ownChanges{fork: f, since: min(s.target.FilesLow.Redo, f.at)}
	if !f.required {
		return o, nil
	}
	if o.changed, _, err = a.readChanges(ctx, a.targetWAL(s.target.History).own(), f.at, end, nil); err != nil {
		return o, a.unreadable(err)
	}
	differs, err := a.hintsAlike(ctx, s, f, own)
	if err == nil && differs != "" {
		err = unproven("%s", differs)
	}
	return o, err
}

// hintsAlike is empty if no hint is in the target's pages, without being in its WAL of
// after the fork, that the source's history is against. A server logs a hint unless the
// page was changed since its last checkpoint's redo point. If that lies before the fork,
// the source's changes are read from there on, and the page is among them. If it lies
// after it, hints of after it are logged or in pages that changed after the fork; those
// between the two can be missing. All that they can have said anew is how transactions
// ended which the target's WAL ends there; a promotion ends some in silence.
func (a *analyzer) hintsAlike(ctx context.Context, s sides, f fork, own *backwardWAL) (differs string, err error) {
	if err := a.checkPageHints(s); err != nil {
		return "", err
	}
	if s.target.Control.DataChecksumVersion == 0 {
		for more := true; more; { // what the setting was can show long before
			if _, more, err = own.read(ctx); err != nil {
				return "", a.unreadable(err)
			}
		}
		if err := a.checkHints(ctx, s, f, own.events); err != nil {
			return "", err
		}
	}
	to := s.target.FilesLow.Redo
	if f.at >= to {
		return "", nil
	}
	if own.events.promoted > f.at {
		return fmt.Sprintf("the target was promoted at %s, after the last page that both have", a.lsn(own.events.promoted)), nil
	}
	read, err := walreader.Read(ctx, a.targetWAL(s.target.History).own(), a.format, walreader.ReadRequest{
		From: f.at, To: to, Visitor: func() walreader.Visitor { return newEndings(a.format) },
	})
	if err != nil {
		return "", a.unreadable(err)
	}
	return a.endedAlike(ctx, read.Visitor.(*endings))
}

// backwardWAL reads the target's WAL backwards from its end, in ranges that grow, as
// far back as there is no gap.
type backwardWAL struct {
	a      *analyzer
	wal    targetWAL
	needed pgdata.SegNo // older segments may be incomplete
	oldest pgdata.SegNo
	size   pgdata.SegNo // segments in the next range

	first  pgdata.SegNo // first segment that was read
	begin  pgdata.LSN   // start of its first record
	events *events      // all events that were read
}

func (a *analyzer) backward(ctx context.Context, s Side) *backwardWAL {
	b := &backwardWAL{a: a, wal: a.targetWAL(s.History).own(), needed: a.geo.SegNo(s.FilesLow.Redo), size: 1, begin: s.EndOfWAL, events: newEvents(0)}
	last := a.geo.SegNo(s.EndOfWAL - 1)
	b.first, b.oldest = last+1, b.needed
	for b.oldest > 1 && last-b.oldest < maxWitnessSegments && a.hasOwn(ctx, b.wal, b.oldest-1) {
		b.oldest--
	}
	return b
}

// read returns what the next range changed, unless there is none.
func (b *backwardWAL) read(ctx context.Context) (changed pgdata.Changes, more bool, err error) {
	for b.first > b.oldest {
		end, floor := b.first, b.oldest
		if end > b.needed {
			floor = b.needed
		}
		for from := end - min(b.size, end-floor); from < end; from++ {
			begin, err := b.a.firstRecord(ctx, b.wal, from)
			if from > b.needed && (err != nil && isMissing(err) || begin >= b.begin) {
				break // no record begins in that segment
			}
			if err == nil && begin < b.begin {
				var e *events
				if changed, e, err = b.a.readChanges(ctx, b.wal, begin, b.begin, nil); err == nil {
					b.events.Prepend(e)
					b.first, b.begin, b.size = from, begin, 2*b.size
					return changed, true, nil
				}
			}
			if err != nil && (from >= b.needed || !isMissing(err)) {
				return changed, false, err
			}
		}
		b.first = end - min(b.size, end-floor)
		b.size *= 2
	}
	return changed, false, nil
}

// hasOwn reports whether the target has a segment, and it is what its name says.
func (a *analyzer) hasOwn(ctx context.Context, wal targetWAL, s pgdata.SegNo) bool {
	_, err := walreader.PageTimeline(ctx, wal, a.format, a.geo.SegStart(s))
	return err == nil
}

// firstRecord returns where the first record of a segment begins.
func (a *analyzer) firstRecord(ctx context.Context, wal targetWAL, s pgdata.SegNo) (pgdata.LSN, error) {
	r := walreader.NewReader(wal, a.format)
	defer func() { _ = r.Close() }()
	return r.FindNextRecord(ctx, a.geo.SegStart(s))
}

// pageWitness compares pages of both sides.
type pageWitness struct {
	a          *analyzer
	begin, end pgdata.LSN // of the target's WAL
	same       pgdata.LSN // the newest page that both have; zero: none
	own        pgdata.LSN // the oldest page that only the target has; zero: none
	pages      int        // that both have
}

// sample are the blocks to be compared, as pages: all of them, or some from everywhere.
func (w *pageWitness) sample(blocks pgdata.ChangedBlocks) []source.Range {
	total := 0
	for _, set := range blocks {
		total += set.Len()
	}
	step := max(1, (total+maxWitnessPages-1)/maxWitnessPages)
	size := int64(w.a.geo.BlockSize)
	var ranges []source.Range
	files := slices.SortedFunc(maps.Keys(blocks), func(x, y pgdata.RelSegment) int {
		return strings.Compare(x.Path(w.a.version), y.Path(w.a.version))
	})
	i := 0
	for _, file := range files {
		for b := range blocks[file].All() {
			if i++; i%step == 0 {
				ranges = append(ranges, source.Range{Path: file.Path(w.a.version), Offset: int64(b) * size, Length: size})
			}
		}
	}
	return ranges
}

// compare looks at some pages. One that only the target has is read again: a server may
// just have been writing it.
func (w *pageWitness) compare(ctx context.Context, ranges []source.Range) error {
	for again := 2; len(ranges) > 0; again-- {
		theirs := pages{size: int64(w.a.geo.BlockSize), of: map[source.Range][]byte{}}
		if err := w.a.source.Fetch(ctx, slices.Values(ranges), &theirs); err != nil {
			return err
		}
		reader := fileReader{open: w.a.target.Open, counts: w.a.target.CountRead}
		var read []source.Range
		for _, r := range ranges {
			mine, err := reader.read(ctx, r)
			if err != nil {
				reader.close()
				return err
			}
			switch own, is := w.judge(mine, theirs.of[r]); {
			case is == onBoth:
				w.pages++
				w.same = max(w.same, own)
			case is == onTarget && again > 0:
				read = append(read, r)
			case is == onTarget && (w.own == 0 || own < w.own):
				w.own = own
			}
		}
		reader.close()
		ranges = read
	}
	return nil
}

// whose says which of the two histories has what changed a page of the target last.
type whose int

const (
	unclear whose = iota // it was not yet written, or the source has changed, cut or removed it since
	onBoth
	onTarget
)

// judge compares one page.
func (w *pageWitness) judge(mine, theirs []byte) (own pgdata.LSN, is whose) {
	size := int(w.a.geo.BlockSize)
	if len(mine) < size || len(theirs) < size {
		return 0, unclear
	}
	own = page.LSN(mine)
	switch other := page.LSN(theirs); {
	case own <= w.begin, own > w.end, other > own:
		return own, unclear
	case other < own, page.Compare(mine, theirs) > page.ByFreeSpace:
		return own, onTarget
	}
	return own, onBoth
}

// pages collects what a source sends of pages, by range.
type pages struct {
	size int64
	mu   sync.Mutex
	of   map[source.Range][]byte
}

func (p *pages) WriteAt(path string, data []byte, offset int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(data) > 0 {
		within := offset % p.size
		r := source.Range{Path: path, Offset: offset - within, Length: p.size}
		if p.of[r] == nil {
			p.of[r] = make([]byte, 0, p.size)
		}
		n := min(p.size-within, int64(len(data)))
		if int64(len(p.of[r])) == within { // otherwise a part is missing, and the page stays too short
			p.of[r] = append(p.of[r], data[:n]...)
		}
		data, offset = data[n:], offset+n
	}
	return nil
}

func (p *pages) Vanished(string) error { return nil }
