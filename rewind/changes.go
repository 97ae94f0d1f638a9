package rewind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/lost"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/walreader"
)

// byChanges analyzes what both sides have changed since they had the same files.
// Everything that either side changed is copied from the source, and recovery starts at
// the source's last checkpoint. So neither side needs the WAL that recovery from a
// common checkpoint would replay. For the source, WAL summaries (17) can take the place
// of WAL.
func (r *Rewind) byChanges(ctx context.Context, a *analyzer, s sides, p, earlier *Plan) error {
	s, err := r.sidesNow(ctx, a, s)
	if err != nil {
		return err
	}
	if err := a.checkChecksums(s); err != nil {
		return err
	}
	if err := a.checkNoBackup(s.target); err != nil {
		return err
	}
	if s.target, err = a.targetSide(ctx, s.target); err != nil {
		return err
	}
	if s.target.unread != nil {
		return s.target.unread
	}
	lists := a.list(ctx, s.target, nil)
	defer lists.stop()
	own, err := a.ownChanges(ctx, s)
	if err != nil {
		return err
	}
	b, err := lists.wait(ctx, a)
	if err != nil {
		return err
	}
	theirs, err := a.sourceChanges(ctx, s.source, b, own.since)
	if err != nil {
		return err
	}
	a.log.Info(fmt.Sprintf("what both sides changed since %s is copied; recovery starts at the source's checkpoint at %s on timeline %d",
		a.lsn(own.since), a.lsn(s.source.FilesLow.LSN), s.source.FilesLow.TLI),
		"evidence", report.ByChanges, "since", a.lsn(own.since), "lsn", a.lsn(s.source.FilesLow.LSN), "timeline", s.source.FilesLow.TLI)
	past := sourceOnly(s)
	past.changed = own.changed
	past.changed.Merge(theirs)
	p.Target, p.Source, p.Required, p.Proven = s.target, s.source, true, true
	p.Divergence, p.DivergenceTimeline = own.fork.at, own.fork.timeline
	p.Scan, p.Lost = own.scan, own.lost
	return r.conclude(ctx, a, p, past, lists, earlier)
}

// checkNoBackup refuses a target that is a backup which recovery has not completed. Its
// files are from different moments, and its control file does not say from when.
func (a *analyzer) checkNoBackup(s Side) error {
	c := s.Control
	_, err := a.target.Lstat(pgdata.BackupLabelPath)
	if errors.Is(err, fs.ErrNotExist) && c.BackupStartPoint == 0 && c.BackupEndPoint == 0 && !c.BackupEndRequired {
		return nil
	}
	return &Explained{
		Err: ErrTargetNotClean, Detail: fmt.Sprintf("The target %q is a backup that no recovery has completed.", a.target.Name()), Hint: takeBase,
	}
}

// ownChanges is what the target has changed since the two sides had the same files.
type ownChanges struct {
	fork    fork
	since   pgdata.LSN // all earlier changes were made on both sides and are in the target's files
	changed pgdata.Changes
	scan    ScanSummary
	lost    lost.Lost
}

// ownChanges finds up to where the two sides provably have the same history, and reads
// what the target did after that.
func (a *analyzer) ownChanges(ctx context.Context, s sides) (ownChanges, error) {
	o := ownChanges{since: s.target.FilesLow.Redo}
	var err error
	if o.fork, err = a.fork(ctx, s, nil); err != nil {
		return o, err
	}
	if o.fork.unproven != "" {
		return a.proveByPages(ctx, s, o.fork)
	}
	if !o.fork.required {
		return o, nil // the target has no changes of its own, not even a hint bit
	}
	if err := a.checkPageHints(s); err != nil {
		return o, err
	}
	p, err := a.scanSinceCommon(ctx, s, o.fork)
	if err != nil {
		return o, a.unreadable(err)
	}
	if s.target.Control.DataChecksumVersion == 0 {
		if err := a.checkHints(ctx, s, o.fork, p.events); err != nil {
			return o, err
		}
	}
	o.since, o.changed = min(o.since, p.checkpoint.Redo), p.changed
	o.scan, o.lost = p.scan, p.lost
	return o, nil
}

