package rewind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gorewind/gorewind/internal/archive"
	"github.com/gorewind/gorewind/internal/datadir"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// ErrForkUnknown says that the two sides have different WAL on one timeline, and that
// the WAL which would show where it begins to differ is gone.
var ErrForkUnknown = errors.New("source and target have different WAL on one timeline, and where it begins to differ cannot be determined")

// witness is the last part of the target's WAL before a limit that shows which server
// wrote it: it contains the end of a transaction, whose time in microseconds no two
// servers share. Equal records alone prove nothing: two servers promoted at the same
// place write checkpoints of the same form, perhaps even in the same second.
type witness struct {
	from, end pgdata.LSN // both are record boundaries
	last      pgdata.LSN // start of its last record
}

// witnessSizes are the distances within which a witness is looked for, in turn. The
// first can be read in one request; after the last the search is given up.
var witnessSizes = []pgdata.LSN{64 << 10, 1 << 20, 16 << 20}

// maxStretch is how much WAL is compared at a time.
const maxStretch = 2 << 20

// findWitness reads the target's WAL before a limit.
func (a *analyzer) findWitness(ctx context.Context, wal walreader.Segments, limit pgdata.LSN) (w witness, err error) {
	r := walreader.NewReader(wal, a.format)
	defer r.Close()
	for _, size := range witnessSizes {
		begin := pgdata.LSN(a.geo.WALSegSize) // where WAL starts
		if limit > begin+size {
			begin = a.geo.PageStart(limit - size)
		}
		found, rerr := a.readWitness(ctx, r, begin, limit)
		switch {
		case rerr != nil && w.end != 0 && isMissing(rerr):
			return w, nil // there is no more before it
		case rerr != nil:
			return w, rerr
		case found.certain:
			return found.witness, nil
		}
		if w = found.witness; begin == pgdata.LSN(a.geo.WALSegSize) {
			break
		}
	}
	return w, nil
}

type foundWitness struct {
	witness
	certain bool
}

// readWitness reads the records from begin on. The witness starts with the last record
// that ends a transaction, or with the first one that is read.
func (a *analyzer) readWitness(ctx context.Context, r *walreader.Reader, begin, limit pgdata.LSN) (w foundWitness, err error) {
	first, err := r.FindNextRecord(ctx, begin)
	if err != nil && isMissing(err) { // after a switch to the next segment nothing is written
		first, err = r.FindNextRecord(ctx, a.geo.SegStart(a.geo.SegNo(begin)))
	}
	if err != nil && isMissing(err) && a.geo.SegNo(begin) < a.geo.SegNo(limit-1) { // its segment may be gone
		first, err = r.FindNextRecord(ctx, a.geo.SegStart(a.geo.SegNo(limit-1)))
	}
	if err != nil {
		return w, err
	}
	w.from = first
	for rec, err := range r.Records(ctx, first, limit) {
		if err != nil {
			if w.end != 0 && isMissing(err) {
				break // WAL ends before the supposed end
			}
			return w, err
		}
		if rec.End > limit {
			break
		}
		w.end, w.last = rec.End, rec.LSN
		if _, ends := a.format.TransactionEnd(rec); ends {
			w.from, w.certain = rec.LSN, true
		}
	}
	if w.end == 0 {
		return w, fmt.Errorf("no WAL record ends before %s: %w", a.lsn(limit), fs.ErrNotExist)
	}
	return w, nil
}

// compareRecords proves that the target's last records before the limit are in the
// source's WAL at the same place, or finds the first that is not.
func (a *analyzer) compareRecords(ctx context.Context, f fork, s sides, limit pgdata.LSN) (fork, error) {
	own := a.targetWAL(s.target.History).ofAny()
	near := own
	near.archived = a.geo.SegNo(limit - 1) // no archive is asked for older segments
	w, err := a.findWitness(ctx, near, limit)
	switch {
	case err != nil && isMissing(err) && (limit == f.ancestor || limit == s.target.EndOfWAL):
		f.at, f.unproven = limit, fmt.Sprintf("the target's WAL is not readable there: %v", err)
		return f, nil // any later step that needs this WAL reports the error
	case err != nil:
		return f, a.unreadable(err)
	}
	f.at = limit
	// No server ends its WAL within a record. If WAL is the same up to there all the same,
	// the scan reports it.
	within := limit == f.ancestor && limit != a.geo.PageStart(limit)
	if !a.sameBoundary(w.end, limit) && !within {
		f.at = w.end // what follows is incomplete on one of the sides
	}
	theirs := a.sharedWAL(s.source)
	same, err := a.sameWAL(ctx, own, theirs, w.from, w.end)
	for err != nil && errors.Is(err, fs.ErrNotExist) && a.geo.SegNo(w.from) < a.geo.SegNo(w.last) {
		// What the source still has is enough, if that is at least the last record.
		w.from = a.geo.SegStart(a.geo.SegNo(w.from) + 1)
		same, err = a.sameWAL(ctx, own, theirs, w.from, w.end)
	}
	switch {
	case err == nil && same:
		return f, nil
	case err != nil && errors.Is(err, fs.ErrNotExist):
		f.unproven = fmt.Sprintf("the source no longer has that WAL, and no archive has it: %v", err)
		return f, nil
	case err != nil:
		return f, err
	}
	f.at, err = a.firstDifference(ctx, own, theirs, w)
	return f, err
}

