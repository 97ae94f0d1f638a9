package rows

import (
	"context"
	"errors"
	"fmt"

	"github.com/gorewind/gorewind/catalog"
	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/heap/types"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// pass reads the WAL in order.
type pass struct {
	f       *Finder
	yield   func(*Change, error) bool
	decoder *heapwal.Decoder
	buffer  *buffer
	// unconfirmed has the insertions of INSERT ... ON CONFLICT that are not confirmed yet, by
	// transaction.
	unconfirmed map[uint32]event
	change      Change
}

func newPass(f *Finder, yield func(*Change, error) bool) *pass {
	return &pass{
		f: f, yield: yield, decoder: heapwal.NewDecoder(f.o.Format), unconfirmed: map[uint32]event{},
		buffer: &buffer{dir: f.o.SpillDir, limit: f.o.Memory, open: map[uint32]*pending{}},
	}
}

func (p *pass) run(ctx context.Context) error {
	r := walreader.NewReader(p.f.o.WAL, p.f.o.Format)
	defer func() { _ = r.Close() }()
	for rec, err := range r.Records(ctx, p.f.begin, p.f.o.End) {
		if err != nil {
			return err
		}
		if err := p.record(rec); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) record(rec *walreader.Record) error {
	switch rec.Rmgr {
	case walreader.RmgrTransaction:
		return p.transaction(rec)
	case walreader.RmgrStorage:
		if l, blocks, main, ok := p.f.o.Format.StorageTruncate(rec); ok && main {
			p.f.versions.cut(l, blocks)
		}
		return nil
	}
	for i := range rec.Blocks {
		p.image(rec, i)
	}
	if !heapwal.Touches(rec) {
		return nil
	}
	changes, err := p.decoder.Decode(rec)
	if err != nil {
		p.f.summary.Unparsed++
		for i := range rec.Blocks { // it may have put anything there
			p.f.versions.forget(blockID{rec.Blocks[i].Locator, rec.Blocks[i].Block})
		}
		p.f.log.Debug(fmt.Sprintf("record at %s: %v", p.f.o.Format.Version.FormatLSN(rec.LSN), err), "lsn", p.f.o.Format.Version.FormatLSN(rec.LSN), "error", err)
		return nil
	}
	for i := range changes {
		if err := p.row(rec, &changes[i]); err != nil {
			return err
		}
	}
	return nil
}

// image records a page image of a table.
func (p *pass) image(rec *walreader.Record, i int) {
	ref := &rec.Blocks[i]
	if ref.Fork != pgdata.MainFork || !ref.HasImage && !ref.WillInit {
		return
	}
	if k := p.f.relations.of(ref.Locator).kind; k != rows && k != classes {
		return
	}
	id := blockID{ref.Locator, ref.Block}
	if ref.HasImage {
		p.f.versions.image(id, p.decoder.Image(rec, i))
	} else {
		p.f.versions.image(id, nil)
	}
}

// row handles what a record does to a row.
func (p *pass) row(rec *walreader.Record, c *heapwal.Change) error {
	rel := p.f.relations.of(c.Locator)
	if rel.kind == other {
		return nil
	}
	e := event{op: c.Op, lsn: rec.LSN, xid: rec.XID, locator: c.Locator, new: c.New, old: c.Old, oldIsKey: c.OldIsKey}
	wanted := p.f.outcome.committed.Has(rec.XID) && rel.rewriting != rec.XID
	switch {
	case c.Op == heapwal.Confirm:
		if e, has := p.unconfirmed[rec.XID]; has && e.locator == c.Locator && e.new == c.New {
			delete(p.unconfirmed, rec.XID)
			e.op, e.lsn = heapwal.Insert, rec.LSN
			return p.buffer.add(&e)
		}
		return nil
	case c.Op == heapwal.Retract:
		delete(p.unconfirmed, rec.XID)
		return nil
	case rel.kind == chunks:
		if c.Op != heapwal.Insert || !c.NewRow.Known || !wanted && p.f.o.Recovery == 0 {
			return nil
		}
		e.op = opChunk
	case rel.kind == unknown && !wanted:
		return nil
	}
	if rel.kind == rows || rel.kind == classes || rel.kind == chunks {
		if err := p.versionsOf(rec, c, &e, rel); err != nil {
			return err
		}
	}
	if rel.kind == chunks && p.f.o.Recovery != 0 { // the chunk may not be in the file yet
		p.f.chunks.add(rel.db.info.OID, rel.table.OID, e.newRow)
	}
	if rel.kind == classes || !wanted {
		return nil
	}
	if c.Op == heapwal.Speculative {
		p.unconfirmed[rec.XID] = e
		return nil
	}
	return p.buffer.add(&e)
}

// versionsOf finds the rows of a change, and records the new state of their places.
func (p *pass) versionsOf(rec *walreader.Record, c *heapwal.Change, e *event, rel *relation) error {
	var old *heap.Tuple
	if c.Op == heapwal.Update || c.Op == heapwal.Delete {
		t, ok, err := p.f.versions.old(c)
		switch {
		case err != nil && !errors.Is(err, heap.ErrCorrupt):
			return err
		case ok && err == nil:
			old, e.oldRow, e.oldIsKey = &t, t.Data, false
		case c.OldRow.Known && c.OldIsKey:
			if t, err := c.OldRow.Complete(nil); err == nil {
				e.oldRow = t.Data
			}
		}
	}
	if c.Op == heapwal.Delete {
		return nil
	}
	t, ok, err := p.f.versions.new(c, rec.XID, old)
	if err != nil && !errors.Is(err, heap.ErrCorrupt) {
		return err
	}
	if ok && err == nil {
		e.newRow = t.Data
	}
	if rel.kind == chunks {
		return nil
	}
	p.f.versions.put(c.Locator, c.New, e.newRow)
	if rel.kind == classes && e.newRow != nil {
		if class, err := rel.db.end.ParseClass(t); err == nil {
			p.f.relations.classChanged(rel.db, class, rec.XID)
		}
	}
	return nil
}

// transaction yields the changes of a transaction that commits.
func (p *pass) transaction(rec *walreader.Record) error {
	if rec.TransactionEvent() != walreader.Commits {
		return nil
	}
	ended, _ := p.f.o.Format.Ended(rec)
	c := commit{xid: rec.XID, lsn: rec.LSN, at: ended.Time}
	if ended.Prepared != 0 {
		c.xid = ended.Prepared
	}
	xids := []uint32{c.xid}
	for sub := range ended.Subtransactions() {
		xids = append(xids, sub)
	}
	for _, xid := range xids {
		delete(p.unconfirmed, xid)
	}
	if rec.LSN < p.f.o.Fork {
		return nil
	}
	return p.buffer.take(xids, func(e *event) error { return p.tell(&c, e) })
}

// tell makes a change of an event.
func (p *pass) tell(c *commit, e *event) error {
	rel := p.f.relations.of(e.locator)
	switch rel.kind {
	case chunks:
		if e.op == opChunk {
			p.f.chunks.add(rel.db.info.OID, rel.table.OID, e.newRow)
		}
		return nil
	case unknown:
		p.f.summary.NotNamed++
		return nil
	case rows:
	default:
		return nil
	}
	t := rel.count
	p.change = Change{
		Table: t, XID: c.xid, LSN: e.lsn, Committed: c.at, CommitLSN: c.lsn, NewPlace: e.new, OldPlace: e.old,
	}
	change := &p.change
	var newWhy, oldWhy string
	var err error
	switch e.op {
	case heapwal.Insert:
		change.Op = Inserted
		t.Inserted++
	case heapwal.Update:
		change.Op = Updated
		t.Updated++
	case heapwal.Delete:
		change.Op = Deleted
		t.Deleted++
	}
	if change.Op != Deleted {
		if change.New, newWhy, err = p.values(rel, e.newRow, false); err != nil {
			return err
		}
	}
	if change.Op != Inserted {
		if change.Old, oldWhy, err = p.values(rel, e.oldRow, e.oldIsKey); err != nil {
			return err
		}
		change.OldIsKey = e.oldIsKey && change.Old != nil
	}
	if change.Why = newWhy; change.Why == "" {
		change.Why = oldWhy
	}
	if change.Why != "" {
		t.Unknown++
	}
	if !p.yield(change, nil) {
		return errStopped
	}
	return nil
}

// values returns the values of a row, or the reason why they are not known.
func (p *pass) values(rel *relation, row []byte, isKey bool) (values []Value, why string, err error) {
	switch {
	case rel.layout == nil:
		return nil, "the table was changed or dropped since, and its earlier definition is no longer known", nil
	case len(row) == 0:
		return nil, "this version of the row is neither in the WAL nor still on its page", nil
	}
	tuple, err := heap.ParseTuple(row)
	if err != nil {
		return nil, err.Error(), nil
	}
	raw, err := tuple.Values(rel.columns, nil)
	if err != nil {
		return nil, err.Error(), nil
	}
	// A table that was rewritten may have lost or changed columns. The columns that it has
	// now are reported.
	now := rel.table
	if hiddenOID(now) {
		values = append(values, hiddenOIDOf(&tuple))
	}
	for i := range now.Columns {
		c := &now.Columns[i]
		if c.Dropped {
			continue
		}
		if i >= len(rel.layout.Columns) || c.Generated == 'v' {
			values = append(values, Value{Missing: true}) // added later, or computed
			continue
		}
		v, why, err := p.value(rel, &rel.layout.Columns[i], raw[i], isKey)
		if err != nil {
			return nil, "", err
		}
		if why != "" {
			return nil, fmt.Sprintf("column %q: %s", c.Name, why), nil
		}
		values = append(values, v)
	}
	return values, "", nil
}

func (p *pass) value(rel *relation, c *catalog.Column, raw heap.Value, isKey bool) (v Value, why string, err error) {
	if raw.State == heap.Absent {
		raw = c.Missing
		if rel.former && raw.State != heap.Present {
			return Value{Missing: true}, "", nil // added later, with a different value for every row
		}
	}
	if raw.State != heap.Present {
		return Value{Null: !isKey, Missing: isKey}, "", nil // a null may be a column that is not in the key
	}
	text, err := rel.printer.Text(c.Type, raw.Raw)
	var escaped bool
	switch {
	case err == nil:
		text, escaped = rel.db.text.decode(text)
		if escaped {
			rel.count.Escaped++
		}
		return Value{Text: text, Escaped: escaped}, "", nil
	case errors.Is(err, types.ErrUnknown):
		b, err := rel.printer.Bytes(c.Len, raw.Raw)
		if errors.Is(err, catalog.ErrGone) {
			return Value{Missing: true}, "", nil
		}
		if err != nil {
			return Value{}, err.Error(), nil
		}
		name, _ := rel.db.text.decode(typeName(rel.printer.Types.Type(c.Type), c.Type))
		if rel.count.UnknownTypes == nil {
			rel.count.UnknownTypes = map[string]string{}
		}
		column, _ := rel.db.text.decode(c.Name)
		rel.count.UnknownTypes[column] = name
		return Value{Text: fmt.Sprintf(`\x%x`, b), UnknownType: name}, "", nil
	case errors.Is(err, catalog.ErrGone):
		return Value{Missing: true}, "", nil
	case errors.Is(err, heap.ErrCorrupt):
		return Value{}, err.Error(), nil
	}
	return Value{}, "", err
}
