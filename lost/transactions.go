package lost

import "github.com/gorewind/gorewind/walreader"

func (v *Visitor) visitTransaction(rec *walreader.Record) (known bool) {
	switch rec.TransactionEvent() {
	case walreader.Commits:
		v.lost.Committed++
		e, ok := v.format.Ended(rec)
		v.endRows(rec, &e, true)
		if e.Time.IsZero() {
			return false
		}
		c := Commit{LSN: rec.LSN, XID: rec.XID, Time: e.Time}
		if e.Prepared != 0 {
			c.XID = e.Prepared // COMMIT PREPARED has no transaction ID of its own
		}
		if v.lost.FirstCommit.LSN == 0 {
			v.lost.FirstCommit = c
		}
		v.lost.LastCommit = c
		if !ok {
			return false
		}
		if e.Database != 0 {
			v.committedIn(e.Database, 1)
		}
		for l := range e.Relations() {
			v.lost.Dropped.add(l)
		}
		return v.end(e.Prepared)
	case walreader.Aborts:
		v.lost.Aborted++
		e, ok := v.format.Ended(rec)
		v.endRows(rec, &e, false)
		if !ok {
			return false
		}
		for l := range e.Relations() {
			v.undone.add(l)
		}
		return v.end(e.Prepared)
	case walreader.Prepares:
		v.lost.Prepared++
		p, ok := v.format.Prepared(rec)
		// If the content is not as expected, only the record's own header can be used.
		return v.prepare(Prepared{LSN: rec.LSN, XID: rec.XID, Database: p.Database, Time: p.Time, GID: p.GID}) && ok
	case walreader.NoEvent:
		return true
	}
	return false
}

func (v *Visitor) committedIn(database uint32, n int) {
	if v.lost.CommittedIn == nil {
		v.lost.CommittedIn = map[uint32]int{}
	}
	if _, has := v.lost.CommittedIn[database]; has || len(v.lost.CommittedIn) < maxListed {
		v.lost.CommittedIn[database] += n
	}
}

// prepare records a prepared transaction that has not ended yet.
func (v *Visitor) prepare(p Prepared) bool {
	if v.prepared == nil {
		v.prepared = map[uint32]Prepared{}
	}
	if len(v.prepared) >= maxPrepared {
		return false
	}
	v.prepared[p.XID] = p
	return true
}

// end records the end of a transaction; of a prepared one if xid is not zero.
func (v *Visitor) end(xid uint32) bool {
	if _, here := v.prepared[xid]; here {
		delete(v.prepared, xid)
		return true
	}
	return xid == 0 || v.endEarlier(xid)
}

// endEarlier records the end of a transaction that was prepared in an earlier segment
// or before the fork.
func (v *Visitor) endEarlier(xid uint32) bool {
	if v.ended == nil {
		v.ended = map[uint32]bool{}
	}
	if len(v.ended) >= maxPrepared {
		return false
	}
	v.ended[xid] = true
	return true
}

// endRows decides whether the row changes of a transaction and its subtransactions
// count.
func (v *Visitor) endRows(rec *walreader.Record, e *walreader.Ended, committed bool) {
	xid := rec.XID
	if e.Prepared != 0 {
		xid = e.Prepared
	}
	v.rows.ended(xid, committed)
	for sub := range e.Subtransactions() {
		v.rows.ended(sub, committed)
	}
}
