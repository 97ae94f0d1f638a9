package rewind

import (
	"maps"
	"slices"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// events collects records that say something about a range of WAL as a whole: changed
// settings, and operations on whole files. Recovery repeats those operations even on
// files that are newer than the record, whereas a record that changes pages can tell
// from a page's LSN that it was applied already. ARCHITECTURE.md has a table of all of
// them.
type events struct {
	format walreader.Format
	begin  pgdata.LSN // where reading began; a shutdown checkpoint that starts here describes the time before
	// For operations and for the events that decide about page images, only those before
	// fork count: recovery does not replay the rest. Zero: all count.
	fork pgdata.LSN

	parameters []parameterChange // every change
	hints      []pgdata.LSN      // the first page image for a hint after each parameter change, and the first in the range
	noImages   pgdata.LSN        // the last record before the fork that says that full_page_writes is off
	lastImages imageSetting      // the last record that tells the setting
	minimal    pgdata.LSN        // the first record that says that wal_level is minimal

	promoted    pgdata.LSN                    // the last END_OF_RECOVERY
	checkpoints map[pgdata.LSN]checkpointXIDs // by the start of their records

	copies      []databaseCopy
	tablespaces []tablespaceMade
	prepared    map[uint32]pgdata.LSN // transaction to start of the record that prepared it
}

type parameterChange struct {
	at pgdata.LSN
	walreader.Parameters
}

type imageSetting struct {
	at pgdata.LSN
	on bool
}

// databaseDir is a database's directory in a tablespace.
type databaseDir struct{ tablespace, database uint32 }

// databaseCopy is the copy of a database's directory file by file.
type databaseCopy struct {
	at       pgdata.LSN
	from, to databaseDir
}

type tablespaceMade struct {
	at       pgdata.LSN
	oid      uint32
	location string
}

// eventRmgrs are the resource managers whose records may be events.
var eventRmgrs = []uint8{walreader.RmgrXLOG, walreader.RmgrTransaction, walreader.RmgrDatabase, walreader.RmgrTablespace}

// checkpointXIDs holds the next transaction ID at a checkpoint, and the oldest running
// one.
type checkpointXIDs struct{ next, oldestActive uint32 }

func newEvents(fork pgdata.LSN) *events {
	return &events{fork: fork, prepared: map[uint32]pgdata.LSN{}, checkpoints: map[pgdata.LSN]checkpointXIDs{}}
}

func (e *events) in(f walreader.Format) *events { e.format = f; return e }

// Visit records the event in a record, if it is one.
func (e *events) Visit(rec *walreader.Record) {
	counts := e.fork == 0 || rec.LSN < e.fork
	switch {
	case rec.Rmgr == walreader.RmgrXLOG:
		e.visitSetting(rec, counts)
	case counts && slices.Contains(eventRmgrs, rec.Rmgr):
		e.visitAct(rec)
	}
}

func (e *events) visitSetting(rec *walreader.Record, counts bool) {
	if p, ok := e.format.Parameters(rec); ok {
		e.parameters = append(e.parameters, parameterChange{rec.LSN, p})
	}
	if rec.IsHintImage() && len(e.hints) <= len(e.parameters) {
		e.hints = append(e.hints, rec.LSN)
	}
	checkpoint, isCheckpoint := rec.Checkpoint()
	before := isCheckpoint && rec.LSN == e.begin && checkpoint.Redo == rec.LSN
	if level, ok := e.format.WALLevelOf(rec); ok && level < 1 && e.minimal == 0 && !before {
		e.minimal = rec.LSN
	}
	if _, _, _, ok := e.format.EndOfRecovery(rec); ok {
		e.promoted = rec.LSN
	}
	if next, oldest, ok := e.format.CheckpointXIDs(rec); ok {
		e.checkpoints[rec.LSN] = checkpointXIDs{next, oldest}
	}
	images, ok := e.format.FullPageWritesChange(rec)
	if isCheckpoint {
		images, ok = checkpoint.FullPageWrites, true
	}
	if !ok || !counts {
		return
	}
	e.lastImages = imageSetting{rec.LSN, images}
	if !images {
		e.noImages = rec.LSN
	}
}

func (e *events) visitAct(rec *walreader.Record) {
	if c, ok := e.format.DatabaseCopy(rec); ok {
		e.copies = append(e.copies, databaseCopy{
			rec.LSN, databaseDir{c.FromTablespace, c.FromDatabase}, databaseDir{c.Tablespace, c.Database},
		})
	}
	if oid, location, ok := e.format.TablespaceCreate(rec); ok {
		e.tablespaces = append(e.tablespaces, tablespaceMade{rec.LSN, oid, location})
	}
	if xid, _, _, ok := e.format.Prepare(rec); ok {
		e.prepared[xid] = rec.LSN
	}
}

// Prepend merges what was seen in earlier WAL.
func (e *events) Prepend(earlier walreader.Visitor) {
	o := earlier.(*events)
	e.parameters = append(slices.Clone(o.parameters), e.parameters...)
	e.hints = append(slices.Clone(o.hints), e.hints...)
	e.noImages = max(e.noImages, o.noImages)
	if e.lastImages.at == 0 {
		e.lastImages = o.lastImages
	}
	if o.minimal != 0 {
		e.minimal = o.minimal
	}
	e.promoted = max(e.promoted, o.promoted)
	maps.Copy(e.checkpoints, o.checkpoints)
	e.copies = append(slices.Clone(o.copies), e.copies...)
	e.tablespaces = append(slices.Clone(o.tablespaces), e.tablespaces...)
	for xid, at := range o.prepared {
		e.prepared[xid] = max(e.prepared[xid], at)
	}
}

// touches records when something last changed in each database's directory.
type touches struct {
	format walreader.Format
	last   map[databaseDir]pgdata.LSN
}

func newTouches(f walreader.Format) *touches { return &touches{f, map[databaseDir]pgdata.LSN{}} }

// Visit records what a record changes.
func (t *touches) Visit(rec *walreader.Record) {
	for i := range rec.Blocks {
		l := &rec.Blocks[i].Locator
		t.last[databaseDir{l.Tablespace, l.Database}] = rec.LSN
	}
	if database, tablespaces, ok := t.format.DatabaseDrop(rec); ok {
		for _, tablespace := range tablespaces {
			t.last[databaseDir{tablespace, database}] = rec.LSN
		}
	}
	if end, ok := t.format.Ended(rec); ok {
		for l := range end.Relations() {
			t.last[databaseDir{l.Tablespace, l.Database}] = rec.LSN
		}
	}
}

// Prepend merges what was seen in earlier WAL.
func (t *touches) Prepend(earlier walreader.Visitor) {
	for dir, at := range earlier.(*touches).last {
		t.last[dir] = max(t.last[dir], at)
	}
}

// actsFrom removes the operations before the redo point, which recovery does not
// repeat.
func (e *events) actsFrom(redo pgdata.LSN) {
	e.copies = slices.DeleteFunc(e.copies, func(c databaseCopy) bool { return c.at < redo })
	e.tablespaces = slices.DeleteFunc(e.tablespaces, func(t tablespaceMade) bool { return t.at < redo })
	maps.DeleteFunc(e.prepared, func(_ uint32, at pgdata.LSN) bool { return at < redo })
}

// since keeps only what was seen from an LSN on.
func (e *events) since(at pgdata.LSN) *events {
	c := *e
	if c.noImages < at {
		c.noImages = 0
	}
	if c.lastImages.at < at {
		c.lastImages = imageSetting{}
	}
	return &c
}
