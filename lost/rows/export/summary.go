package export

import (
	"encoding/json"
	"strings"

	"github.com/gorewind/gorewind/lost/rows"
)

// Summary is the content of summary.json; see [Schema].
type Summary struct {
	FormatVersion int    `json:"format_version"` // 1
	Format        Format `json:"format"`
	About
	Transactions int   `json:"transactions"` // transactions that committed after the divergence
	RolledBack   int   `json:"rolled_back"`
	Unfinished   int   `json:"unfinished"`
	Inserted     int64 `json:"inserted"`
	Updated      int64 `json:"updated"`
	Deleted      int64 `json:"deleted"`
	Unknown      int64 `json:"unknown"`   // changes of which a row is not known
	NotNamed     int64 `json:"not_named"` // rows of tables that are no longer in any catalog
	Incomplete   bool  `json:"incomplete"`
	Unparsed     int   `json:"unparsed"`
	// Source counts the changes for which the server that took over has the same row, a
	// different one, or none. It is set if that was asked.
	Source    map[string]int64 `json:"source,omitempty"`
	Tables    []TableSummary   `json:"tables"`
	Relations []RelationEvent  `json:"relations"`
}

// TableSummary is a table with lost rows.
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
	Written        int64             `json:"written"` // changes written to the file
	PrimaryKey     []string          `json:"primary_key,omitempty"`
	UnknownTypes   map[string]string `json:"unknown_types,omitempty"` // by column
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

Lost rows: the changes of transactions that committed on the old server (the target
of a rewind) after the point where it and the new server diverged. None of this is
on the new server.

summary.json lists the tables, with how many rows were inserted, updated and
deleted; the tables that were created, dropped, rewritten or emptied; and how many
transactions were rolled back or never ended, whose changes are not here. In it

  unknown      counts changes of which a row is not known. They are listed without
               that row, with the reason.
  not_named    counts rows of tables that were dropped and whose catalog entries are
               gone.
  incomplete   is true if transactions had begun before the oldest available WAL.
  unparsed     counts WAL records with an unknown layout.

@FORMAT@
If the rows were compared with the new server (--compare), each change says what that
has for the primary key: "same" is the same row (for a deletion, the old one),
"different" is another row, which is given as well, "absent" is no row, and "unknown"
says why the row was not compared.

Values are written as the server writes them with DateStyle ISO, IntervalStyle
postgres, the time zone UTC, bytea_output hex, and floats in as many digits as they
need. Files are in UTF-8; bytes that are not valid text in the database's encoding are
written as \xNN, and counted in "escaped_values". Values of types from extensions,
and of other types that cannot be formatted, are written as \x and the bytes as
stored; "unknown_types" lists these columns. "virtual_columns" are computed and not
stored. Columns are those that the table has at the end of the target's WAL.

Large objects are listed under pg_catalog.pg_largeobject_metadata (which objects were
created and removed) and pg_catalog.pg_largeobject (their bytes in pieces of a quarter
of a block; "pageno" counts the pieces from 0).

Partitions are listed under their own names; "parent" is the table that they belong
to.
`

var formatText = map[Format]string{
	CSV: `There is a directory for each database, and in it a CSV file for each table, with a
line for each version of a row: "old" and "new" of an update, "new" of an insertion,
"old" of a deletion, in the order in which the transactions committed. As with COPY,
an empty field is a null, and "" is an empty text. The first columns are

  _operation      insert, update or delete
  _xid            the transaction
  _committed_at   when it committed, by the server's clock, in UTC
  _version        old or new
  _note           what is not known of the row, and why
  _source         what the new server has, if the rows were compared; a line of version
                  "source" is its row, if that is different
`,
	JSONL: `There is a directory for each database, and in it a file for each table, with a JSON
object in each line, in the order in which the transactions committed: "operation",
"xid", "committed_at", "new" and "old", the rows with their values as text or null,
"place" of the row in the table (ctid), "missing", the columns whose values are not
known, and "note", why a row is not known; the row is null then.
`,
	SQL: `There is a directory for each database, and in it lost.sql: statements that
repeat the changes on the new server, in the order in which the transactions committed,
in one transaction. Read it before you run it: it does not take into account what has
happened there since.
`,
}
