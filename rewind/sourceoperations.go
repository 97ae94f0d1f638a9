package rewind

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/internal/decide"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/walreader"
)

// ErrUnsafeReplay says that recovery would repeat an operation on files of the rewound
// server that is only right for older versions of those files.
var ErrUnsafeReplay = errors.New("recovery would damage files that are newer than the WAL that it replays")

// ahead holds the operations on whole files in the source's WAL from the fork to its
// end.
type ahead struct {
	events *events
	from   walreader.Segments // the WAL that was read
	end    pgdata.LSN
}

// twoPhaseDir has the state files of prepared transactions (access/twophase.c).
const twoPhaseDir = "pg_twophase"

// ahead reads the source's WAL if the listings show that it may contain operations on
// whole files: a database or a tablespace that only one side has, or a prepared
// transaction. An ordinary rewind reads none of it. A rewind in place cannot check
// again before it changes the target, so it always reads the WAL.
func (a *analyzer) ahead(ctx context.Context, p *Plan, b *decide.Builder) (*ahead, error) {
	if !a.opts.InPlace && !p.Again && !a.mayHaveOperations(b) {
		return &ahead{events: newEvents(0)}, nil
	}
	segs := a.sharedWAL(p.Source)
	end := p.Source.EndOfWAL
	if p.Source.State.Live {
		var err error
		if end, err = walreader.LastRecordEnd(ctx, segs, a.format, end); err != nil {
			return nil, err
		}
	}
	h := &ahead{from: segs, end: max(end, p.shared())}
	var err error
	if h.events, err = a.readEvents(ctx, segs, max(p.shared(), p.Start.Redo), h.end); err != nil {
		return nil, fmt.Errorf("could not read the source's WAL for operations on files: %w", err)
	}
	return h, a.checkAheadSettings(p, h.events)
}

// readEvents collects the events in a range of WAL.
func (a *analyzer) readEvents(ctx context.Context, segs walreader.Segments, from, to pgdata.LSN) (*events, error) {
	read, err := walreader.Read(ctx, segs, a.format, walreader.ReadRequest{
		From: from, To: to, Visitor: func() walreader.Visitor {
			e := newEvents(0).in(a.format)
			e.begin = from
			return e
		},
	})
	if err != nil {
		return nil, err
	}
	if read.Visitor == nil {
		return newEvents(0), nil
	}
	return read.Visitor.(*events), nil
}

// mayHaveOperations reports whether the listings differ in a way that operations on whole files
// would explain.
func (a *analyzer) mayHaveOperations(b *decide.Builder) bool {
	for f := range b.SourceIn(twoPhaseDir) {
		if f.Type == pgdata.Regular {
			return true
		}
	}
	dirs := []string{"base", pgdata.TablespaceRoot}
	for _, list := range []func(string) iter.Seq[pgdata.FileInfo]{b.SourceIn, b.TargetIn} {
		for f := range list(pgdata.TablespaceRoot) {
			dirs = append(dirs, path.Join(f.Path, a.version.TablespaceDir()))
		}
	}
	for _, dir := range dirs {
		for f := range b.SourceIn(dir) {
			if other, has := b.Target(f.Path); !has && f.Type != pgdata.Regular || has && other.Type != f.Type {
				return true
			}
		}
		for f := range b.TargetIn(dir) {
			if _, has := b.Source(f.Path); !has && f.Type != pgdata.Regular {
				return true
			}
		}
	}
	return false
}

// checkAheadSettings refuses a source whose WAL cannot be replayed.
func (a *analyzer) checkAheadSettings(p *Plan, e *events) error {
	if e.minimal != 0 {
		return &Explained{
			Err: ErrWALLevel, Detail: fmt.Sprintf("The source's WAL at %s says that wal_level was minimal.", a.lsn(e.minimal)), Hint: p.otherwise(),
		}
	}
	if !p.Source.State.Live {
		return nil // pages copied from a stopped server are never torn
	}
	if at := e.lastImages; at.at != 0 && !at.on || e.noImages > p.Source.Control.CheckPointCopy.Redo {
		return &Explained{
			Err:    fmt.Errorf("%w: and they were off at %s", ErrFullPageWrites, a.lsn(max(at.at, e.noImages))),
			Detail: fmt.Sprintf("The source is the %s.", a.source), Hint: "Set it there and wait for a checkpoint.",
		}
	}
	return nil
}

