package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Listing is one category of lost things, by name.
type Listing struct {
	What  string // such as "databases created"
	Back  bool   // these come back; others disappear
	Names []string
	More  int // how many more there are than Names
}

// Listings are the non-empty categories of what was created and dropped.
func (l *Lost) Listings() []Listing {
	var created []string
	for _, t := range l.CreatedTablespaces {
		created = append(created, t.String())
	}
	var list []Listing
	for _, sort := range []Listing{
		{"databases created", false, l.CreatedDatabases, 0},
		{"databases dropped", true, l.DroppedDatabases, 0},
		{"tablespaces created", false, created, 0},
		{"tablespaces dropped", true, l.DroppedTablespaces, 0},
		{"relations created", false, relationNames(l.Created), l.CreatedMore},
		{"relations dropped", true, relationNames(l.Dropped), l.DroppedMore},
	} {
		if len(sort.Names) > 0 {
			list = append(list, sort)
		}
	}
	return list
}

// hasRows reports whether rows of tables are lost.
func (l *Lost) hasRows() bool {
	return slices.ContainsFunc(l.Relations, func(r Relation) bool { return r.Rows() != "" })
}

// RelationCount is how many relations were changed.
func (l *Lost) RelationCount() (n int64) {
	for _, r := range l.Relations {
		n += int64(max(1, r.Relations))
	}
	return n
}

// NeverEnded are the prepared transactions that never ended.
func (l *Lost) NeverEnded() Listing {
	list := Listing{What: "prepared and never ended", More: l.StillPreparedMore}
	for _, p := range l.StillPrepared {
		list.Names = append(list.Names, p.String())
	}
	return list
}

// Count is the number of things.
func (l Listing) Count() int { return len(l.Names) + l.More }

// shown is as many of the names as fit into a text.
func (l Listing) shown() string {
	n := min(len(l.Names), maxRows)
	list := strings.Join(l.Names[:n], ", ")
	if n < l.Count() {
		list += fmt.Sprintf(", and %d more", l.Count()-n)
	}
	return list
}

// String is the prepared transaction's SQL literal, and its database.
func (p Prepared) String() string {
	return p.Literal + " in " + cmp.Or(p.DBName, fmt.Sprintf("database %d", p.Database))
}

// String is the tablespace and its location.
func (t Tablespace) String() string {
	return fmt.Sprintf("%d in %s", t.OID, cmp.Or(t.Location, "the data directory"))
}

// whyLostUnknown says why it is unknown what is lost; empty if nothing can be lost.
func (d *Document) whyLostUnknown() string {
	switch {
	case d.Evidence == ByComparison:
		return "Unknown: the target's WAL does not show it."
	case d.Evidence == ByChanges && d.Divergence != nil:
		return "Unknown: it cannot be determined whether the source has what the target did after " + d.Divergence.LSN + "."
	}
	return ""
}

// lost writes everything that is lost.
func (t *text) lost(d *Document) {
	l := d.Lost
	if l == nil {
		if why := d.whyLostUnknown(); why != "" {
			t.title("What is lost")
			t.wrapped("", why)
		}
		return
	}
	t.title("What is lost")
	commits := Count(int64(l.Committed), "committed transaction")
	if l.FirstCommit != nil && l.LastCommit != nil {
		commits += fmt.Sprintf(", from %s to %s", l.FirstCommit.UTC().Format(time.DateTime), l.LastCommit.UTC().Format(time.DateTime+" MST"))
	}
	t.wrapped("", commits)
	t.neverEnded(l)
	if l.Aborted > 0 {
		t.wrapped("", Count(int64(l.Aborted), "transaction")+" had been rolled back")
	}
	t.wrapped("", fmt.Sprintf("%s of WAL, which changed %s of %s", Bytes(l.WALBytes), Count(l.Blocks, "block"), Count(l.RelationCount(), "relation")))
	if l.Messages > 0 {
		t.wrapped("", Count(int64(l.Messages), "logical message")+" (pg_logical_emit_message), which are in no table")
	}
	var rows [][]string
	shown, system := usersFirst(l.Relations, func(r Relation) Relation { return r })
	for i, r := range shown {
		if i == maxRows {
			rows = append(rows, []string{"", more(len(shown))})
			break
		}
		name := r.String()
		if changed := r.Rows(); changed != "" {
			name += ": " + changed
		}
		rows = append(rows, []string{Count(r.Blocks, "block"), name})
	}
	if len(system) > 0 {
		var blocks int64
		for _, r := range system {
			blocks += r.Blocks
		}
		rows = append(rows, []string{Count(blocks, "block"), systemCatalogs(len(system))})
	}
	t.table(rows)
	if l.SavedIn == "" && l.hasRows() {
		t.wrapped("", "The rows themselves: gorewind lost")
	}
	for _, sort := range l.Listings() {
		t.wrapped(sort.What+": ", sort.shown())
	}
	if l.Unparsed > 0 {
		t.wrapped("", fmt.Sprintf("%s could not be read, so more may be lost", Count(int64(l.Unparsed), "record")))
	}
	t.keptIn(d)
}

// lostInShort is the summary of what is lost.
func (t *text) lostInShort(d *Document) {
	l := d.Lost
	if l == nil {
		if why := d.whyLostUnknown(); why != "" {
			t.title("What was lost")
			t.wrapped("", why)
		}
		return
	}
	t.title("What was lost")
	t.wrapped("", fmt.Sprintf("%s, %s of %s, %s of WAL", Count(int64(l.Committed), "committed transaction"),
		Count(l.Blocks, "block"), Count(l.RelationCount(), "relation"), Bytes(l.WALBytes)))
	t.neverEnded(l)
	t.keptIn(d)
}

// neverEnded comes right after the commits: somebody may be waiting to end them.
func (t *text) neverEnded(l *Lost) {
	if list := l.NeverEnded(); list.Count() > 0 {
		t.wrapped("", Count(int64(list.Count()), "transaction")+" "+list.What+": "+list.shown())
	}
}

func (t *text) keptIn(d *Document) {
	switch dir := d.Lost.SavedIn; {
	case dir == "":
	case d.Kind == Plan:
		t.wrapped("", "will be saved in "+dir)
	default:
		t.wrapped("", "kept in "+dir)
	}
}
