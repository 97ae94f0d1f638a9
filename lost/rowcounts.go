package lost

import (
	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/internal/xidset"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// RowCounts is how many rows of a relation committed transactions inserted, updated
// and deleted. Of transactions that began before the divergence it has what they did
// behind it. Rows that a table's rewrite inserts into its new file are among them.
type RowCounts struct{ Inserted, Updated, Deleted int64 }

func (c *RowCounts) add(o RowCounts) {
	c.Inserted += o.Inserted
	c.Updated += o.Updated
	c.Deleted += o.Deleted
}

// rowCounter counts rows by transactions, until it is known what becomes of these.
type rowCounter struct {
	lost map[pgdata.RelFileLocator]RowCounts
	open map[uint32]map[pgdata.RelFileLocator]RowCounts
	// Transactions that ended, for those that an earlier segment has left open.
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
	if c.open == nil {
		c.open = map[uint32]map[pgdata.RelFileLocator]RowCounts{}
	}
	of := c.open[rec.XID]
	if of == nil {
		of = map[pgdata.RelFileLocator]RowCounts{}
		c.open[rec.XID] = of
	}
	l := rec.Blocks[0].Locator
	counts.add(of[l])
	of[l] = counts
}

// ended notes the end of a transaction or subtransaction.
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
}

func (c *rowCounter) keep(counts map[pgdata.RelFileLocator]RowCounts) {
	if c.lost == nil && len(counts) > 0 {
		c.lost = map[pgdata.RelFileLocator]RowCounts{}
	}
	for l, n := range counts {
		n.add(c.lost[l])
		c.lost[l] = n
	}
}

func (c *rowCounter) prepend(earlier *rowCounter) {
	c.keep(earlier.lost)
	for xid, counts := range earlier.open {
		switch {
		case c.committed.Has(xid):
			c.keep(counts)
		case c.aborted.Has(xid):
		default:
			if c.open == nil {
				c.open = map[uint32]map[pgdata.RelFileLocator]RowCounts{}
			}
			of := c.open[xid]
			if of == nil {
				c.open[xid] = counts
				continue
			}
			for l, n := range counts {
				n.add(of[l])
				of[l] = n
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
