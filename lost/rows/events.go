package rows

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/catalog"
)

// relkinds has the kinds of relations that are reported, by pg_class.relkind.
var relkinds = map[byte]string{
	'r': "table", 'p': "partitioned table", 'm': "materialized view", 'v': "view", 'f': "foreign table", 'S': "sequence",
}

// events compares the relations at the end with those at the fork.
func (f *Finder) events() (events []RelationEvent) {
	for _, db := range f.relations.dbs {
		if db.fork == nil {
			continue
		}
		note := func(rel *catalog.Relation, what string, xid uint32) {
			kind, told := relkinds[rel.Kind]
			if !told || rel.OID < firstNormalOID || rel.Persistence == 't' || strings.HasPrefix(rel.Schema, "pg_temp_") {
				return
			}
			event := RelationEvent{Kind: kind, What: what, XID: xid}
			event.Database, _ = db.text.decode(db.info.Name)
			event.Schema, _ = db.text.decode(rel.Schema)
			event.Name, _ = db.text.decode(rel.Name)
			events = append(events, event)
		}
		for oid, now := range db.end.Relations {
			switch was := db.fork.Relations[oid]; {
			case was == nil && f.outcome.committed.Has(now.XMin):
				note(now, RelationCreated, now.XMin)
			case was != nil && was.Locator != now.Locator && now.Kind != 'S':
				what := RelationEmptied
				if rel := f.relations.files[now.Locator]; rel != nil && rel.rewritten {
					what = RelationRewritten
				}
				note(now, what, now.XMin)
			}
		}
		passing := map[uint32]bool{}
		for _, l := range slices.SortedFunc(maps.Keys(db.classes), compareLocators) {
			rel := db.classes[l]
			isNew := strings.HasPrefix(rel.Name, "pg_temp_") // the new file of a rewrite
			if db.end.Relations[rel.OID] == nil && db.fork.Relations[rel.OID] == nil && !passing[rel.OID] && !isNew && f.outcome.committed.Has(rel.XMin) {
				passing[rel.OID] = true
				note(rel, RelationCreated, rel.XMin)
				note(rel, RelationDropped, 0)
			}
		}
		for oid, was := range db.fork.Relations {
			if db.end.Relations[oid] == nil {
				note(was, RelationDropped, 0)
			}
		}
	}
	slices.SortFunc(events, func(a, b RelationEvent) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name), cmp.Compare(a.What, b.What))
	})
	return events
}
