package export

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/gorewind/gorewind/lost/rows"
)

// Lookup looks up rows of a table by their primary keys on the server that took over. A
// value is its text, or nil for a null; a row that does not exist is nil. The values
// are those of all columns except virtual ones. A *NotComparedError says why a table
// cannot be compared.
type Lookup func(ctx context.Context, t *rows.Table, keys [][]string) ([][]*string, error)

// NotComparedError says why rows of a table could not be looked up; other tables can
// be.
type NotComparedError struct{ Err error }

func (e *NotComparedError) Error() string {
	if e.Err == nil {
		return "the rows could not be looked up"
	}
	return e.Err.Error()
}

// Unwrap returns the reason.
func (e *NotComparedError) Unwrap() error { return e.Err }

func notCompared(err error) string {
	var e *NotComparedError
	if errors.As(err, &e) {
		return e.Error()
	}
	return ""
}

// What the server that took over has for the primary key of a lost row.
const (
	SourceSame      = "same"      // it has the same row: the new one, or for a deletion the old one
	SourceAbsent    = "absent"    // it has no such row
	SourceDifferent = "different" // it has a different row
	SourceUnknown   = "unknown"   // it was not asked, for the reason given
)

// verdict is the result of a comparison.
type verdict struct {
	what string
	why  string       // why the result is unknown
	row  []rows.Value // the source's row, if it is different
}

func (v *verdict) String() string {
	if v.why == "" {
		return v.what
	}
	return v.what + ": " + v.why
}

// pendingChange is a change that waits to be compared.
type pendingChange struct {
	rows.Change
	verdict verdict
}

const (
	batchChanges = 2000
	batchBytes   = 8 << 20
	valueSize    = 48 // in addition to its text
)

// batch is a number of changes that are compared together.
type batch struct {
	changes []pendingChange
	size    int
}

func (b *batch) add(c *rows.Change) (full bool) {
	b.changes = append(b.changes, pendingChange{Change: *c})
	for _, values := range [][]rows.Value{c.New, c.Old} {
		for _, v := range values {
			b.size += valueSize + len(v.Text)
		}
	}
	return len(b.changes) >= batchChanges || b.size > batchBytes
}

// compare looks up all changes of the batch.
func (w *writer) compare(ctx context.Context, b *batch) error {
	byTable := map[*rows.Table][]*pendingChange{}
	var order []*rows.Table
	for i := range b.changes {
		c := &b.changes[i]
		row := c.row()
		switch {
		case c.Table.Key == nil:
			c.verdict = verdict{what: SourceUnknown, why: "the table has no primary key"}
		case row == nil || slices.ContainsFunc(c.Table.Key, func(k int) bool { return !settable(row[k]) || row[k].Null }):
			c.verdict = verdict{what: SourceUnknown, why: "the primary key is not known"}
		case w.notCompared[c.Table] != "":
			c.verdict = verdict{what: SourceUnknown, why: w.notCompared[c.Table]}
		default:
			if byTable[c.Table] == nil {
				order = append(order, c.Table)
			}
			byTable[c.Table] = append(byTable[c.Table], c)
		}
	}
	for _, t := range order {
		if err := w.compareTable(ctx, t, byTable[t]); err != nil {
			return err
		}
	}
	return nil
}

// row returns the row whose key is looked up.
func (c *pendingChange) row() []rows.Value {
	if c.Op == rows.Deleted {
		return c.Old
	}
	return c.New
}

func (w *writer) compareTable(ctx context.Context, t *rows.Table, changes []*pendingChange) error {
	// A key that was changed twice is looked up once.
	at := map[string]int{}
	var keys [][]string
	index := make([]int, len(changes))
	for i, c := range changes {
		var key []string
		name := ""
		for _, k := range t.Key {
			key = append(key, c.row()[k].Text)
			name += strconv.Quote(c.row()[k].Text)
		}
		n, known := at[name]
		if !known {
			n = len(keys)
			at[name], keys = n, append(keys, key)
		}
		index[i] = n
	}
	found, err := w.o.Lookup(ctx, t, keys)
	if why := notCompared(err); why != "" {
		w.notCompared[t] = why
		for _, c := range changes {
			c.verdict = verdict{what: SourceUnknown, why: why}
		}
		return nil
	}
	if err != nil {
		return err
	}
	for i, c := range changes {
		c.verdict = compareRow(t, c.row(), found[index[i]])
	}
	return nil
}

// compareRow compares a row with the source's.
func compareRow(t *rows.Table, ours []rows.Value, theirs []*string) verdict {
	if theirs == nil {
		return verdict{what: SourceAbsent}
	}
	v := verdict{what: SourceSame}
	row := make([]rows.Value, len(ours))
	next := 0
	for i, c := range t.Columns {
		if c.Virtual {
			row[i] = rows.Value{Missing: true}
			continue
		}
		text := theirs[next]
		next++
		if text == nil {
			row[i] = rows.Value{Null: true}
		} else {
			row[i] = rows.Value{Text: *text}
		}
		switch {
		case ours[i].Missing || ours[i].UnknownType != "" || ours[i].Escaped:
			if v.what == SourceSame {
				v = verdict{what: SourceUnknown, why: notWhole}
			}
		case ours[i].Null != row[i].Null || !equalTexts(c.Type, ours[i].Text, row[i].Text):
			v = verdict{what: SourceDifferent}
		}
	}
	if v.what == SourceDifferent {
		v.row = row
	}
	return v
}

// equalTexts compares floats by value: up to 11, a server writes them with more digits
// than needed.
func equalTexts(typ, a, b string) bool {
	if a == b {
		return true
	}
	bits := map[string]int{"float4": 32, "float8": 64}[typ]
	if bits == 0 {
		return false
	}
	x, errX := strconv.ParseFloat(a, bits)
	y, errY := strconv.ParseFloat(b, bits)
	return errX == nil && errY == nil && x == y
}
