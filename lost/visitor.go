package lost

import (
	"cmp"
	"maps"
	"slices"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// Visitor collects what is lost in one segment or in several adjacent ones. What can
// only be decided at the end is kept apart from the report.
type Visitor struct {
	lost   Lost
	format walreader.Format
	fork   pgdata.LSN

	prepared  map[uint32]Prepared         // not ended yet, by XID
	ended     map[uint32]bool             // XIDs of prepared transactions that ended, and were prepared earlier
	undone    List[pgdata.RelFileLocator] // relations that a rollback dropped
	databases []databaseEvent             // in the order of WAL
	rows      rowCounter
}

// maxPrepared limits the number of transactions that are prepared at a time: no server
// allows more (MAX_BACKENDS, postmaster/postmaster.h).
const maxPrepared = 1<<18 - 1

// NewVisitor returns a visitor that counts the records that start at or after the fork.
func NewVisitor(f walreader.Format, fork pgdata.LSN) *Visitor {
	return &Visitor{format: f, fork: fork}
}

// Visit adds a record.
func (v *Visitor) Visit(rec *walreader.Record) {
	if rec.LSN < v.fork {
		return
	}
	v.lost.Records++
	v.lost.Bytes += int64(rec.Length)
	known := true
	switch rec.Rmgr {
	case walreader.RmgrTransaction:
		known = v.visitTransaction(rec)
	case walreader.RmgrStorage:
		known = v.visitStorage(rec)
	case walreader.RmgrDatabase:
		known = v.visitDatabase(rec)
	case walreader.RmgrTablespace:
		known = v.visitTablespace(rec)
	case walreader.RmgrHeap, walreader.RmgrHeap2:
		v.rows.visit(rec)
	case walreader.RmgrLogicalMessage:
		v.lost.Messages++
	}
	if !known {
		v.lost.Unparsed++
	}
}

// Prepend merges the visitor of the previous segment, which must not be used
// afterwards.
func (v *Visitor) Prepend(before walreader.Visitor) {
	earlier := before.(*Visitor)
	v.lost.Records += earlier.lost.Records
	v.lost.Bytes += earlier.lost.Bytes
	v.lost.Committed += earlier.lost.Committed
	v.lost.Aborted += earlier.lost.Aborted
	v.lost.Prepared += earlier.lost.Prepared
	v.lost.Messages += earlier.lost.Messages
	v.lost.Unparsed += earlier.lost.Unparsed
	if earlier.lost.FirstCommit.LSN != 0 {
		v.lost.FirstCommit = earlier.lost.FirstCommit
	}
	if v.lost.LastCommit.LSN == 0 {
		v.lost.LastCommit = earlier.lost.LastCommit
	}
	for oid, n := range earlier.lost.CommittedIn {
		v.committedIn(oid, n)
	}
	v.lost.Created.prepend(earlier.lost.Created)
	v.lost.Dropped.prepend(earlier.lost.Dropped)
	v.lost.Truncated.prepend(earlier.lost.Truncated)
	v.undone.prepend(earlier.undone)
	v.rows.prepend(&earlier.rows)
	v.databases = prepend(v.databases, earlier.databases)
	v.lost.CreatedTablespaces = prepend(v.lost.CreatedTablespaces, earlier.lost.CreatedTablespaces)
	v.lost.DroppedTablespaces = prepend(v.lost.DroppedTablespaces, earlier.lost.DroppedTablespaces)

	for xid, p := range earlier.prepared {
		if v.ended[xid] {
			delete(v.ended, xid)
		} else {
			v.prepare(p)
		}
	}
	for xid := range earlier.ended {
		v.endEarlier(xid)
	}
}

// Report returns what was lost. Everything back to the fork must have been visited.
// blocks is [walreader.ScanResult.BlocksAfterFork]. The visitor must not be used
// afterwards.
func (v *Visitor) Report(blocks map[pgdata.RelFileLocator]int64) Lost {
	v.lost.Blocks, v.lost.Rows = blocks, v.rows.lost
	v.foldDatabases()
	if len(v.undone.List) > 0 {
		undone := map[pgdata.RelFileLocator]bool{}
		for _, r := range v.undone.List {
			undone[r] = true
		}
		v.lost.Created.List = slices.DeleteFunc(v.lost.Created.List, func(r pgdata.RelFileLocator) bool { return undone[r] })
	}
	v.lost.Truncated.List = unique(v.lost.Truncated.List)
	for _, p := range slices.SortedFunc(maps.Values(v.prepared), func(a, b Prepared) int { return cmp.Compare(a.LSN, b.LSN) }) {
		v.lost.StillPrepared.add(p)
	}
	return v.lost
}

// unique keeps the first of equal elements.
func unique[T comparable](list []T) []T {
	seen := map[T]bool{}
	return slices.DeleteFunc(list, func(e T) bool {
		if seen[e] {
			return true
		}
		seen[e] = true
		return false
	})
}
