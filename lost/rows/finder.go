package rows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/gorewind/gorewind/catalog"
	"github.com/gorewind/gorewind/heap"
	"github.com/gorewind/gorewind/heap/heapwal"
	"github.com/gorewind/gorewind/heap/types"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/walreader"
)

// Options says where to look for lost rows.
type Options struct {
	WAL    walreader.Segments // WAL of the target
	Format walreader.Format
	Fork   pgdata.LSN // start of the first record that the other cluster does not have
	End    pgdata.LSN // end of the last record
	Files  catalog.Files
	// Recovery is where the crash recovery of a target that was not shut down cleanly
	// would begin, or zero if it was. If it is set, the files may not have everything that
	// is in the WAL.
	Recovery pgdata.LSN
	// Tables has patterns of the tables to report: as name, schema.name or
	// database.schema.name. None means all.
	Tables []string
	// SpillDir is a directory for what does not fit into memory; if empty, the system's
	// directory for temporary files.
	SpillDir string
	// Memory limits, in bytes, the changes that are kept of transactions that have not
	// committed, and separately the row versions that are kept. Zero means 32 MB.
	Memory int
	// Dollars says that lc_monetary is C, which is needed to format values of type money.
	Dollars bool
	Logger  *slog.Logger // nil: none
}

const defaultMemory = 32 << 20

// Finder finds lost rows.
type Finder struct {
	o         Options
	log       *slog.Logger
	outcome   *outcome
	end, fork *catalog.Cluster
	relations *relations
	versions  *versions
	chunks    *chunkStore
	tables    map[tableID]*Table
	summary   Summary
	begin     pgdata.LSN
}

type tableID struct{ database, oid uint32 }

// Find reads the WAL once, and the catalogs. The finder must be closed.
func Find(ctx context.Context, o Options) (*Finder, error) {
	for _, p := range o.Tables {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("pattern %q for tables: %w", p, err)
		}
	}
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	f := &Finder{o: o, log: o.Logger, tables: map[tableID]*Table{}, chunks: newChunkStore(o.Memory)}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	read, err := walreader.Read(ctx, o.WAL, o.Format, walreader.ReadRequest{
		From: o.Fork, To: o.End, Visitor: func() walreader.Visitor { return newOutcome(o.Format) },
	})
	if err != nil {
		return nil, err
	}
	f.outcome = read.Visitor.(*outcome)
	f.summary = Summary{Transactions: f.outcome.top, RolledBack: f.outcome.rolledBack(), Open: f.outcome.open(), Unparsed: f.outcome.unparsed}
	f.begin = o.Fork
	if oldest, some := f.outcome.oldest(); some {
		whole := false
		if f.begin, whole, err = f.start(ctx, oldest); err != nil {
			return nil, err
		}
		f.summary.Incomplete = !whole
	}
	f.relations = &relations{f: f, files: map[pgdata.RelFileLocator]*relation{}, dbs: map[uint32]*database{}}
	if err := f.readCatalogs(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.versions = newVersions(o.Memory, f.end)
	return f, nil
}

// readCatalogs reads the catalogs as of the end, and as of the fork.
func (f *Finder) readCatalogs(ctx context.Context) (err error) {
	options := catalog.Options{
		Files: f.o.Files, Version: f.o.Format.Version, Geometry: f.o.Format.Geometry,
		Relations: slices.SortedFunc(maps.Keys(f.outcome.relations), compareLocators),
	}
	var redo func(catalogFiles) (*heapwal.Redo, error)
	if f.o.Recovery != 0 {
		f.begin = min(f.begin, f.o.Recovery)
		redo = func(files catalogFiles) (*heapwal.Redo, error) { return f.redo(ctx, f.o.Recovery, f.o.End, files, nil) }
	}
	f.end, err = readAll(ctx, &options, redo, func(c *catalog.Cluster) error { return f.relations.openEnd(ctx, c, f.outcome.relations) })
	if err != nil {
		return err
	}
	options.After, redo = f.outcome.committed.Has, nil
	if f.relations.changedCatalogs(f.outcome.relations) {
		redo = func(files catalogFiles) (*heapwal.Redo, error) {
			f.relations.made = newMade(f)
			return f.redo(ctx, f.begin, f.o.Fork, files, f.relations.made.add)
		}
	}
	f.fork, err = readAll(ctx, &options, redo, func(c *catalog.Cluster) error { return f.relations.openFork(ctx, c) })
	return err
}

func compareLocators(a, b pgdata.RelFileLocator) int {
	return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.Tablespace, b.Tablespace), cmp.Compare(a.Relation, b.Relation))
}

// catalogFiles has the files of catalogs that were rewritten. Otherwise the number of a
// catalog's file is the catalog's OID.
type catalogFiles map[pgdata.RelFileLocator]bool

// readAll opens a cluster and reads it, together with what the WAL says of its
// catalogs, if redo is set. The catalogs themselves say which files they are in. If a
// catalog was read whose changes in the WAL were not collected, everything is read
// again.
func readAll(ctx context.Context, o *catalog.Options, redo func(catalogFiles) (*heapwal.Redo, error), read func(*catalog.Cluster) error) (*catalog.Cluster, error) {
	for files := (catalogFiles{}); ; {
		var newer *heapwal.Redo
		if redo != nil {
			var err error
			if newer, err = redo(files); err != nil {
				return nil, err
			}
			o.Newer = newer
		}
		c, err := catalog.Open(ctx, *o)
		if err == nil {
			err = read(c)
		}
		again := newer != nil && len(newer.Missed()) > 0
		if err == nil && !again {
			return c, nil
		}
		if c != nil {
			err = errors.Join(err, c.Close())
		}
		if !again {
			return nil, err
		}
		maps.Copy(files, newer.Missed())
	}
}

