package rewind

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/source"
)

// maxNamed is how many relations the source is asked the names of, those with the most
// changes first.
const maxNamed = 2000

// names has the source's names of relations, databases and tablespaces, and the target's
// names of relations that only it has.
type names struct {
	relations, own         map[pgdata.RelFileLocator]source.RelationName
	made                   map[pgdata.RelFileLocator]bool // relations that the target created
	databases, tablespaces map[uint32]string
	created                map[uint32]bool // databases that only the target has
}

// noNames returns what is known without asking the source.
func (r *Rewind) noNames() names {
	n := names{own: r.ownNames, made: map[pgdata.RelFileLocator]bool{}, created: map[uint32]bool{}}
	for _, l := range r.plan.Lost.Created.List {
		n.made[l] = true
	}
	for _, oid := range r.plan.Lost.CreatedDatabases {
		n.created[oid] = true
	}
	return n
}

// askNames asks the source for names, if it can tell.
func (r *Rewind) askNames(ctx context.Context) names {
	lost, n := &r.plan.Lost, r.noNames()
	if r.ownUnnamed != nil {
		r.log.Debug(r.ownUnnamed.Error(), "error", r.ownUnnamed)
	}
	wanted := slices.AppendSeq(slices.Clone(lost.Dropped.List), maps.Keys(lost.Blocks))
	for file := range r.plan.Damaged {
		if seg, ok := pgdata.ParseRelPath(r.plan.Version, file); ok {
			wanted = append(wanted, seg.Locator)
		}
	}
	copied := r.copiedRelations()
	wanted = slices.DeleteFunc(wanted, func(l pgdata.RelFileLocator) bool { return n.made[l] || n.created[l.Database] })
	wanted = slices.AppendSeq(wanted, maps.Keys(copied))
	slices.SortFunc(wanted, func(a, b pgdata.RelFileLocator) int {
		return cmp.Or(cmp.Compare(lost.Blocks[b], lost.Blocks[a]), cmp.Compare(copied[b], copied[a]), compareLocators(a, b))
	})
	wanted = slices.Compact(wanted)
	wanted = wanted[:min(len(wanted), maxNamed)]
	namer, can := r.opts.Source.(source.Namer)
	var err error
	if !can {
		err = r.readNames(ctx, &n, wanted)
	} else if n.relations, err = namer.RelationNames(ctx, wanted); err == nil {
		if n.databases, err = namer.DatabaseNames(ctx); err == nil {
			n.tablespaces, err = namer.TablespaceNames(ctx)
		}
	}
	if err != nil {
		r.log.Debug(fmt.Sprintf("could not find out names of relations: %v", err), "error", err)
	}
	return n
}

// readNames reads names from the files of a source that is stopped.
func (r *Rewind) readNames(ctx context.Context, n *names, wanted []pgdata.RelFileLocator) (err error) {
	files, can := r.opts.Source.(source.Local)
	if c := r.plan.Source.Control; can && len(wanted) > 0 && wroteAll(c) {
		n.relations, n.databases, err = r.namesIn(ctx, files, c, wanted)
	}
	return err
}

// copiedRelations returns the relations that are copied in whole or in part, with the
// number of bytes.
func (r *Rewind) copiedRelations() map[pgdata.RelFileLocator]int64 {
	copied := map[pgdata.RelFileLocator]int64{}
	plan := r.plan.Files
	for i := range plan.Entries {
		e := &plan.Entries[i]
		bytes := e.FetchBytes(plan.Geometry)
		if at, ok := report.RelationOf(e.Path); ok && bytes > 0 {
			copied[pgdata.RelFileLocator{Tablespace: at.Tablespace, Database: at.Database, Relation: at.FileNode}] += bytes
		}
	}
	return copied
}

// documentNamed lists the copied relations with their names. What the target did to
// them is in Lost.
func (r *Rewind) documentNamed(n names) (list []report.Relation) {
	copied := r.copiedRelations()
	for _, l := range slices.SortedFunc(maps.Keys(copied), compareLocators) {
		if name, known := n.relations[l]; known {
			d := report.Relation{Tablespace: l.Tablespace, Database: l.Database, FileNode: l.Relation}
			list = append(list, withName(d, name))
		}
	}
	return list
}

func compareLocators(a, b pgdata.RelFileLocator) int {
	return cmp.Or(cmp.Compare(a.Tablespace, b.Tablespace), cmp.Compare(a.Database, b.Database), cmp.Compare(a.Relation, b.Relation))
}

// database returns the name of a database of the source. Shared objects count as a
// database of their own.
func (n *names) database(oid uint32) string {
	if oid == 0 {
		return "global"
	}
	return cmp.Or(n.databases[oid], fmt.Sprint(oid))
}

// tablespace returns the name of a tablespace of the source.
func (n *names) tablespace(oid uint32) string {
	switch oid {
	case pgdata.DefaultTablespace:
		return "pg_default"
	case pgdata.GlobalTablespace:
		return "pg_global"
	}
	return cmp.Or(n.tablespaces[oid], fmt.Sprint(oid))
}

// ofTarget returns the name of a database of the target, or an empty string if the
// source does not have it.
func (n *names) ofTarget(database uint32) string {
	if n.created[database] {
		return ""
	}
	return n.databases[database]
}

