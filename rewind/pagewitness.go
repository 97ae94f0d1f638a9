package rewind

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/gorewind/gorewind/internal/page"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// What bounds the proof by pages: how many pages of a stretch of WAL are looked at, how
// many are asked for at a time, and how many segments of the target's WAL are read.
const (
	maxWitnessPages    = 4096
	witnessPagesAtOnce = 256
	maxWitnessSegments = 16
)

// proveByPages proves by pages what WAL would that the source has no more: up to where
// the two have one history. A page says by its LSN which record changed it last. The
// pages are looked at that the target's WAL says were changed, as far back as it has any.
// One that is the same on both sides, with its LSN, was changed last by a record that
// both histories have. One that is older on the source, or another at the same LSN, was
// changed by a record that only the target has. One that is newer on the source was
// changed by a record that may be of either. The newest page of the first sort is the
// fork, as far as is known, if all others differ because of what came after it.
//
// A page that is the same proves little by itself. Two servers that were promoted at one
// place come to write the same records at the same places whenever the same is done on
// both behind a switch of WAL segments: it is the pages of before, which they changed
// differently, that tell. So no page ends the search but one that contradicts.
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
	w, own := newPageWitness(a, s, f), a.backward(ctx, s.target)
	for w.contradiction() == "" {
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
	switch differs := w.contradiction(); {
	case differs != "":
		return o, unproven("pages do not tell, either: %s", differs)
	case w.same == 0:
		return o, unproven("there is no page that both changed last by the same record")
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
	differs, err := a.hintsAlike(ctx, s, f, own.events)
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
func (a *analyzer) hintsAlike(ctx context.Context, s sides, f fork, e *events) (differs string, err error) {
	if err := a.checkPageHints(s); err != nil {
		return "", err
	}
	if s.target.Control.DataChecksumVersion == 0 {
		if err := a.checkHints(ctx, s, f, e); err != nil {
			return "", err
		}
	}
	to := s.target.FilesLow.Redo
	if f.at >= to {
		return "", nil
	}
	if e.promoted > f.at {
		return fmt.Sprintf("the target was promoted at %s, after the last page that both have", a.lsn(e.promoted)), nil
	}
	read, err := walreader.Read(ctx, a.targetWAL(s.target.History).own(), a.format, walreader.ReadRequest{
		From: f.at, To: to, Visitor: func() walreader.Visitor { return newEndedTransactions(a.format) },
	})
	if err != nil {
		return "", a.unreadable(err)
	}
	return a.endedAlike(ctx, read.Visitor.(*endedTransactions))
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
	begin, end pgdata.LSN // of the target's WAL, as far as it was read
	redo       pgdata.LSN // what was changed before is in the target's files
	ancestor   pgdata.LSN // by the histories nothing after it is of both

	same  pgdata.LSN // the newest page that both have; zero: none
	own   pgdata.LSN // the oldest page that only the target has; zero: none
	newer pgdata.LSN // the oldest that the source has newer, as it has it; zero: none
	pages int        // that both have
	told  map[source.Range]bool
}

func newPageWitness(a *analyzer, s sides, f fork) *pageWitness {
	w := &pageWitness{a: a, end: s.target.EndOfWAL, redo: s.target.FilesLow.Redo, ancestor: f.ancestor, told: map[source.Range]bool{}}
	w.begin = w.end
	if w.ancestor == 0 {
		w.ancestor = w.end
	}
	return w
}

// contradiction is empty if what was seen can be of histories that part once, behind the
// newest page that both have. Else it says what cannot. What is copied is what either
// side's WAL changed since then, or since the target's checkpoint if that is older: so a
// page that differs and is older on both sides than that would stay as it is.
func (w *pageWitness) contradiction() string {
	switch {
	case w.own != 0 && w.own <= w.same:
		return fmt.Sprintf("one that the target changed at %s is another on the source, one that it changed at %s is the same", w.a.lsn(w.own), w.a.lsn(w.same))
	case w.newer != 0 && w.newer <= min(w.same, w.redo):
		return fmt.Sprintf("one that the source changed at %s is older on the target, one that the target changed at %s is the same", w.a.lsn(w.newer), w.a.lsn(w.same))
	}
	return ""
}

// sample are the blocks to be compared, as pages: all that have not told anything, or
// some from everywhere.
func (w *pageWitness) sample(blocks pgdata.ChangedBlocks) (ranges []source.Range) {
	total, unjudged := 0, w.unjudged(blocks)
	for range unjudged {
		total++
	}
	step, i := max(1, (total+maxWitnessPages-1)/maxWitnessPages), 0
	for r := range unjudged {
		if i++; i%step == 0 {
			ranges = append(ranges, r)
		}
	}
	return ranges
}

func (w *pageWitness) unjudged(blocks pgdata.ChangedBlocks) iter.Seq[source.Range] {
	size := int64(w.a.geo.BlockSize)
	files := make(map[string]*pgdata.BlockSet, len(blocks))
	for file, set := range blocks {
		files[file.Path(w.a.version)] = set
	}
	paths := slices.Sorted(maps.Keys(files))
	return func(yield func(source.Range) bool) {
		for _, path := range paths {
			r := source.Range{Path: path, Length: size}
			for b := range files[path].All() {
				if r.Offset = int64(b) * size; !w.told[r] && !yield(r) {
					return
				}
			}
		}
	}
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
			at, is := w.judge(mine, theirs.of[r])
			if is == onTarget && again > 0 {
				read = append(read, r)
				continue
			}
			w.note(at, is)
			w.told[r] = is != notYet
		}
		reader.close()
		ranges = read
	}
	return nil
}

// whose says which of the two histories has what changed a page last.
type whose int

const (
	notYet   whose = iota // WAL of before what was read did, as far as the files tell
	unknown               // one of them has cut or removed it
	onBoth                // what changed it last on the target
	onTarget              // what changed it last on the target
	onSource              // what changed it last on the source, at least
)

// judge compares one page, and says when what it tells of was changed.
func (w *pageWitness) judge(mine, theirs []byte) (at pgdata.LSN, is whose) {
	size := int(w.a.geo.BlockSize)
	if len(mine) < size || len(theirs) < size {
		return 0, unknown
	}
	own, other := page.LSN(mine), page.LSN(theirs)
	switch {
	case own > w.end:
		return own, unknown
	case other > own:
		return other, onSource
	case own <= w.begin:
		return own, notYet
	case other < own, own > w.ancestor, page.Compare(mine, theirs) > page.ByFreeSpace:
		return own, onTarget
	}
	return own, onBoth
}

// note takes into account what one page tells.
func (w *pageWitness) note(at pgdata.LSN, is whose) {
	switch is {
	case onBoth:
		w.pages++
		w.same = max(w.same, at)
	case onTarget:
		w.own = earliest(w.own, at)
	case onSource:
		w.newer = earliest(w.newer, at)
	}
}

// earliest is the lower one of two LSNs, of which zero stands for none.
func earliest(x, y pgdata.LSN) pgdata.LSN {
	if x == 0 {
		return y
	}
	return min(x, y)
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