// ErrChangesUnknown says that neither WAL nor WAL summaries show everything that the
// source changed.
var ErrChangesUnknown = errors.New("neither WAL nor WAL summaries of the source show everything that it changed")

// sourceChanges returns what the source changed from an LSN up to its last checkpoint:
// recovery replays everything later. It reads WAL summaries as far as they go, and WAL
// for the rest.
func (a *analyzer) sourceChanges(ctx context.Context, s Side, b *decide.Builder, from pgdata.LSN) (changed pgdata.Changes, err error) {
	to := s.FilesLow.Redo
	if from >= to {
		return changed, nil
	}
	a.step("reading what the source changed")
	var have []walreader.SummaryName
	dir := a.version.WALPath(walreader.SummaryDir)
	for f := range b.SourceIn(dir) {
		if name, ok := walreader.ParseSummaryName(path.Base(f.Path)); ok && f.Type == pgdata.Regular {
			have = append(have, name)
		}
	}
	chosen, err := walreader.CoverSummaries(have, s.History.Stretches(from, to))
	var gap *walreader.SummaryGapError
	switch {
	case errors.As(err, &gap):
		from = gap.LSN
	case err != nil:
		return changed, err
	default:
		from = to
	}
	// Files that the target lacks are copied whole. Only the target's files are recorded,
	// so the target bounds the memory used, whatever the source says.
	wanted := func(s pgdata.RelSegment) bool {
		name := s.Path(a.version)
		if l := s.Locator; l.Relation == 0 {
			name = a.version.DatabaseDir(l.Tablespace, l.Database)
		}
		_, has := b.Target(name)
		return has
	}
	unknown := func(err error) error {
		if isMissing(err) || errors.Is(err, walreader.ErrSummary) {
			err = &Explained{Err: ErrChangesUnknown, Detail: sentence(err.Error()), Hint: takeBase}
		}
		return err
	}
	for _, name := range chosen {
		p := dir + "/" + name.String()
		if err := walreader.ReadSummaryChanges(&sourceReader{ctx: ctx, src: a.source, path: p}, p, a.geo, wanted, &changed); err != nil {
			return changed, unknown(err)
		}
	}
	if from < to {
		rest, events, err := a.readChanges(ctx, a.sharedWAL(s), from, to, wanted)
		if err != nil {
			return changed, unknown(err)
		}
		if at := events.minimal; at != 0 {
			return changed, &Explained{Err: ErrWALLevel, Detail: fmt.Sprintf("The source's WAL at %s says that wal_level was minimal.", a.lsn(at)), Hint: takeBase}
		}
		changed.Merge(rest)
	}
	return changed, nil
}

// readChanges returns the changes that a range of WAL makes to wanted files, and the
// events in it.
func (a *analyzer) readChanges(ctx context.Context, wal walreader.Segments, from, to pgdata.LSN, wanted func(pgdata.RelSegment) bool) (changed pgdata.Changes, e *events, err error) {
	read, err := walreader.Read(ctx, wal, a.format, walreader.ReadRequest{
		From: from, To: to, Visitor: walreader.Visitors(
			func() walreader.Visitor { return walreader.NewChangesVisitor(a.format, wanted) },
			func() walreader.Visitor { e := newEvents(0).in(a.format); e.begin = from; return e },
		),
	})
	if err != nil {
		return changed, nil, err
	}
	seen := read.Visitor.(walreader.VisitorList)
	changed, err = seen[0].(*walreader.ChangesVisitor).Changes()
	return changed, seen[1].(*events), err
}

// sourceReader reads a file of the source from beginning to end.
type sourceReader struct {
	ctx  context.Context // of the caller
	src  source.Source
	path string
	at   int64
}

func (r *sourceReader) Read(p []byte) (int, error) {
	b, err := source.ReadRange(r.ctx, r.src, source.Range{Path: r.path, Offset: r.at, Length: int64(len(p))})
	n := copy(p, b)
	r.at += int64(n)
	if err == nil && n == 0 && len(p) > 0 {
		err = io.EOF
	}
	return n, err
}
