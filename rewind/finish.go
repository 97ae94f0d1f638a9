package rewind

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/target"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// recoveryStart is the checkpoint from which the rewound server recovers: the
// last common one. Where the source's own last one lies before it, as on a
// standby or a server that was promoted a moment ago, that one: what the source
// changed before its redo point is on its disk, what came later need not be.
func (r *Rewind) recoveryStart() walreader.Checkpoint {
	c := r.plan.Checkpoint
	if own := r.sourceControl.CheckPointCopy; own.Redo < c.Redo {
		c.LSN, c.Redo, c.TLI = r.sourceControl.CheckPoint, own.Redo, own.ThisTimeLineID
	}
	// A killed standby's files lack what it replayed since its last restartpoint.
	if own := r.targetControl.CheckPointCopy; r.killedStandby && own.Redo < c.Redo {
		c.LSN, c.Redo, c.TLI = r.targetControl.CheckPoint, own.Redo, own.ThisTimeLineID
	}
	return c
}

// backupLabel makes the server start its recovery there, and not at the
// checkpoint that the control file names (read_backup_label, xlogrecovery.c).
func (r *Rewind) backupLabel() []byte {
	from := r.recoveryStart()
	geo := r.targetControl.Geometry
	var b strings.Builder
	fmt.Fprintf(&b, "START WAL LOCATION: %s (file %s)\n", r.lsn(from.Redo), geo.WALFileName(from.TLI, geo.SegNo(from.Redo)))
	fmt.Fprintf(&b, "CHECKPOINT LOCATION: %s\n", r.lsn(from.LSN))
	b.WriteString("BACKUP METHOD: pg_rewind\nBACKUP FROM: standby\n")
	fmt.Fprintf(&b, "START TIME: %s\n", time.Now().Format("2006-01-02 15:04:05 MST"))
	return []byte(b.String())
}

// end is what the source looks like after everything but WAL was copied.
type end struct {
	control  *controlfile.Data
	minLSN   pgdata.LSN // minimum recovery point
	written  pgdata.LSN // up to where the source has written WAL; zero: not known
	primary  bool       // and minLSN the end of its WAL, see lastRecord
	timeline pgdata.TimelineID
}

// endOfSource chooses the minimum recovery point: up to there the rewound server
// must replay the source's WAL before its files, copied at different moments,
// agree with each other.
func (r *Rewind) endOfSource(ctx context.Context) (end, error) {
	control, raw, state, err := r.lookAtSource(ctx)
	if err != nil {
		return end{}, err
	}
	if control.SystemIdentifier != r.sourceControl.SystemIdentifier {
		return end{}, fmt.Errorf("%w: it has another system identifier", ErrSourceChanged)
	}
	if err := cmp.Or(r.checkPositions(control), r.checkWALEnd(state)); err != nil {
		return end{}, err
	}
	e := end{control: control, written: r.writtenBy(control, state), timeline: max(control.Timeline(), state.Timeline)}
	switch {
	case r.live == nil && !bytes.Equal(raw, r.sourceRaw):
		return end{}, fmt.Errorf("%w: leave it stopped and run gorewind again", ErrSourceChanged)
	case r.live != nil && control.State != controlfile.InProduction && control.State != controlfile.InArchiveRecovery:
		return end{}, fmt.Errorf("%w: its control file says %q", ErrSourceChanged, control.State)
	case e.timeline != r.plan.Source.Timeline:
		return end{}, fmt.Errorf("%w: it went from timeline %d to %d: run gorewind again", ErrSourceChanged, r.plan.Source.Timeline, e.timeline)
	case r.live == nil:
		// All that it wrote before its last checkpoint is on its disk. A
		// standby, stopped, has replayed on to its own minimum recovery point.
		e.minLSN = max(control.CheckPoint, control.MinRecoveryPoint)
	case state.InRecovery:
		// A standby writes no page to disk before its minimum recovery point
		// has gone past that page's LSN.
		e.minLSN = control.MinRecoveryPoint
	default:
		// A primary writes no page to disk before the WAL up to that page's LSN is
		// there. So the end of the last record that is on its disk will do, see
		// lastRecord, and is there to be sent even if the primary has nothing to do
		// any more. Its insert position, which pg_rewind takes, need not be, and at
		// the start of a page it lies behind a page header that no record ends at.
		e.minLSN, e.primary = state.FlushLSN, true
	}
	return e, nil
}

// lastRecord moves the minimum recovery point, where it is the end of a primary's
// WAL, back to the end of the last record.
func (r *Rewind) lastRecord(ctx context.Context, e *end) error {
	if !e.primary {
		return nil
	}
	wal := sourceWAL{src: r.opts.Source, version: r.plan.Version, geo: e.control.Geometry, history: r.plan.Source.History}
	last, err := walreader.LastRecordEnd(ctx, wal, r.format(e.control), e.minLSN)
	if err != nil {
		r.log.Warn(fmt.Sprintf("could not find the last WAL record before %s on the source, so its standby waits for that position: %v",
			r.lsn(e.minLSN), err))
		return ctx.Err()
	}
	e.minLSN = last
	return nil
}

// final is what the rewind ends with.
func (r *Rewind) final(e end, after receiver) (target.Final, error) {
	files, err := r.standbyFiles(after.ReadFile)
	if err != nil {
		return target.Final{}, err
	}
	notes, err := r.known.encode()
	return target.Final{
		Control: r.newControl(e),
		Files:   append(files, target.SmallFile{Path: pgdata.BackupLabelPath, Data: r.backupLabel()}),
		Notes:   notes,
	}, err
}

// newControl is the source's control file, as that of a server in archive
// recovery that must replay up to the minimum recovery point.
func (r *Rewind) newControl(e end) []byte {
	f := e.control.Fields
	f.State = controlfile.InArchiveRecovery
	f.MinRecoveryPoint, f.MinRecoveryPointTLI = e.minLSN, e.timeline
	if r.plan.Version.StampsControl {
		f.Time = time.Now()
	}
	return e.control.Encode(f)
}
