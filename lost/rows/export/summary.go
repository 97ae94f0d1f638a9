package export

import (
	"encoding/json"
	"strings"

	"github.com/gorewind/gorewind/lost/rows"
)

// Summary is summary.json; see [Schema].
type Summary struct {
	FormatVersion int    `json:"format_version"` // 1
	Format        Format `json:"format"`
	About
	Transactions int   `json:"transactions"` // that committed behind the divergence
	RolledBack   int   `json:"rolled_back"`
	Unfinished   int   `json:"unfinished"`
	Inserted     int64 `json:"inserted"`
	Updated      int64 `json:"updated"`
	Deleted      int64 `json:"deleted"`
	Unknown      int64 `json:"unknown"`   // of these, a row is not known
	NotNamed     int64 `json:"not_named"` // rows of tables that no catalog has any more
	Incomplete   bool  `json:"incomplete"`
	Unparsed     int   `json:"unparsed"`
	// Source is how many changes the server that took over has the same row of, another
	// one, none; it is there if that was asked.
	Source    map[string]int64 `json:"source,omitempty"`
	Tables    []TableSummary   `json:"tables"`
	Relations []RelationEvent  `json:"relations"`
}

// TableSummary is a table of which rows are lost.
type TableSummary struct {
	Database       string            `json:"database"`
	Schema         string            `json:"schema"`
	Name           string            `json:"name"`
	Parent         string            `json:"parent,omitempty"`
	File           string            `json:"file,omitempty"`
	Inserted       int64             `json:"inserted"`
	Updated        int64             `json:"updated"`
	Deleted        int64             `json:"deleted"`
	Unknown        int64             `json:"unknown"`
	Written        int64             `json:"written"` // changes that are in the file
	PrimaryKey     []string          `json:"primary_key,omitempty"`
	UnknownTypes   map[string]string `json:"unknown_types,omitempty"` // by columns
	VirtualColumns []string          `json:"virtual_columns,omitempty"`
	EscapedValues  int64             `json:"escaped_values,omitempty"`
}

// RelationEvent is what happened to a table as a whole.
type RelationEvent struct {
	Database string `json:"database"`
	Schema   string `json:"schema"`
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	What     string `json:"what"`
	XID      uint32 `json:"xid,omitempty"`
}

func (w *writer) summary(s rows.Summary) *Summary {
	d := &Summary{
		FormatVersion: 1, Format: w.o.Format, About: w.o.About, Transactions: s.Transactions, RolledBack: s.RolledBack, Unfinished: s.Open,
		NotNamed: s.NotNamed, Incomplete: s.Incomplete, Unparsed: s.Unparsed, Tables: []TableSummary{}, Relations: []RelationEvent{},
	}
	if w.o.Lookup != nil {
		d.Source = w.verdicts
	}
	for _, t := range s.Tables {
		d.Inserted += t.Inserted
		d.Updated += t.Updated
		d.Deleted += t.Deleted
		d.Unknown += t.Unknown
		ts := TableSummary{
			Database: t.Database, Schema: t.Schema, Name: t.Name, Parent: t.Parent, Inserted: t.Inserted, Updated: t.Updated, Deleted: t.Deleted,
			Unknown: t.Unknown, Written: w.written[t], UnknownTypes: t.UnknownTypes, EscapedValues: t.Escaped,
		}
		if f := w.files[t]; f != nil {
			ts.File = f.path
		}
		for _, i := range t.Key {
			ts.PrimaryKey = append(ts.PrimaryKey, t.Columns[i].Name)
		}
		for _, c := range t.Columns {
			if c.Virtual {
				ts.VirtualColumns = append(ts.VirtualColumns, c.Name)
			}
		}
		d.Tables = append(d.Tables, ts)
	}
	for _, e := range s.Events {
		d.Relations = append(d.Relations, RelationEvent{e.Database, e.Schema, e.Name, e.Kind, e.What, e.XID})
	}
	return d
}

func (s *Summary) encode() ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// readme explains the files.
func readme(f Format) string {
	return strings.ReplaceAll(readmeText, "@FORMAT@", formatText[f])
}

const readmeText = `What is here
============

Rows that are lost: what transactions did that committed on the old server (the
target of a rewind) behind the point where it and the new one parted. Nothing of
this is on the new server.

summary.json says which tables there are and how many rows were inserted, updated
and deleted, which tables were created, dropped, rewritten or emptied, and how many
transactions were rolled back or never ended: what those did is not here. In it

  unknown      counts changes of which a row could not be told. They are listed
               without it, with the reason.
  not_named    counts rows of tables that were dropped and whose catalog entries are
               gone.
  incomplete   is true where transactions had begun before the oldest WAL there is.
  unparsed     counts records that were not understood.

@FORMAT@
If the new server was asked (--compare), each change says what it has of that primary
key: "same" is the same row (of a deletion the old one), "different" another row, which
is told as well, "absent" none, and "unknown" says why it was not asked.

Values are written as the server writes them with DateStyle ISO, IntervalStyle
postgres, the time zone UTC, bytea_output hex, and floats in as many digits as they
need. Files are in UTF-8; bytes that are no text in the database's encoding are
written as \xNN, and counted in "escaped_values". Values of types that extensions
bring, and of others whose text is not known, are \x and the bytes as they are
stored; "unknown_types" names these columns. "virtual_columns" are computed and
stored nowhere. Columns are those that the table has at the end of the target's WAL.

Large objects stand under pg_catalog.pg_largeobject_metadata, which objects were made
and removed, and pg_catalog.pg_largeobject, their bytes in pieces of a quarter of a
block: "pageno" counts these from 0.

Tables that are partitions stand under their own names; "parent" is the table that
they belong to.
`

var formatText = map[Format]string{
	CSV: `There is a directory for each database, and in it a CSV file for each table, with a
line for each version of a row: "old" and "new" of an update, "new" of an insertion,
"old" of a deletion, in the order in which the transactions committed. As with COPY, a
field that is empty is a null, and "" is text without characters. The first columns are

  _operation      insert, update or delete
  _xid            the transaction
  _committed_at   when it committed, by the server's clock, in UTC
  _version        old or new
  _note           what is not known of the row, and why
  _source         what the new server has, if it was asked; a line of version "source"
                  is its row, if that is different
`,
	JSONL: `There is a directory for each database, and in it a file for each table, with a JSON
object in each line, in the order in which the transactions committed: "operation",
"xid", "committed_at", "new" and "old", the rows with their values as text or null,
"place" of the row in the table (ctid), "missing", the columns whose values are not
known, and "note", why a row is not known; that one is null then.
`,
	SQL: `There is a directory for each database, and in it lost.sql: statements that do the
same again on the new server, in the order in which the transactions committed, in one
transaction. Read it before you run it: it knows nothing of what has happened there
since.
`,
}
