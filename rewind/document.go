package rewind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/timeline"
)

// lsn writes an LSN as the clusters' major does.
func (r *Rewind) lsn(l pgdata.LSN) string { return r.plan.Version.FormatLSN(l) }

// Document describes the rewind: the plan or, after Apply, what was done. err is what
// Apply returned. It asks a live source for the names of relations, or reads them from
// the catalogs of a stopped primary. They are missing if that fails.
func (r *Rewind) Document(ctx context.Context, err error) *report.Document {
	return r.document(err, func() names { return r.askNames(ctx) })
}

// Brief is Document without asking the source: only relations that the source does not
// have are named.
func (r *Rewind) Brief(err error) *report.Document { return r.document(err, r.noNames) }

func (r *Rewind) document(err error, known func() names) *report.Document {
	d := newDocument(report.Plan)
	if r.applied {
		d.Kind = report.Result
	}
	if err != nil {
		d.Kind, d.Error = report.Failed, documentError(err)
	}
	for _, p := range r.Phases() {
		d.Phases = append(d.Phases, report.Phase{Name: string(p.Phase), Began: p.Began, Seconds: p.Duration.Seconds(), Bytes: p.Bytes, Files: p.Files})
		d.FetchedBytes += p.Bytes
	}
	p := r.plan
	if p == nil {
		return d
	}
	d.Required, d.Reason, d.Resumes, d.Warnings = p.Required, p.Reason, p.Resumes, p.Warnings
	if p.Version == nil { // little is known of a rewind that only has to be completed
		return d
	}
	d.Target, d.Source = r.documentSide(&p.Target, r.target.Name()), r.documentSide(&p.Source, r.opts.Source.String())
	d.Proven, d.Unproven = &p.Proven, p.Unproven
	if p.Divergence != 0 {
		d.Divergence = &report.Position{LSN: r.lsn(p.Divergence), Timeline: uint32(p.DivergenceTimeline)}
	}
	d.Evidence = p.Evidence
	d.RecoversFirst = p.RecoversFirst
	for _, o := range p.PassedOver {
		d.Because = append(d.Because, report.PassedOver{Evidence: o.Evidence, Condition: string(o.Condition), Reason: o.Reason})
	}
	d.WillFollow, d.Following = r.documentFollowing()
	if p.Files == nil {
		return d
	}
	if c := p.Checkpoint; p.Evidence == report.ByWAL {
		d.Checkpoint = &report.Checkpoint{LSN: r.lsn(c.LSN), Redo: r.lsn(c.Redo), Timeline: uint32(c.TLI)}
	}
	if p.Scan.Records > 0 {
		d.WALRead = r.documentWAL()
	}
	d.Startability = &report.Start{From: r.lsn(p.Start.Redo), To: r.lsn(p.ConsistentAt), Segments: []report.Segment{}}
	for _, w := range p.NeededWAL {
		d.Startability.Segments = append(d.Startability.Segments, report.Segment{Name: w.Name, Where: w.Origin})
	}
	names := known()
	if p.Evidence == report.ByWAL || p.Scan.Records > 0 || p.Evidence == report.ByChanges && p.Target.EndOfWAL <= p.Divergence { // otherwise it is not known
		d.Lost = r.documentLost(names)
		if r.lostSaved || d.Kind == report.Plan {
			d.Lost.SavedIn = r.opts.SaveLost
		}
	}
	d.Read, d.Compared, d.Damaged = p.Read, p.Compared, r.documentDamage(names)
	d.Totals, d.Files = r.documentFiles(names)
	d.Named = r.documentNamed(names)
	d.BlockSize = int64(p.Files.Geometry.BlockSize)
	for _, s := range p.Files.Saved() {
		d.Saved = append(d.Saved, report.Saving{Rule: string(s.Reason), Files: s.Files, Bytes: s.Bytes})
	}
	for _, s := range r.space {
		d.Space = append(d.Space, report.Space{Directory: s.Dir, Needed: s.Needed, Free: s.Free})
	}
	d.Sync = r.documentSync()
	return d
}

// ErrorDocument returns the document of an error that occurred before Prepare returned.
func ErrorDocument(err error) *report.Document {
	d := newDocument(report.Failed)
	d.Error = documentError(err)
	return d
}

func newDocument(kind report.Kind) *report.Document {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == "github.com/gorewind/gorewind" && m.Version != "" {
				version = m.Version
			}
		}
	}
	return &report.Document{FormatVersion: report.FormatVersion, Kind: kind, Program: "gorewind " + version, Created: time.Now().UTC().Truncate(time.Millisecond)}
}