// sameBoundary reports whether two LSNs are the same place between two records: one may
// be before a page header and the other after it.
func (a *analyzer) sameBoundary(x, y pgdata.LSN) bool {
	if x > y {
		x, y = y, x
	}
	return x == y || a.geo.PageStart(y) == x && y-x <= 40
}

// sharedWAL opens the source's WAL wherever it is.
func (a *analyzer) sharedWAL(s Side) sourceWAL {
	w := a.sourceWAL(s.History).ofAny()
	w.archive = func(ctx context.Context, name string) (*os.File, error) {
		p, err := a.restoreAnyway(ctx, name)
		var missing *archive.NotFoundError
		if errors.As(err, &missing) || p == "" && err == nil {
			return nil, fs.ErrNotExist
		} else if err != nil {
			return nil, err
		}
		return a.target.Open(p)
	}
	return w
}

// sameWAL compares a range of WAL byte by byte, page headers included: a server sends
// what it wrote.
func (a *analyzer) sameWAL(ctx context.Context, own targetWAL, theirs sourceWAL, from, to pgdata.LSN) (bool, error) {
	for from = a.geo.PageStart(from); from < to; {
		s := a.geo.SegNo(from)
		end := min(to, a.geo.SegStart(s+1), from+maxStretch)
		mine, err := readStretch(ctx, own, a.geo, from, end)
		if err != nil {
			return false, err
		}
		other, err := readStretch(ctx, theirs, a.geo, from, end)
		if err != nil || !bytes.Equal(mine, other) {
			return false, err
		}
		from = end
	}
	return true, nil
}

// readStretch reads a part of one segment. A file that is too short counts as missing.
func readStretch(ctx context.Context, wal walreader.Segments, geo pgdata.Geometry, from, end pgdata.LSN) ([]byte, error) {
	s := geo.SegNo(from)
	f, err := wal.OpenSegment(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, end-from)
	n, err := f.ReadAt(b, int64(from-geo.SegStart(s)))
	if n == len(b) {
		return b, nil
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = fs.ErrNotExist
	} else {
		err = datadir.Reason(err)
	}
	return nil, fmt.Errorf("WAL segment %s: %w", f.Name(), err)
}

// firstDifference finds the first record that is not the same on both sides, in a range
// that differs. It searches by segments first, then by records. Once two servers write
// WAL of their own, no segment of it is the same.
func (a *analyzer) firstDifference(ctx context.Context, own targetWAL, theirs sourceWAL, w witness) (pgdata.LSN, error) {
	a.log.InfoContext(ctx, "source and target have different WAL on the same timeline, looking for the first record that differs", "from", a.lsn(w.from))
	differs := a.geo.SegNo(w.from) // the first difference is in this segment, an earlier one, or the rest of the range
	same := pgdata.SegNo(0)
	for step := pgdata.SegNo(1); same == 0; step *= 2 {
		if differs <= 1 { // where WAL starts
			return a.differenceFrom(ctx, own, theirs, a.geo.SegStart(1), w.end, fs.ErrNotExist)
		}
		at := max(1, differs-min(step, differs))
		alike, err := a.sameSegment(ctx, own, theirs, at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && at+1 < differs:
			step = 0 // a nearer segment may be there
			if alike, err = a.sameSegment(ctx, own, theirs, differs-1); errors.Is(err, fs.ErrNotExist) {
				return a.differenceFrom(ctx, own, theirs, a.geo.SegStart(differs), w.end, err)
			}
			at = differs - 1
		case errors.Is(err, fs.ErrNotExist):
			return a.differenceFrom(ctx, own, theirs, a.geo.SegStart(differs), w.end, err)
		}
		if err != nil {
			return 0, err
		}
		if alike {
			same = at
		} else {
			differs = at
		}
		step = max(step, 1)
	}
	for same+1 < differs {
		middle := same + (differs-same)/2
		alike, err := a.sameSegment(ctx, own, theirs, middle)
		if err != nil {
			return 0, a.forkUnknown(a.geo.SegStart(middle), err)
		}
		if alike {
			same = middle
		} else {
			differs = middle
		}
	}
	return a.differenceFrom(ctx, own, theirs, a.geo.SegStart(same), w.end, nil)
}

func (a *analyzer) sameSegment(ctx context.Context, own targetWAL, theirs sourceWAL, s pgdata.SegNo) (bool, error) {
	return a.sameWAL(ctx, own, theirs, a.geo.SegStart(s), a.geo.SegStart(s+1))
}

// differenceFrom compares both sides' records from begin on. If the WAL before it is
// gone, the first record must be the same, otherwise the two diverged earlier.
func (a *analyzer) differenceFrom(ctx context.Context, own targetWAL, theirs sourceWAL, begin, end pgdata.LSN, gone error) (pgdata.LSN, error) {
	r := walreader.NewReader(own, a.format)
	defer r.Close()
	from, err := r.FindNextRecord(ctx, begin)
	if err != nil {
		return 0, a.unreadable(err)
	}
	at, _, err := walreader.FirstDifference(ctx, own, theirs, a.format, from, end)
	if err == nil && at <= from && gone != nil {
		return 0, a.forkUnknown(begin, gone)
	}
	return at, err
}

func (a *analyzer) forkUnknown(before pgdata.LSN, err error) error {
	return &Explained{
		Err:    ErrForkUnknown,
		Detail: fmt.Sprintf("They differ at %s already, and earlier WAL is missing: %v.", a.lsn(before), err), Hint: takeBase,
	}
}
