package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// RelationTotal is what is written to a relation, over all its forks and segments.
// Blocks is how many of its blocks are overwritten individually.
type RelationTotal struct {
	Relation
	Files      int
	FetchBytes int64
	Compared   int64 // bytes of each side, if all files were compared
}

// ByRelation sums up the files of relations from which something is fetched, with the most
// bytes first. Names come from Named and Lost.
func (d *Document) ByRelation() []RelationTotal {
	type place struct{ tablespace, database, file uint32 }
	sums, compared := map[place]*RelationTotal{}, map[place]int64{}
	for i := range d.Files {
		f := &d.Files[i]
		r, ok := RelationOf(f.Path)
		at := place{r.Tablespace, r.Database, r.FileNode}
		if ok && d.compares(f) {
			compared[at] += min(f.SourceSize, f.TargetSize)
		}
		if !ok || f.FetchBytes <= 0 || f.Action == ActionNone {
			continue
		}
		if sums[at] == nil {
			sums[at] = &RelationTotal{Relation: r}
		}
		sum := sums[at]
		sum.Files++
		sum.FetchBytes += f.FetchBytes
		for first, last := range BlockRuns(f.Blocks) {
			sum.Blocks += last - first + 1
		}
	}
	// What the target created is another relation than a copied one with the same file.
	created := map[place]bool{}
	var named []Relation
	if d.Lost != nil {
		for _, r := range d.Lost.Created {
			created[place{r.Tablespace, r.Database, r.FileNode}] = true
		}
		for _, r := range slices.Concat(d.Lost.Dropped, d.Lost.Relations) {
			if !created[place{r.Tablespace, r.Database, r.FileNode}] {
				named = append(named, r)
			}
		}
	}
	for _, r := range slices.Concat(named, d.Named) {
		if sum := sums[place{r.Tablespace, r.Database, r.FileNode}]; sum != nil {
			blocks := sum.Blocks
			sum.Relation = r
			sum.Blocks = blocks
		}
	}
	for at, sum := range sums {
		sum.Compared = compared[at]
	}
	databases := map[uint32]string{}
	for _, sum := range sums {
		if sum.DBName != "" {
			databases[sum.Database] = sum.DBName
		}
	}
	list := make([]RelationTotal, 0, len(sums))
	for _, sum := range sums {
		sum.DBName = cmp.Or(sum.DBName, databases[sum.Database])
		list = append(list, *sum)
	}
	slices.SortFunc(list, func(a, b RelationTotal) int {
		return cmp.Or(cmp.Compare(b.FetchBytes, a.FetchBytes), cmp.Compare(a.Tablespace, b.Tablespace),
			cmp.Compare(a.Database, b.Database), cmp.Compare(a.FileNode, b.FileNode))
	})
	return list
}

// The tablespaces whose relations are in base and global (catalog/pg_tablespace.dat).
const (
	defaultTablespace = 1663
	globalTablespace  = 1664
)

// RelationOf returns the relation to which a file belongs, by its path: any fork, any
// segment, in any version's directory of a tablespace. It returns false for files of
// other kinds. It is for names and sums, not for decisions about what is copied.
func RelationOf(path string) (Relation, bool) {
	parts := strings.Split(path, "/")
	var r Relation
	ok := true
	oid := func(s string) uint32 {
		n, err := strconv.ParseUint(s, 10, 32)
		ok = ok && err == nil && n > 0
		return uint32(n)
	}
	switch {
	case len(parts) == 2 && parts[0] == "global":
		r.Tablespace = globalTablespace
	case len(parts) == 3 && parts[0] == "base":
		r.Tablespace, r.Database = defaultTablespace, oid(parts[1])
	case len(parts) == 5 && parts[0] == "pg_tblspc":
		r.Tablespace, r.Database = oid(parts[1]), oid(parts[3])
	default:
		return Relation{}, false
	}
	name, segment, segmented := strings.Cut(parts[len(parts)-1], ".")
	if segmented {
		oid(segment)
	}
	name, fork, forked := strings.Cut(name, "_")
	if r.FileNode = oid(name); !ok || forked && !slices.Contains([]string{"fsm", "vm", "init"}, fork) {
		return Relation{}, false
	}
	return r, true
}

// Label is the relation's name without its database or, if the name is
// unknown, its file.
func (r Relation) Label() string {
	switch {
	case r.Relations > 0:
		return Count(int64(r.Relations), "relation")
	case r.Name == "":
		return fmt.Sprintf("file %d", r.FileNode)
	}
	return r.Name
}

// HasRows reports whether the relation is a user table whose name is known:
// its content is rows to people.
func (r Relation) HasRows() bool {
	const table = "table"
	return r.RelKind == table && r.Schema != "pg_catalog" && r.Schema != "information_schema"
}

// firstNormalOID is the first OID that servers assign (access/transam.h): smaller ones
// belong to files from initdb.
const firstNormalOID = 16384

// isSystem reports whether the relation is a system catalog or belongs to one, and so does
// not interest people who look for their tables.
func (r Relation) isSystem() bool {
	switch {
	case r.Relations > 0: // all relations of a database
		return false
	case r.Schema != "":
		return r.Schema == "pg_catalog" || r.Schema == "information_schema"
	}
	return r.Tablespace == globalTablespace || r.FileNode < firstNormalOID
}

// usersFirst separates users' relations from the system's, each in its original order.
func usersFirst[T any](list []T, of func(T) Relation) (users, system []T) {
	for _, one := range list {
		if of(one).isSystem() {
			system = append(system, one)
		} else {
			users = append(users, one)
		}
	}
	return users, system
}

// systemCatalogs is the single row for all of them.
func systemCatalogs(n int) string { return "system catalogs (" + Count(int64(n), "relation") + ")" }

// Rows describes how many rows of it were changed, and how; empty if none were.
func (r Relation) Rows() string {
	var parts []string
	for _, c := range []struct {
		n    int64
		what string
	}{{r.Inserted, "inserted"}, {r.Updated, "updated"}, {r.Deleted, "deleted"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(parts, ", ")
}

// String is the relation and its database.
func (r Relation) String() string {
	switch {
	case r.DBName != "":
		return r.Label() + " in " + r.DBName
	case r.Relations > 0:
		return fmt.Sprintf("%s in new database %d", r.Label(), r.Database)
	case r.Database != 0:
		return fmt.Sprintf("%s in database %d", r.Label(), r.Database)
	}
	return r.Label()
}

func relationNames(list []Relation) []string {
	var names []string
	for _, r := range list {
		names = append(names, r.String())
	}
	return names
}