func documentError(err error) *report.Error {
	e := Classify(err)
	d := &report.Error{
		Message: e.Error(), Condition: string(e.Condition), Phase: string(e.Phase), Action: report.NextStep(e.Action), TargetUntouched: e.TargetUntouched,
		CrashRecovered: e.CrashRecovered, NeedsSource: e.NeedsSource, Retryable: e.Retryable(), BaseBackupNeeded: e.BaseBackupNeeded(), ExitStatus: e.ExitStatus(),
	}
	var explained *Explained
	for inner := error(e); errors.As(inner, &explained); inner = explained.Err {
		d.Message = strings.Replace(d.Message, explained.Error(), explained.Err.Error(), 1)
		for list, text := range map[*[]string]string{&d.Details: explained.Detail, &d.Hints: explained.Hint} {
			if text != "" {
				*list = append(*list, text)
			}
		}
	}
	return d
}

func (r *Rewind) documentSide(s *Side, name string) *report.Side {
	c := s.Control
	side := &report.Side{
		Name: name, Version: r.plan.Version.String(), SystemIdentifier: fmt.Sprint(c.SystemIdentifier), State: c.State.String(),
		Timeline: uint32(s.Timeline), Checkpoint: r.lsn(c.CheckPoint), Redo: r.lsn(c.CheckPointCopy.Redo), History: r.documentHistory(s.History),
	}
	if s.Unknown {
		side.State, side.Timeline, side.Checkpoint, side.Redo = "without a readable control file", 0, "", ""
	}
	if s.EndOfWAL != 0 {
		side.EndOfWAL = r.lsn(s.EndOfWAL)
	}
	return side
}

func (r *Rewind) documentHistory(h timeline.History) []report.Period {
	periods := []report.Period{}
	for _, e := range h {
		p := report.Period{Timeline: uint32(e.TLI), Begin: r.lsn(e.Begin)}
		if e.End != 0 {
			p.End = r.lsn(e.End)
		}
		periods = append(periods, p)
	}
	return periods
}

func (r *Rewind) documentWAL() *report.WALRead {
	p, geo := r.plan, r.plan.Target.Control.Geometry
	read := &report.WALRead{Records: p.Scan.Records, Bytes: p.Scan.Bytes, Segments: []report.Segment{}}
	needed := map[string]report.Origin{}
	for _, w := range p.NeededWAL {
		needed[w.Name] = w.Origin
	}
	for s := p.Scan.FirstSegment; s <= p.Scan.LastSegment && p.Scan.Records > 0; s++ {
		name := geo.WALFileName(p.Target.History.TimelineOf(geo, s), s)
		where := report.OnTarget
		if origin := needed[name]; origin != "" && s < geo.SegNo(p.Divergence) {
			where = origin // the same as for recovery
		}
		if r.analyzer.archive.has(name) {
			where = report.InArchive
		}
		read.Segments = append(read.Segments, report.Segment{Name: name, Where: where})
	}
	return read
}

func (r *Rewind) documentDamage(n names) (list []report.Damage) {
	p := r.plan
	for _, file := range slices.Sorted(maps.Keys(p.Damaged)) {
		set := p.Damaged[file]
		d := report.Damage{Path: file, Blocks: blockRuns(set), Count: int64(set.Len())}
		if seg, ok := pgdata.ParseRelPath(p.Version, file); ok {
			relation := n.relation(seg.Locator, 0)
			d.Relation = &relation
		}
		list = append(list, d)
	}
	return list
}

func (r *Rewind) documentSync() string {
	switch m := r.syncMode(); {
	case m.Off:
		return "nothing is synced"
	case m.FileSystem:
		return "every file system that is written to (syncfs)"
	case m.Everything:
		return "every file (fsync), since the target was not shut down cleanly"
	}
	return "every file that is written (fsync)"
}

