package lost

import (
	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/internal/xidset"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// RowCounts is how many rows of a relation committed transactions inserted, updated and
// deleted. For transactions that began before the divergence, it counts only what they
// did after it. It includes the rows that rewriting a table inserts into its new file.
type RowCounts struct{ Inserted, Updated, Deleted int64 }

func (c *RowCounts) add(o RowCounts) {
	c.Inserted += o.Inserted
	c.Updated += o.Updated
	c.Deleted += o.Deleted
}

// rowCounter counts rows by transaction until the outcome of the transaction is known.
type rowCounter struct {
	lost map[pgdata.RelFileLocator]RowCounts
	open map[uint32]map[pgdata.RelFileLocator]*RowCounts
	// The last counter used, since most records have the same transaction and relation as
	// the one before.
	last struct {
		xid     uint32
		locator pgdata.RelFileLocator
		counts  *RowCounts
	}
	// Transactions that ended; an earlier segment may have counts for them.
	committed, aborted xidset.Set
}

func (c *rowCounter) visit(rec *walreader.Record) {
	op, n := heapwal.Rows(rec)
	var counts RowCounts
	switch op {
	case heapwal.Insert, heapwal.Confirm:
		counts.Inserted = int64(n)
	case heapwal.Update:
		counts.Updated = int64(n)
	case heapwal.Delete:
		counts.Deleted = int64(n)
	default:
		return
	}
	l, last := rec.Blocks[0].Locator, &c.last
	if last.counts == nil || last.xid != rec.XID || last.locator != l {
		last.xid, last.locator, last.counts = rec.XID, l, c.of(rec.XID, l)
	}
	last.counts.add(counts)
}

// of returns the counts of a transaction and a relation.
func (c *rowCounter) of(xid uint32, l pgdata.RelFileLocator) *RowCounts {
	if c.open == nil {
		c.open = map[uint32]map[pgdata.RelFileLocator]*RowCounts{}
	}
	of := c.open[xid]
	if of == nil {
		of = map[pgdata.RelFileLocator]*RowCounts{}
		c.open[xid] = of
	}
	counts := of[l]
	if counts == nil {
		counts = new(RowCounts)
		of[l] = counts
	}
	return counts
}

// ended records the end of a transaction or subtransaction.
func (c *rowCounter) ended(xid uint32, committed bool) {
	if c.committed == nil {
		c.committed, c.aborted = xidset.Set{}, xidset.Set{}
	}
	if committed {
		c.committed.Add(xid)
		c.keep(c.open[xid])
	} else {
		c.aborted.Add(xid)
	}
	delete(c.open, xid)
	c.last.counts = nil
}

func (c *rowCounter) keep(counts map[pgdata.RelFileLocator]*RowCounts) {
	for l, n := range counts {
		c.add(l, *n)
	}
}

func (c *rowCounter) add(l pgdata.RelFileLocator, n RowCounts) {
	if c.lost == nil {
		c.lost = map[pgdata.RelFileLocator]RowCounts{}
	}
	n.add(c.lost[l])
	c.lost[l] = n
}

func (c *rowCounter) prepend(earlier *rowCounter) {
	for l, n := range earlier.lost {
		c.add(l, n)
	}
	for xid, counts := range earlier.open {
		switch {
		case c.committed.Has(xid):
			c.keep(counts)
		case !c.aborted.Has(xid):
			for l, n := range counts {
				c.of(xid, l).add(*n)
			}
		}
	}
	if c.committed == nil {
		c.committed, c.aborted = earlier.committed, earlier.aborted
	} else {
		c.committed.Union(earlier.committed)
		c.aborted.Union(earlier.aborted)
	}
}
