package rows

import (
	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/internal/xidset"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// outcome is the outcome of the transactions in a range of WAL, and the relations and
// databases that it changes. It is a visitor of a scan.
type outcome struct {
	format    walreader.Format
	committed xidset.Set // including their subtransactions
	aborted   xidset.Set
	changed   xidset.Set // transactions that changed rows
	top       int        // number of committed top-level transactions
	relations map[pgdata.RelFileLocator]bool
	unparsed  int
}

func newOutcome(f walreader.Format) *outcome {
	return &outcome{format: f, committed: xidset.Set{}, aborted: xidset.Set{}, changed: xidset.Set{}, relations: map[pgdata.RelFileLocator]bool{}}
}

// Visit adds a record.
func (o *outcome) Visit(rec *walreader.Record) {
	if heapwal.Touches(rec) {
		if len(rec.Blocks) > 0 {
			o.relations[rec.Blocks[0].Locator] = true
		}
		if rec.XID != 0 {
			o.changed.Add(rec.XID)
		}
		return
	}
	event := rec.TransactionEvent()
	if event != walreader.Commits && event != walreader.Aborts {
		return
	}
	set := o.committed
	if event == walreader.Aborts {
		set = o.aborted
	} else {
		o.top++
	}
	e, ok := o.format.Ended(rec)
	if !ok {
		o.unparsed++
	}
	xid := rec.XID
	if e.Prepared != 0 {
		xid = e.Prepared
	}
	set.Add(xid)
	for sub := range e.Subtransactions() {
		set.Add(sub)
	}
}

// Prepend merges the outcome of an earlier segment.
func (o *outcome) Prepend(earlier walreader.Visitor) {
	e := earlier.(*outcome)
	o.committed.Union(e.committed)
	o.aborted.Union(e.aborted)
	o.changed.Union(e.changed)
	o.top += e.top
	o.unparsed += e.unparsed
	for l := range e.relations {
		o.relations[l] = true
	}
}

// open returns how many transactions changed rows and did not end.
func (o *outcome) open() (n int) {
	for xid := range o.changed.All() {
		if !o.committed.Has(xid) && !o.aborted.Has(xid) {
			n++
		}
	}
	return n
}

// rolledBack returns how many transactions changed rows and were rolled back, including
// subtransactions.
func (o *outcome) rolledBack() (n int) {
	for xid := range o.changed.All() {
		if o.aborted.Has(xid) {
			n++
		}
	}
	return n
}

// oldest returns the oldest transaction that committed; ok is false if none did.
func (o *outcome) oldest() (xid uint32, ok bool) {
	for x := range o.committed.All() {
		if !ok || xidset.Before(x, xid) {
			xid, ok = x, true
		}
	}
	return xid, ok
}
