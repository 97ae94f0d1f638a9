package rewind

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gorewind/gorewind/catalog"
	"github.com/gorewind/gorewind/controlfile"
	"github.com/gorewind/gorewind/filemap"
	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// maxNaming limits how long the target's catalogs are read for names, which nothing
// depends on.
const maxNaming = 2 * time.Second

// nameOwn reads from the target's catalogs what relations are called that only the
// target has. The source cannot name them, and after the rewind nothing can.
//
// Only a primary that was shut down has written its catalogs to its files. A standby's
// may be as of its last restartpoint, whose names can be old, so then relations keep
// their file numbers.
func (r *Rewind) nameOwn(ctx context.Context) {
	p := r.plan
	wanted := r.onlyOwn()
	if len(wanted) == 0 || p.Again || p.Target.Unknown || !wroteAll(p.Target.Control) {
		return
	}
	var err error
	if r.ownNames, _, err = r.namesIn(ctx, r.target.Dir, p.Target.Control, wanted); err != nil {
		r.ownUnnamed = fmt.Errorf("could not read names of relations from the target's catalogs: %w", err)
	}
}

// wroteAll reports whether a server has written everything to its files.
func wroteAll(c *controlfile.Data) bool { return c != nil && c.State == controlfile.ShutDown }

// onlyOwn returns the relations to name: those that the target created, and those that
// it changed and the source does not have any more. What a new database has is one row.
func (r *Rewind) onlyOwn() []pgdata.RelFileLocator {
	p := r.plan
	wanted := slices.Clone(p.Lost.Created.List)
	if p.Files == nil {
		return nil
	}
	for i := range p.Files.Entries {
		e := &p.Files.Entries[i]
		if e.Action != filemap.Remove {
			continue
		}
		first, ok := pgdata.ParseRelPath(p.Version, e.Path) // of the main fork: others come and go while the relation stays
		if _, changed := p.Lost.Blocks[first.Locator]; ok && first.Segment == 0 && changed {
			wanted = append(wanted, first.Locator)
		}
	}
	wanted = slices.DeleteFunc(wanted, func(l pgdata.RelFileLocator) bool { return slices.Contains(p.Lost.CreatedDatabases, l.Database) })
	slices.SortFunc(wanted, compareLocators)
	return slices.Compact(wanted)
}

// namesIn reads from the catalogs of a server that has written them to its files what
// relations and databases are called. What was read until an error counts.
func (r *Rewind) namesIn(ctx context.Context, files catalog.Files, control *controlfile.Data, wanted []pgdata.RelFileLocator) (
	relations map[pgdata.RelFileLocator]source.RelationName, databases map[uint32]string, err error,
) {
	ctx, cancel := context.WithTimeout(ctx, maxNaming)
	defer cancel()
	c, err := catalog.Open(ctx, catalog.Options{Files: files, Version: r.plan.Version, Geometry: control.Geometry, Relations: wanted})
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = c.Close() }()
	in := map[uint32][]pgdata.RelFileLocator{}
	for _, l := range wanted {
		in[l.Database] = append(in[l.Database], l)
	}
	relations, databases = map[pgdata.RelFileLocator]source.RelationName{}, map[uint32]string{}
	for _, db := range c.Databases {
		databases[db.OID] = valid(db.Name)
		if len(in[db.OID]) == 0 {
			continue
		}
		found, err := c.RelationNames(ctx, db, in[db.OID])
		if err != nil {
			return relations, databases, err
		}
		for l, n := range found {
			if name, ok := ownName(n); ok {
				relations[l] = name
			}
		}
	}
	return relations, databases, nil
}

// valid makes UTF-8 of a name in any encoding. What cannot be shown is lost.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// relationKinds are the kinds of relations that have files, by relkind.
var relationKinds = map[byte]source.RelationKind{
	'r': source.Table, 'i': source.Index, 'S': source.Sequence, 'm': source.MaterializedView, 't': source.ToastTable,
}

// ownName returns a name from the target's catalogs as sources give them. Names that are
// not in UTF-8 lose what cannot be shown.
func ownName(n catalog.RelationName) (name source.RelationName, ok bool) {
	kind, ok := relationKinds[n.Kind]
	if kind == source.Index && n.TOAST {
		kind = source.ToastIndex
	}
	return source.RelationName{Database: valid(n.Database), Schema: valid(n.Schema), Name: valid(n.Name), Kind: kind, Table: valid(n.Table)}, ok
}