// documentFiles lists the plan's files and computes totals.
func (r *Rewind) documentFiles(n names) (*report.Totals, []report.File) {
	plan := r.plan.Files
	files := make([]report.File, 0, len(plan.Entries))
	t := &report.Totals{SourceBytes: plan.SourceBytes, FetchBytes: plan.FetchBytes()}
	sums := [4]sum{{}, {}, {}, {}} // by kind, database, tablespace, action
	for i := range plan.Entries {
		e := &plan.Entries[i]
		f := report.File{
			Path: e.Path, Type: documentType(e.Type), Kind: r.kindOf(e), Action: actionOf(e), Reason: string(e.Reason), Link: e.Link,
			SourceSize: e.SourceSize, TargetSize: e.TargetSize, FetchBytes: e.FetchBytes(plan.Geometry), Blocks: blockRuns(e.Blocks),
		}
		files = append(files, f)
		if f.Action == report.ActionNone || e.Reason == filemap.NotWritten {
			continue
		}
		t.Files++
		blocks := int64(0)
		if e.Blocks != nil {
			blocks = int64(e.Blocks.Len())
		}
		switch e.Action {
		case filemap.Remove:
			t.RemoveBytes += e.TargetSize
		case filemap.Truncate:
			t.RemoveBytes += e.TargetSize - e.SourceSize
		}
		sums[0].add(f.Kind, f.FetchBytes, blocks)
		sums[3].add(string(f.Action), f.FetchBytes, blocks)
		if at, ok := report.RelationOf(e.Path); ok {
			sums[1].add(n.database(at.Database), f.FetchBytes, blocks)
			sums[2].add(n.tablespace(at.Tablespace), f.FetchBytes, blocks)
		}
	}
	t.ByKind, t.ByDatabase, t.ByTablespace, t.ByAction = sums[0].sorted(), sums[1].sorted(), sums[2].sorted(), sums[3].sorted()
	return t, files
}

// sum adds up totals by name.
type sum map[string]*report.Total

func (s sum) add(name string, bytes, blocks int64) {
	if s[name] == nil {
		s[name] = &report.Total{Name: name}
	}
	s[name].Files++
	s[name].FetchBytes += bytes
	s[name].Blocks += blocks
}

func (s sum) sorted() []report.Total {
	list := []report.Total{}
	for _, t := range s {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b report.Total) int {
		return cmp.Or(cmp.Compare(b.FetchBytes, a.FetchBytes), cmp.Compare(a.Name, b.Name))
	})
	return list
}

func documentType(t pgdata.FileType) string {
	switch t {
	case pgdata.Directory:
		return "directory"
	case pgdata.Symlink:
		return "link"
	}
	return "file"
}

var actions = [...]report.FileAction{
	filemap.Create: report.ActionCreate, filemap.Copy: report.ActionCopy, filemap.CopyTail: report.ActionCopyTail, filemap.None: report.ActionNone,
	filemap.Truncate: report.ActionTruncate, filemap.Remove: report.ActionRemove, filemap.Restore: report.ActionRestore,
}

func actionOf(e *filemap.Entry) report.FileAction {
	if e.Action == filemap.None && e.Blocks != nil {
		return report.ActionBlocks
	}
	return actions[e.Action]
}

// blockRuns formats block numbers as "0-3 7".
func blockRuns(set *pgdata.BlockSet) string {
	if set == nil {
		return ""
	}
	var b strings.Builder
	first, last := pgdata.BlockNumber(0), pgdata.BlockNumber(0)
	flush := func() {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if fmt.Fprint(&b, first); last > first {
			fmt.Fprintf(&b, "-%d", last)
		}
	}
	begun := false
	for block := range set.All() {
		switch {
		case !begun:
			first, begun = block, true
		case block != last+1:
			flush()
			first = block
		}
		last = block
	}
	if begun {
		flush()
	}
	return b.String()
}

// kindOfDirectory maps the top directory of a path to the kind of its files.
var kindOfDirectory = map[string]string{
	"pg_xact": "slru", "pg_clog": "slru", "pg_multixact": "slru", "pg_commit_ts": "slru", "pg_subtrans": "slru", "pg_serial": "slru",
	"pg_wal": "wal", "pg_xlog": "wal",
}

func (r *Rewind) kindOf(e *filemap.Entry) string {
	top, _, below := strings.Cut(e.Path, "/")
	if kind := kindOfDirectory[top]; kind != "" {
		return kind
	}
	if _, isRelation := pgdata.ParseRelPath(r.plan.Version, e.Path); isRelation {
		return report.KindMain
	}
	name := path.Base(e.Path)
	for _, fork := range []string{"fsm", "vm", "init"} {
		if isFork(e.Path, fork) {
			return fork
		}
	}
	if ext := path.Ext(name); !below && (ext == ".conf" || ext == ".signal" || ext == ".done" || ext == ".crt" || ext == ".key" || ext == ".crl") {
		return "configuration"
	}
	return "other"
}

// documentFollowing reports whether the standby will be able to stream.
func (r *Rewind) documentFollowing() (*bool, *report.Following) {
	f := r.plan.Following
	if f == nil {
		return nil, nil
	}
	return &f.Will, &report.Following{
		Start: r.lsn(f.Start), Timeline: uint32(f.Timeline), Slot: f.Slot, NewSlot: f.MakesSlot, Problem: f.Reason, Advice: f.Hint,
	}
}
