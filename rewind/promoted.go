package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// scan reads the target's WAL from the last checkpoint before the fork, or before an
// LSN that is earlier than the fork.
func (a *analyzer) scan(ctx context.Context, s sides, f fork, wal walreader.Segments, before pgdata.LSN) (*past, error) {
	counted := &countedWAL{Segments: wal}
	total := int64(s.target.EndOfWAL - a.geo.SegStart(a.geo.SegNo(f.at)))
	defer a.watch(func() Progress {
		p := Progress{Activity: ReadingWAL, DoneBytes: counted.bytes.Load(), TotalBytes: total}
		if p.DoneBytes > total { // it is not known how far back the last common checkpoint is
			p.TotalBytes = 0
		}
		return p
	})()
	scan, err := walreader.Scan(ctx, counted, a.format, walreader.ScanRequest{
		Fork: f.at, End: s.target.EndOfWAL, Before: before, Visitor: walreader.Visitors(
			func() walreader.Visitor { return lost.NewVisitor(a.format, f.at) },
			func() walreader.Visitor { return newEvents(f.at).in(a.format) },
		),
		BeforeFork: eventRmgrs,
	})
	if err != nil {
		return nil, err
	}
	seen := scan.Visitor.(walreader.VisitorList)
	return &past{
		checkpoint: scan.Checkpoint, changed: scan.Changes, lost: seen[0].(*lost.Visitor).Report(scan.BlocksAfterFork), events: seen[1].(*events),
		scan: ScanSummary{Records: scan.Records, Bytes: scan.Bytes, FirstSegment: scan.FirstSegment, LastSegment: scan.LastSegment},
	}, nil
}

// changedBefore returns what the target changed. If the target was promoted after the
// last common checkpoint, that includes earlier changes. Until its own first
// checkpoint, a promoted server logs a hint only for pages older than the redo point of
// its last restartpoint. That restartpoint may be of an older checkpoint: a
// restartpoint may be slow, or several checkpoints may have come since. So pages that
// were changed before the last common checkpoint may have hints that are in no WAL and
// are true only in the target's history, for example that a transaction ended by the
// promotion failed. That redo point is not recorded anywhere. So the scan goes back to
// before all transactions that were running at the last common checkpoint, since the
// two histories may disagree about those. It goes back by at least one checkpoint,
// because of index entries that are marked as dead. Recovery starts where it would
// otherwise: the pages themselves come from the source.
func (a *analyzer) changedBefore(ctx context.Context, s sides, f fork, p *past) (pgdata.Changes, error) {
	if p.events.promoted <= p.checkpoint.LSN {
		return p.changed, nil
	}
	began := a.firstRecoveryStart()
	running := p.events.checkpoints[p.checkpoint.LSN].oldestActive
	wal := olderWAL{eitherWAL{a.targetWAL(s.target.History), a.sharedWAL(s.source)}, a.geo.SegNo(f.at)}
	for older := p; ; {
		next := older.events.checkpoints[older.checkpoint.LSN].next
		enough := running == 0 || int32(next-running) <= 0
		if older.checkpoint.Redo <= began || enough && older != p {
			return older.changed, nil
		}
		a.log.DebugContext(ctx, fmt.Sprintf("the target was promoted at %s, so WAL from before the checkpoint at %s is read, too",
			a.lsn(p.events.promoted), a.lsn(older.checkpoint.LSN)), "lsn", a.lsn(p.events.promoted), "checkpoint", a.lsn(older.checkpoint.LSN))
		further, err := a.scan(ctx, s, f, wal, older.checkpoint.LSN)
		switch {
		case err != nil && enough && isMissing(err):
			return older.changed, nil
		case errors.Is(err, fs.ErrNotExist):
			return pgdata.Changes{}, a.missingBefore(s, older.checkpoint.LSN, err)
		case err != nil:
			return pgdata.Changes{}, err
		}
		older = further
	}
}

// missingBefore is the error for WAL from before an LSN that neither side has.
func (a *analyzer) missingBefore(s sides, lsn pgdata.LSN, err error) error {
	var missing *MissingWALError
	if errors.As(err, &missing) {
		return err
	}
	var wal *walreader.Error
	if errors.As(err, &wal) && wal.LSN != 0 {
		lsn = wal.LSN
	}
	no := a.geo.SegNo(lsn)
	own := a.targetWAL(s.target.History)
	return &MissingWALError{
		Timeline: s.target.History.TimelineOf(a.geo, no), Segment: no, Path: a.target.Join(own.path(no)), MayBeArchived: a.mayBeArchived(true),
		Err: fmt.Errorf("%w, nor on the source", fs.ErrNotExist),
	}
}

// olderWAL opens segments of the target or, before the fork, also of the source.
type olderWAL struct {
	eitherWAL
	fork pgdata.SegNo
}

func (w olderWAL) OpenSegment(ctx context.Context, s pgdata.SegNo) (walreader.Segment, error) {
	if s >= w.fork {
		return w.own.OpenSegment(ctx, s)
	}
	return w.eitherWAL.OpenSegment(ctx, s)
}

// firstRecoveryStart returns where the target's first recovery began if it was made from a backup,
// and otherwise zero. None of its restartpoints can be older. A server keeps the
// backup's label after using it.
func (a *analyzer) firstRecoveryStart() pgdata.LSN {
	label, err := a.target.ReadFile(usedBackupLabel)
	if err != nil {
		return 0
	}
	rest, found := strings.CutPrefix(string(label), "START WAL LOCATION: ")
	at, _, _ := strings.Cut(rest, " ")
	began, err := pgdata.ParseLSN(at)
	if !found || err != nil {
		return 0
	}
	return began
}

// usedBackupLabel is the name to which a server renames its backup_label
// (BACKUP_LABEL_OLD, access/xlog.h).
const usedBackupLabel = "backup_label.old"
