package walreader

import (
	"cmp"
	"maps"
	"slices"

	"github.com/gorewind/gorewind/pgdata"
)

// Resource managers of which only what is lost is of interest.
const (
	rmgrTablespace     = 5
	rmgrLogicalMessage = 21
)

// lostScan collects what is lost, of a segment or of several that are neighbours.
// What can only be decided when all is known stands beside the report.
type lostScan struct {
	Lost
	wal *pgdata.WALFormat

	// The segment of the fork has also older records, so that its changed blocks
	// are more than what is lost. Nil in other segments.
	blocks *changes

	prepared  map[uint32]Prepared         // by XID: not ended yet
	ended     map[uint32]bool             // XIDs of prepared transactions that ended, and were prepared earlier
	undone    List[pgdata.RelFileLocator] // relations that a rollback dropped
	databases []databaseEvent             // in the order of WAL
}

// maxPrepared bounds the transactions that are prepared at a time: no server
// allows more (MAX_BACKENDS, postmaster/postmaster.h).
const maxPrepared = 1<<18 - 1

func (s *scan) newLost(no pgdata.SegNo) lostScan {
	l := lostScan{wal: &s.f.Version.WAL}
	if no == s.f.Geometry.SegNo(s.fork) {
		l.blocks = newChanges(s.f.Geometry)
	}
	return l
}

// add takes a record behind the fork into account.
func (l *lostScan) add(rec *Record) {
	l.Records++
	l.Bytes += int64(rec.Length)
	if l.blocks != nil {
		for i := range rec.Blocks {
			if b := &rec.Blocks[i]; b.Fork == pgdata.MainFork {
				l.blocks.add(b.Locator, b.Block)
			}
		}
	}
	known := true
	switch rec.Rmgr {
	case rmgrTransaction:
		known = l.addTransaction(rec)
	case rmgrStorage:
		known = l.addStorage(rec)
	case rmgrDatabase:
		known = l.addDatabase(rec)
	case rmgrTablespace:
		known = l.addTablespace(rec)
	case rmgrLogicalMessage:
		l.Messages++
	}
	if !known {
		l.Unparsed++
	}
}

// prepend takes in what the segment before it has; earlier must not be used
// afterwards.
func (l *lostScan) prepend(earlier *lostScan) {
	l.Records += earlier.Records
	l.Bytes += earlier.Bytes
	l.Committed += earlier.Committed
	l.Aborted += earlier.Aborted
	l.Prepared += earlier.Prepared
	l.Messages += earlier.Messages
	l.Unparsed += earlier.Unparsed
	if earlier.FirstCommit.LSN != 0 {
		l.FirstCommit = earlier.FirstCommit
	}
	if l.LastCommit.LSN == 0 {
		l.LastCommit = earlier.LastCommit
	}
	for oid, n := range earlier.CommittedIn {
		l.committedIn(oid, n)
	}
	l.Created.prepend(earlier.Created)
	l.Dropped.prepend(earlier.Dropped)
	l.Truncated.prepend(earlier.Truncated)
	l.undone.prepend(earlier.undone)
	l.databases = prepend(l.databases, earlier.databases)
	l.CreatedTablespaces = prepend(l.CreatedTablespaces, earlier.CreatedTablespaces)
	l.DroppedTablespaces = prepend(l.DroppedTablespaces, earlier.DroppedTablespaces)

	for xid, p := range earlier.prepared {
		if l.ended[xid] {
			delete(l.ended, xid)
		} else {
			l.prepare(p)
		}
	}
	for xid := range earlier.ended {
		l.endEarlier(xid)
	}
}

// report is what was lost, when everything back to the fork was taken in. The
// changed blocks are those of the fork's segment behind the fork and those of
// newer segments.
func (l *lostScan) report(inForkSegment *changes, newer pgdata.ChangedBlocks) Lost {
	l.Blocks = countBlocks(inForkSegment.blocks, newer)
	l.foldDatabases()
	if len(l.undone.List) > 0 {
		undone := map[pgdata.RelFileLocator]bool{}
		for _, r := range l.undone.List {
			undone[r] = true
		}
		l.Created.List = slices.DeleteFunc(l.Created.List, func(r pgdata.RelFileLocator) bool { return undone[r] })
	}
	l.Truncated.List = unique(l.Truncated.List)
	for _, p := range slices.SortedFunc(maps.Values(l.prepared), func(a, b Prepared) int { return cmp.Compare(a.LSN, b.LSN) }) {
		l.StillPrepared.add(p)
	}
	return l.Lost
}

// countBlocks counts the blocks of both sets by relation.
func countBlocks(older, newer pgdata.ChangedBlocks) map[pgdata.RelFileLocator]int64 {
	counts := map[pgdata.RelFileLocator]int64{}
	for file, blocks := range newer {
		if more := older[file]; more != nil {
			more.Union(blocks) // counted below
		} else {
			counts[file.Locator] += int64(blocks.Len())
		}
	}
	for file, blocks := range older {
		counts[file.Locator] += int64(blocks.Len())
	}
	return counts
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