// relation describes a relation of the target. What the target created never gets the
// source's name, even if the source has something else with the same file number.
func (n *names) relation(l pgdata.RelFileLocator, blocks int64) report.Relation {
	d := report.Relation{Tablespace: l.Tablespace, Database: l.Database, FileNode: l.Relation, Blocks: blocks, DBName: n.ofTarget(l.Database)}
	name, known := n.relations[l]
	if !known || n.made[l] {
		name, known = n.own[l]
	}
	if known {
		d = withName(d, name)
	}
	return d
}

func withName(d report.Relation, name source.RelationName) report.Relation {
	d.Name, d.DBName = name.String(), name.Database
	d.Schema, d.Relation, d.RelKind = name.Schema, name.Name, string(name.Kind)
	return d
}

// list lists relations of the target with their names. The relations of a database that
// the target created are combined into one entry. Otherwise they would hide all others:
// the catalogs alone are hundreds of relations.
func (n *names) list(relations []pgdata.RelFileLocator, blocks map[pgdata.RelFileLocator]int64) report.List[report.Relation] {
	var list report.List[report.Relation]
	of := map[uint32]int{}
	for _, l := range relations {
		if !n.created[l.Database] {
			list = append(list, n.relation(l, blocks[l]))
			continue
		}
		at, known := of[l.Database]
		if !known {
			at = len(list)
			of[l.Database] = at
			list = append(list, report.Relation{Database: l.Database})
		}
		list[at].Relations++
		list[at].Blocks += blocks[l]
	}
	return list
}

func (r *Rewind) documentLost(n names) *report.Lost {
	lost := &r.plan.Lost
	d := &report.Lost{
		WALBytes: lost.Bytes, Committed: lost.Committed, Prepared: lost.Prepared, Aborted: lost.Aborted, Unparsed: lost.Unparsed,
		Messages: lost.Messages, StillPreparedMore: lost.StillPrepared.More,
		Relations: n.list(slices.Collect(maps.Keys(lost.Blocks)), lost.Blocks),
		Created:   n.list(lost.Created.List, nil), CreatedMore: lost.Created.More,
		Dropped: n.list(lost.Dropped.List, nil), DroppedMore: lost.Dropped.More,
	}
	for i := range d.Relations {
		r := &d.Relations[i]
		if rows := lost.Rows[pgdata.RelFileLocator{Tablespace: r.Tablespace, Database: r.Database, Relation: r.FileNode}]; r.HasRows() {
			r.Inserted, r.Updated, r.Deleted = rows.Inserted, rows.Updated, rows.Deleted
		}
	}
	if lost.FirstCommit.LSN != 0 {
		d.FirstCommit, d.LastCommit = &lost.FirstCommit.Time, &lost.LastCommit.Time
	}
	for _, blocks := range lost.Blocks {
		d.Blocks += blocks
	}
	slices.SortFunc(d.Relations, func(a, b report.Relation) int {
		return cmp.Or(cmp.Compare(b.Blocks, a.Blocks), cmp.Compare(a.Database, b.Database), cmp.Compare(a.FileNode, b.FileNode), cmp.Compare(a.Tablespace, b.Tablespace))
	})
	var told int
	for oid, committed := range lost.CommittedIn {
		told += committed
		d.CommittedByDatabase = append(d.CommittedByDatabase, report.DatabaseCommits{Database: oid, DBName: n.ofTarget(oid), Committed: committed})
	}
	if told != lost.Committed { // an incomplete count says nothing about the rest
		d.CommittedByDatabase = nil
	}
	slices.SortFunc(d.CommittedByDatabase, func(a, b report.DatabaseCommits) int {
		return cmp.Or(cmp.Compare(b.Committed, a.Committed), cmp.Compare(a.Database, b.Database))
	})
	for _, p := range lost.StillPrepared.List {
		d.StillPrepared = append(d.StillPrepared, report.Prepared{
			GID: strings.ToValidUTF8(p.GID, "\ufffd"), Literal: literal(p.GID), XID: p.XID, Database: p.Database, DBName: n.ofTarget(p.Database), Time: p.Time,
		})
	}
	for _, oid := range lost.CreatedDatabases {
		d.CreatedDatabases = append(d.CreatedDatabases, fmt.Sprint(oid))
	}
	for _, oid := range lost.DroppedDatabases {
		d.DroppedDatabases = append(d.DroppedDatabases, n.database(oid))
	}
	for _, t := range lost.CreatedTablespaces {
		d.CreatedTablespaces = append(d.CreatedTablespaces, report.Tablespace{OID: t.OID, Location: strings.ToValidUTF8(t.Location, "\ufffd")})
	}
	for _, oid := range lost.DroppedTablespaces {
		d.DroppedTablespaces = append(d.DroppedTablespaces, n.tablespace(oid))
	}
	return d
}

// literal formats bytes in the server's encoding as an SQL literal.
func literal(s string) string {
	plain := true
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\'':
			b.WriteString("''")
		case r == '\\':
			plain = false
			b.WriteString(`\\`)
		case r == utf8.RuneError && size == 1 || !unicode.IsPrint(r):
			plain = false
			for _, c := range []byte(s[i : i+size]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		default:
			b.WriteRune(r)
		}
		i += size
	}
	if plain {
		return "'" + b.String() + "'"
	}
	return "E'" + b.String() + "'"
}