// stateFiles returns the possible names of the state files of transactions that WAL
// prepares (eight digits up to 16; from 17 on, the epoch comes first). Recovery creates
// these files. If such a file already exists, recovery takes it for an earlier
// transaction's and ignores the record (restoreTwoPhaseData, twophase.c).
func stateFiles(p *Plan, prepared map[uint32]pgdata.LSN) map[string]bool {
	files := map[string]bool{}
	next := p.Source.Control.CheckPointCopy.NextXid
	for xid := range prepared {
		files[fmt.Sprintf("%s/%08X", twoPhaseDir, xid)] = true
		for _, epoch := range []uint64{next >> 32, next>>32 + 1, next>>32 - 1} {
			files[fmt.Sprintf("%s/%016X", twoPhaseDir, epoch<<32|uint64(xid))] = true
		}
	}
	return files
}

// checkOperations refuses a plan if recovery would do something wrong with databases that
// were copied as files, or with tablespaces whose links differ on the target. common is
// WAL from before the fork; h has what was read from after it.
func (a *analyzer) checkOperations(ctx context.Context, p *Plan, past *events, common walreader.Segments, h *ahead) error {
	made, copies := slices.Concat(past.tablespaces, h.events.tablespaces), slices.Concat(past.copies, h.events.copies)
	for _, t := range made {
		if err := a.checkTablespaceMade(p, t); err != nil {
			return err
		}
	}
	if len(copies) == 0 {
		return nil
	}
	// The WAL is read again to find what it changes in each database.
	var touched [2]map[databaseDir]pgdata.LSN
	for i, stretch := range []struct {
		segs     walreader.Segments
		from, to pgdata.LSN
	}{{common, copies[0].at, p.shared()}, {h.from, max(copies[0].at, p.shared()), h.end}} {
		if stretch.from >= stretch.to {
			continue
		}
		read, err := walreader.Read(ctx, stretch.segs, a.format, walreader.ReadRequest{
			From: stretch.from, To: stretch.to, Visitor: func() walreader.Visitor { return newTouches(a.format) },
		})
		if err != nil {
			return err
		}
		touched[i] = read.Visitor.(*touches).last
	}
	for _, c := range copies {
		if err := a.checkCopy(p, c, touched); err != nil {
			return err
		}
	}
	return nil
}

// checkCopy checks one copy of a database's directory. Recovery removes the copy and
// makes it again from the original as it is then. That is right only if the original is
// still as it was at the copy. So either nothing has changed in it since, or only
// records changed it that recovery replays after the copy, on pages from before the
// copy.
func (a *analyzer) checkCopy(p *Plan, c databaseCopy, touched [2]map[databaseDir]pgdata.LSN) error {
	from := a.version.DatabaseDir(c.from.tablespace, c.from.database)
	common, own := touched[0][c.from], touched[1][c.from]
	newer := common > c.at || p.Evidence != report.ByWAL && own > c.at // the target may have pages from after the copy
	if max(common, own) > c.at && changesBelow(p.Files, from) {
		newer = true // the plan copies pages from after it, or removes them
	}
	if !newer {
		return nil
	}
	return &Explained{
		Err: ErrUnsafeReplay,
		Detail: fmt.Sprintf("The database directory %q was copied from %q at %s, and that was changed or removed at %s.",
			a.version.DatabaseDir(c.to.tablespace, c.to.database), from, a.lsn(c.at), a.lsn(max(common, own))),
		Hint: p.otherwise(),
	}
}

// changesBelow reports whether the plan changes anything in a directory.
func changesBelow(files *filemap.Plan, dir string) bool {
	for i := range files.Entries {
		e := &files.Entries[i]
		if (e.Path == dir || strings.HasPrefix(e.Path, dir+"/")) && (e.Action != filemap.None || e.Blocks != nil) {
			return true
		}
	}
	return false
}

// checkTablespaceMade refuses a tablespace whose link leads elsewhere than its WAL
// record says: recovery would create the link again.
func (a *analyzer) checkTablespaceMade(p *Plan, t tablespaceMade) error {
	link := path.Join(pgdata.TablespaceRoot, strconv.FormatUint(uint64(t.oid), 10))
	to, hint := "", "Let the link lead there."
	if f, err := a.target.Readlink(link); err == nil {
		to = f
	}
	for i := range p.Files.Entries {
		if e := &p.Files.Entries[i]; e.Path == link && e.Action == filemap.Create {
			to = e.Link
			if a.opts.TablespaceMapping[filepath.Clean(t.location)] != "" {
				hint = "Make a checkpoint on the source and compare all files (Options.Resync): then recovery starts after it. Or do without that mapping."
			}
		}
	}
	if t.location == "" || to == "" || filepath.Clean(to) == filepath.Clean(t.location) {
		return nil
	}
	return &Explained{
		Err:    ErrUnsafeReplay,
		Detail: fmt.Sprintf("%q leads to %q, and recovery would make it lead to %q, where the tablespace was made at %s.", a.target.Join(link), to, t.location, a.lsn(t.at)),
		Hint:   hint,
	}
}
