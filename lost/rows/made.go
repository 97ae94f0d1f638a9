package rows

import (
	"github.com/gorewind/gorewind/catalog"
	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// made is what the WAL says of columns that were created or changed after the fork. The
// catalogs as of the fork and as of the end lack columns that only existed in between.
type made struct {
	f        *Finder
	decoder  *heapwal.Decoder
	versions *versions
	files    map[pgdata.RelFileLocator]*database // the files of pg_attribute
	tables   map[tableID]*madeTable
	// unclear says that a record could not be read: it may have changed anything that is
	// known.
	unclear bool
}

// madeTable is what was written about a table.
type madeTable struct {
	columns map[int]catalog.Column // by number, as last written
	older   map[int]bool           // columns that existed before they were first written
	retyped bool                   // a column was written that reads values in another way
}

func newMade(f *Finder) *made {
	m := &made{
		f: f, decoder: heapwal.NewDecoder(f.o.Format), versions: newVersions(f.o.Memory, f.end), files: map[pgdata.RelFileLocator]*database{},
		tables: map[tableID]*madeTable{},
	}
	for _, db := range f.relations.dbs {
		m.files[db.end.AttributeFile()] = db
	}
	return m
}

// add adds a record.
func (m *made) add(rec *walreader.Record) {
	switch rec.Rmgr {
	case walreader.RmgrRelMap: // pg_attribute may have been in another file before
		m.unclear = true
		return
	case walreader.RmgrStorage:
		if l, blocks, main, ok := m.f.o.Format.StorageTruncate(rec); ok && main && m.files[l] != nil {
			m.versions.cut(l, blocks)
		}
		return
	}
	for i := range rec.Blocks {
		ref := &rec.Blocks[i]
		if ref.Fork != pgdata.MainFork || m.files[ref.Locator] == nil {
			continue
		}
		switch id := (blockID{ref.Locator, ref.Block}); {
		case ref.HasImage:
			m.versions.image(id, m.decoder.Image(rec, i))
		case ref.WillInit:
			m.versions.image(id, nil)
		}
	}
	if !heapwal.Touches(rec) || len(rec.Blocks) == 0 {
		return
	}
	db := m.files[rec.Blocks[0].Locator]
	if db == nil {
		return
	}
	changes, err := m.decoder.Decode(rec)
	m.unclear = m.unclear || err != nil
	for i := range changes {
		m.change(db, rec.XID, &changes[i])
	}
}

func (m *made) change(db *database, xid uint32, c *heapwal.Change) {
	var old *heap.Tuple
	switch c.Op {
	case heapwal.Insert:
	case heapwal.Update:
		if t, ok, err := m.versions.old(c); ok && err == nil {
			old = &t
		}
	default:
		return
	}
	t, ok, err := m.versions.new(c, xid, old)
	ok = ok && err == nil
	m.versions.put(c.Locator, c.New, t.Data)
	if !m.f.outcome.committed.Has(xid) {
		return
	}
	var column catalog.Column
	var relation uint32
	var number int
	if ok {
		t.XMin = xid
		column, relation, number, err = db.end.ParseColumn(t)
	}
	if !ok || err != nil {
		m.unclear = true
		return
	}
	if number < 1 {
		return
	}
	id := tableID{db.info.OID, relation}
	of := m.tables[id]
	if of == nil {
		of = &madeTable{columns: map[int]catalog.Column{}, older: map[int]bool{}}
		m.tables[id] = of
	}
	switch was, has := of.columns[number]; {
	case !has:
		of.older[number] = c.Op == heapwal.Update
	case !readsAlike(&was, &column):
		of.retyped = true
	}
	of.columns[number] = column
}

// readsAlike reports whether values that were written to a column are still read in the
// same way after the column was changed.
func readsAlike(was, is *catalog.Column) bool {
	return was.Len == is.Len && was.Align == is.Align && (is.Dropped || was.Type == is.Type)
}

// columns returns the columns that a table had after the fork: those at the fork that
// were not changed, those changed since as they were then, and those that were added.
// ok is false if some of them were read differently at times, or if that is not known.
func (m *made) columns(id tableID, then []catalog.Column) (columns []catalog.Column, ok bool) {
	if m == nil {
		return then, true // no catalog was changed
	}
	of := m.tables[id]
	switch {
	case m.unclear || of != nil && of.retyped:
		return nil, false
	case of == nil:
		return then, true
	}
	columns = append([]catalog.Column{}, then...)
	for n := range of.columns {
		for len(columns) < n {
			columns = append(columns, catalog.Column{})
		}
	}
	for n, c := range of.columns {
		if n <= len(then) && !readsAlike(&then[n-1], &c) || n > len(then) && of.older[n] {
			return nil, false // it was something else, or is not known
		}
		columns[n-1] = c
	}
	for i := range columns {
		if columns[i].Len == 0 { // no record has this column
			return nil, false
		}
	}
	return columns, true
}
