package export

import (
	"bufio"
	"fmt"
	"strings"
	"unicode"

	"github.com/gorewind/gorewind/lost/rows"
)

func writeSQLHeader(w *bufio.Writer, a About, database string) {
	fmt.Fprintf(w, `-- Rows of database %s that are lost with what a rewind throws away.
--
-- READ THIS BEFORE YOU RUN IT, on the server that took over. These statements
-- repeat what transactions did on the old server after the divergence at %s, in the
-- order in which they committed. They do not take into account what has happened on
-- the new server since: a row may exist already, or be a different one by now. The
-- tables' triggers fire. Changes that could not be written as statements are comments.
--
-- Everything is in one transaction.

BEGIN;
SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL datestyle = 'ISO, MDY';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL timezone = 'UTC';
`, comment(database), comment(a.Divergence))
}

func writeSQLEnd(w *bufio.Writer) { put(w, "\nCOMMIT;\n") }

// comment makes text safe for a single-line comment, and keeps it readable.
func comment(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}

func identifier(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// literal returns a string constant, which the server converts to the column's type.
func literal(v rows.Value) string {
	if v.Null {
		return "NULL"
	}
	return "'" + strings.ReplaceAll(v.Text, "'", "''") + "'"
}

// writeSQL writes a statement that repeats a change.
func writeSQL(w *bufio.Writer, c *rows.Change, v *verdict) {
	t := c.Table
	fmt.Fprintf(w, "\n-- transaction %d, committed at %s\n", c.XID, c.Committed.Format(timeLayout))
	if v != nil {
		fmt.Fprintf(w, "-- on the new server: %s\n", comment(v.String()))
		if v.row != nil {
			fmt.Fprintf(w, "-- it has: %s\n", comment(describe(t, v.row)))
		}
	}
	name := identifier(t.Schema) + "." + identifier(t.Name)
	statement, why, large := largeObjectSQL(c)
	switch {
	case large:
	case c.Op == rows.Inserted:
		statement, why = insertSQL(t, name, c.New)
	case c.Op == rows.Updated:
		writeOld(w, t, c.Old)
		statement, why = updateSQL(t, name, c)
	case c.Op == rows.Deleted:
		writeOld(w, t, c.Old)
		statement, why = deleteSQL(t, name, c.Old)
	}
	switch {
	case c.Why != "" && statement == "":
		why = c.Why
	case t.Passing:
		statement, why = "", "the table was created and dropped after the divergence"
	}
	if statement == "" {
		fmt.Fprintf(w, "-- %s of %s, row at %v: no statement, because %s\n", c.Op, comment(name), place(c), comment(why))
		if c.New != nil {
			fmt.Fprintf(w, "-- new: %s\n", comment(describe(t, c.New)))
		}
		return
	}
	put(w, statement)
}

func place(c *rows.Change) string {
	p := c.NewPlace
	if c.Op == rows.Deleted {
		p = c.OldPlace
	}
	return fmt.Sprintf("(%d,%d)", p.Block, p.Offset)
}

func writeOld(w *bufio.Writer, t *rows.Table, old []rows.Value) {
	if old == nil {
		put(w, "-- old: not known\n")
		return
	}
	fmt.Fprintf(w, "-- old: %s\n", comment(describe(t, old)))
}

// describe formats a row for people.
func describe(t *rows.Table, values []rows.Value) string {
	var parts []string
	for i, c := range t.Columns {
		switch {
		case c.Virtual:
		case values[i].Missing:
			parts = append(parts, identifier(c.Name)+" not known")
		default:
			parts = append(parts, identifier(c.Name)+" = "+literal(values[i]))
		}
	}
	return strings.Join(parts, ", ")
}

const notWhole = "not all of its values are known"

// settable reports whether a value can be written in a statement.
func settable(v rows.Value) bool { return !v.Missing && v.UnknownType == "" && !v.Escaped }

func insertSQL(t *rows.Table, name string, row []rows.Value) (statement, why string) {
	if row == nil {
		return "", "the row is not known"
	}
	var columns, values []string
	overriding := ""
	for i, c := range t.Columns {
		if c.Generated {
			continue
		}
		if !settable(row[i]) {
			return "", notWhole
		}
		if c.AlwaysIdentity {
			overriding = " OVERRIDING SYSTEM VALUE"
		}
		columns, values = append(columns, identifier(c.Name)), append(values, literal(row[i]))
	}
	if columns == nil {
		return fmt.Sprintf("INSERT INTO %s DEFAULT VALUES;\n", name), ""
	}
	return fmt.Sprintf("INSERT INTO %s (%s)%s VALUES (%s) ON CONFLICT DO NOTHING;\n", name, strings.Join(columns, ", "), overriding, strings.Join(values, ", ")), ""
}

// where returns a condition that finds a row by its primary key.
func where(t *rows.Table, row []rows.Value) (condition, why string) {
	if t.Key == nil {
		return "", "the table has no primary key"
	}
	var parts []string
	for _, i := range t.Key {
		if row == nil || !settable(row[i]) || row[i].Null {
			return "", "its primary key is not known"
		}
		parts = append(parts, identifier(t.Columns[i].Name)+" = "+literal(row[i]))
	}
	return strings.Join(parts, " AND "), ""
}

func updateSQL(t *rows.Table, name string, c *rows.Change) (statement, why string) {
	if c.New == nil {
		return "", "the new row is not known"
	}
	key := c.Old
	if key == nil {
		return "", "which row it was is not known: its old version is gone"
	}
	condition, why := where(t, key)
	if why != "" {
		return "", why
	}
	var set []string
	for i, column := range t.Columns {
		v := c.New[i]
		switch same := v == c.Old[i] && !v.Missing && !v.Escaped; {
		case column.Generated || same:
		case !settable(v):
			return "", notWhole
		default:
			set = append(set, identifier(column.Name)+" = "+literal(v))
		}
	}
	if set == nil {
		return fmt.Sprintf("-- UPDATE %s: nothing changed\n", comment(name)), ""
	}
	return fmt.Sprintf("UPDATE %s SET %s WHERE %s;\n", name, strings.Join(set, ", "), condition), ""
}

func deleteSQL(t *rows.Table, name string, old []rows.Value) (statement, why string) {
	condition, why := where(t, old)
	if why != "" {
		return "", why
	}
	return fmt.Sprintf("DELETE FROM %s WHERE %s;\n", name, condition), ""
}
