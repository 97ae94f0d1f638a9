package export

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gorewind/gorewind/lost/rows"
)

// leading are the columns of a CSV file before those of the table.
var leading = []string{"_operation", "_xid", "_committed_at", "_version", "_note"}

const timeLayout = "2006-01-02 15:04:05.000000Z07:00"

// put writes text. An error is returned when the file is closed.
func put(w *bufio.Writer, s string) { _, _ = w.WriteString(s) }

func writeCSVHeader(w *bufio.Writer, t *rows.Table, compared bool) {
	put(w, strings.Join(leading, ","))
	if compared {
		put(w, ",_source")
	}
	for _, c := range t.Columns {
		if !c.Virtual {
			put(w, ",")
			writeField(w, c.Name)
		}
	}
	put(w, "\n")
}

// writeField writes text as COPY does with FORMAT csv: an empty text is in quotes, and
// an empty field is a null.
func writeField(w *bufio.Writer, s string) {
	if s != "" && s != `\.` && !strings.ContainsAny(s, ",\"\r\n") {
		put(w, s)
		return
	}
	put(w, "\"")
	put(w, strings.ReplaceAll(s, `"`, `""`))
	put(w, "\"")
}

// writeCSV writes a line for each version of the row, and one for the row that the
// server that took over has instead.
func writeCSV(w *bufio.Writer, c *rows.Change, v *verdict) {
	if c.Op != rows.Inserted {
		writeVersion(w, c, "old", c.Old, v)
	}
	if c.Op != rows.Deleted {
		writeVersion(w, c, "new", c.New, v)
	}
	if v != nil && v.row != nil {
		writeVersion(w, c, "source", v.row, v)
	}
}

func writeVersion(w *bufio.Writer, c *rows.Change, version string, values []rows.Value, v *verdict) {
	fmt.Fprintf(w, "%s,%d,%s,%s,", c.Op, c.XID, c.Committed.Format(timeLayout), version)
	if note := note(c, values); note != "" {
		writeField(w, note)
	}
	if v != nil {
		put(w, ",")
		writeField(w, v.String())
	}
	for i, column := range c.Table.Columns {
		if column.Virtual {
			continue
		}
		put(w, ",")
		if values != nil && !values[i].Null && !values[i].Missing {
			writeField(w, values[i].Text)
		}
	}
	put(w, "\n")
}

// note says what is not known of a row version.
func note(c *rows.Change, values []rows.Value) string {
	if values == nil {
		if c.Why == "" {
			return "not known"
		}
		return c.Why
	}
	var missing []string
	for i, v := range values {
		if v.Missing && !c.Table.Columns[i].Virtual {
			missing = append(missing, c.Table.Columns[i].Name)
		}
	}
	if missing == nil {
		return ""
	}
	return "not known: " + strings.Join(missing, ", ")
}

// line is an object of a JSONL file.
type line struct {
	Operation   rows.Op         `json:"operation"`
	XID         uint32          `json:"xid"`
	CommittedAt string          `json:"committed_at"`
	New         json.RawMessage `json:"new,omitempty"`
	Old         json.RawMessage `json:"old,omitempty"`
	Place       string          `json:"place"`
	Missing     []string        `json:"missing,omitempty"` // columns
	Note        string          `json:"note,omitempty"`
	Source      string          `json:"source,omitempty"`
	SourceRow   json.RawMessage `json:"source_row,omitempty"`
	SourceNote  string          `json:"source_note,omitempty"`
}

func writeJSON(w *bufio.Writer, c *rows.Change, v *verdict) error {
	l := line{Operation: c.Op, XID: c.XID, CommittedAt: c.Committed.Format(timeLayout), Note: c.Why}
	place := c.NewPlace
	if c.Op == rows.Deleted {
		place = c.OldPlace
	}
	l.Place = fmt.Sprintf("(%d,%d)", place.Block, place.Offset)
	var err error
	if c.Op != rows.Deleted {
		if l.New, err = object(c, c.New); err != nil {
			return err
		}
	}
	if c.Op != rows.Inserted {
		if l.Old, err = object(c, c.Old); err != nil {
			return err
		}
	}
	for i, column := range c.Table.Columns {
		for _, values := range [][]rows.Value{c.New, c.Old} {
			if values != nil && values[i].Missing && !column.Virtual {
				l.Missing = append(l.Missing, column.Name)
				break
			}
		}
	}
	if v != nil {
		l.Source, l.SourceNote = v.what, v.why
		if v.row != nil {
			if l.SourceRow, err = object(c, v.row); err != nil {
				return err
			}
		}
	}
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// object returns a row as JSON with its columns in the table's order.
func object(c *rows.Change, values []rows.Value) (json.RawMessage, error) {
	if values == nil {
		return json.RawMessage("null"), nil
	}
	var b bytes.Buffer
	b.WriteByte('{')
	first := true
	for i, column := range c.Table.Columns {
		if values[i].Missing {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		name, err := json.Marshal(column.Name)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		if values[i].Null {
			b.WriteString("null")
			continue
		}
		value, err := json.Marshal(values[i].Text)
		if err != nil {
			return nil, err
		}
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
