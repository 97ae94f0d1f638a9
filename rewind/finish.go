package rewind

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/internal/apply"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// backupLabel returns a backup_label that makes recovery start at the plan's
// checkpoint, and not at the one in the control file (read_backup_label,
// xlogrecovery.c).
func (r *Rewind) backupLabel() []byte {
	from, geo, v := r.plan.Start, r.plan.Target.Control.Geometry, r.plan.Version
	var b strings.Builder
	fmt.Fprintf(&b, "START WAL LOCATION: %s (file %s)\n", v.FormatLSN(from.Redo), geo.WALFileName(from.TLI, geo.SegNo(from.Redo)))
	fmt.Fprintf(&b, "CHECKPOINT LOCATION: %s\n", v.FormatLSN(from.LSN))
	b.WriteString("BACKUP METHOD: pg_rewind\nBACKUP FROM: standby\n")
	fmt.Fprintf(&b, "START TIME: %s\n", time.Now().Format("2006-01-02 15:04:05 MST"))
	return []byte(b.String())
}

// end is the state of the source after everything except WAL was copied.
type end struct {
	control *controlfile.Data
	minLSN  pgdata.LSN // minimum recovery point
	written pgdata.LSN // up to where the source has written WAL; zero if unknown
	primary bool       // the source is a primary and minLSN is the end of its WAL, see lastRecord
}

// endOfSource chooses the minimum recovery point. The rewound server must replay the
// source's WAL up to there before its files, which were copied at different moments,
// agree with each other. The target's own files are as of the fork.
func (r *Rewind) endOfSource(ctx context.Context) (end, error) {
	was := r.plan.Source
	control, state, err := lookAtSource(ctx, r.opts.Source)
	if err != nil {
		return end{}, err
	}
	if control.SystemIdentifier != was.Control.SystemIdentifier {
		return end{}, fmt.Errorf("%w: it has another system identifier", ErrSourceChanged)
	}
	now := Side{Control: control, State: state}
	if err := r.analyzer.checkPositions(control); err != nil {
		return end{}, err
	}
	live := was.State.Live
	switch {
	case !live && !sameControl(was, now):
		return end{}, fmt.Errorf("%w: leave it stopped and run gorewind again", ErrSourceChanged)
	case live && control.State != controlfile.InProduction && control.State != controlfile.InArchiveRecovery:
		return end{}, fmt.Errorf("%w: its control file says %q", ErrSourceChanged, control.State)
	}
	if now.Timeline = max(control.Timeline(), state.Timeline); now.Timeline <= was.Timeline {
		if now, err = r.analyzer.sourceSide(ctx, now); err != nil {
			return end{}, err
		}
	}
	if now.Timeline != was.Timeline {
		return end{}, fmt.Errorf("%w: it went from timeline %d to %d: run gorewind again", ErrSourceChanged, was.Timeline, now.Timeline)
	}
	e := end{control: control, written: writtenBy(now)}
	switch {
	case !live:
		// Everything that it wrote before its last checkpoint is on its disk. A stopped
		// standby has replayed up to its own minimum recovery point.
		e.minLSN = max(control.CheckPoint, control.MinRecoveryPoint)
	case state.InRecovery:
		// A standby writes a page to disk only after its minimum recovery point has passed
		// that page's LSN.
		e.minLSN = control.MinRecoveryPoint
	default:
		// A primary writes a page to disk only after the WAL up to that page's LSN is there.
		// So the end of the last record on its disk is enough, see lastRecord, and it can be
		// sent even if the primary becomes idle. pg_rewind takes the insert position instead.
		// That WAL need not be on disk; and if the position is at the start of a page, it is
		// after a page header, where no record ends.
		e.minLSN, e.primary = state.FlushLSN, true
	}
	e.minLSN = max(e.minLSN, r.plan.shared())
	return e, nil
}

// lastRecord moves the minimum recovery point back to the end of the last record, if it
// is the end of a primary's WAL.
func (r *Rewind) lastRecord(ctx context.Context, e *end) error {
	if !e.primary {
		return nil
	}
	a := r.analyzer
	last, err := walreader.LastRecordEnd(ctx, a.sourceWAL(r.plan.Source.History), a.format, e.minLSN)
	if ctx.Err() != nil { // what ended it is said elsewhere
		return ctx.Err()
	}
	if err != nil {
		r.log.Warn(fmt.Sprintf("could not find the last WAL record before %s on the source, so its standby waits for that position: %v",
			a.lsn(e.minLSN), err), "lsn", a.lsn(e.minLSN), "error", err)
		return nil
	}
	e.minLSN = max(last, r.plan.shared())
	return nil
}

// final returns what the rewind writes at the end.
func (r *Rewind) final(ctx context.Context, e end, after receiver) (apply.Final, error) {
	files, err := r.standbyFiles(ctx, after.ReadFile)
	if err != nil {
		return apply.Final{}, err
	}
	notes, err := r.notes()
	return apply.Final{
		Control: r.newControl(e),
		Files:   append(files, apply.SmallFile{Path: pgdata.BackupLabelPath, Data: r.backupLabel()}),
		Notes:   notes,
	}, err
}

// newControl returns the source's control file, changed to that of a server in archive
// recovery that must replay up to the minimum recovery point.
func (r *Rewind) newControl(e end) []byte {
	f := e.control.Fields
	f.State = controlfile.InArchiveRecovery
	// A server refuses a timeline other than the one that the minimum recovery point is
	// on.
	f.MinRecoveryPoint, f.MinRecoveryPointTLI = e.minLSN, timelineAt(r.plan.Source.History, e.minLSN)
	if r.plan.Version.StampsControl {
		f.Time = time.Now()
	}
	return e.control.Encode(f)
}