// redo collects what the WAL says of the catalogs as of an LSN. observe, if not nil, is
// called for all records.
func (f *Finder) redo(ctx context.Context, from, to pgdata.LSN, files catalogFiles, observe func(*walreader.Record)) (*heapwal.Redo, error) {
	redo := heapwal.NewRedo(f.o.Format, func(l pgdata.RelFileLocator) bool { return mayDescribe(l) || files[l] })
	r := walreader.NewReader(f.o.WAL, f.o.Format)
	defer func() { _ = r.Close() }()
	for rec, err := range r.Records(ctx, from, f.o.End) {
		if err != nil {
			return nil, err
		}
		if rec.LSN >= to {
			redo.Freeze()
		}
		if observe != nil {
			observe(rec)
		}
		if err := redo.Add(rec); err != nil {
			return nil, fmt.Errorf("record at %s: %w", f.o.Format.Version.FormatLSN(rec.LSN), err)
		}
	}
	return redo, nil
}

// Close closes what is open.
func (f *Finder) Close() (err error) {
	for _, c := range []*catalog.Cluster{f.end, f.fork} {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	return err
}

// table returns the counts of a table.
func (f *Finder) table(db *database, rel *catalog.Relation) *Table {
	id := tableID{db.info.OID, rel.OID}
	if t := f.tables[id]; t != nil {
		return t
	}
	text := func(s string) string { s, _ = db.text.decode(s); return s }
	t := &Table{Database: text(db.info.Name), Schema: text(rel.Schema), Name: text(rel.Name), OID: rel.OID, Parent: text(rel.Parent)}
	t.Passing = db.fork != nil && db.fork.Relations[rel.OID] == nil && db.end.Relations[rel.OID] == nil
	if hiddenOID(rel) {
		t.Columns = append(t.Columns, Column{Name: hiddenOIDName, Type: "oid"})
	}
	at := make([]int, len(rel.Columns)) // index of a column among those that were not dropped
	for i, c := range rel.Columns {
		if at[i] = len(t.Columns); c.Dropped {
			at[i] = -1
			continue
		}
		t.Columns = append(t.Columns, Column{
			Name: text(c.Name), Type: text(typeName(db.end.Type(c.Type), c.Type)),
			Generated: c.Generated != 0, Virtual: c.Generated == 'v', AlwaysIdentity: c.Identity == 'a',
		})
	}
	for _, n := range rel.PrimaryKey {
		if n < 1 || n > len(at) || at[n-1] < 0 {
			t.Key = nil
			break
		}
		t.Key = append(t.Key, at[n-1])
		t.Columns[at[n-1]].Key = true
	}
	if t.Key == nil {
		t.Key = keyByName(t)
	}
	f.tables[id] = t
	return t
}

func typeName(t *types.Type, oid uint32) string {
	switch {
	case t == nil:
		return fmt.Sprint(oid)
	case t.Schema == "pg_catalog":
		return t.Name
	}
	return t.Schema + "." + t.Name
}

func (f *Finder) printer(db *database, from *catalog.Database) *types.Printer {
	i := 0
	if from != db.end {
		i = 1
	}
	if db.printers[i] == nil {
		db.printers[i] = &types.Printer{
			NoDatetime: f.o.Format.Version.JSONPath.NoDatetime, BareNumbers: f.o.Format.Version.JSONPath.BareNumbers,
			Types: from, Dollars: f.o.Dollars, FormatLSN: func(l uint64) string { return f.o.Format.Version.FormatLSN(pgdata.LSN(l)) },
			Fetch: func(e *heap.External) ([]byte, error) {
				if stored, has := f.chunks.fetch(db.info.OID, e); has {
					return stored, nil
				}
				return from.Fetch(e)
			},
		}
	}
	return db.printers[i]
}

// Changes yields the lost rows in the order in which their transactions committed. A
// change is valid until the next one. Changes can be called once. An error ends the
// sequence.
func (f *Finder) Changes(ctx context.Context) iter.Seq2[*Change, error] {
	return func(yield func(*Change, error) bool) {
		p := newPass(f, yield)
		err := p.run(ctx)
		if closing := p.buffer.close(); err == nil {
			err = closing
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// errStopped means that the caller wants no more changes.
var errStopped = errors.New("stopped")

// Summary says what was found. It is complete when Changes has ended.
func (f *Finder) Summary() Summary {
	s := f.summary
	s.Tables = nil
	for _, t := range f.tables {
		if t.Inserted+t.Updated+t.Deleted > 0 {
			s.Tables = append(s.Tables, t)
		}
	}
	slices.SortFunc(s.Tables, func(a, b *Table) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name))
	})
	s.Events = f.events()
	return s
}

// commit is the end of a transaction.
type commit struct {
	xid uint32
	lsn pgdata.LSN
	at  time.Time
}
