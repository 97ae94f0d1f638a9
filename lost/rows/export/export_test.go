package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gorewind/gorewind/lost/rows"
)

// writeAll writes changes, followed by an error if there is one.
func writeAll(t *testing.T, o Options, list []*rows.Change, end error) (dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, root.Close()) }()
	o.Dir = root
	var changes iter.Seq2[*rows.Change, error] = func(yield func(*rows.Change, error) bool) {
		for _, c := range list {
			if !yield(c, nil) {
				return
			}
		}
		if end != nil {
			yield(nil, end)
		}
	}
	_, err = Write(context.Background(), o, changes, func() rows.Summary { return rows.Summary{} })
	return dir, err
}

func table(database, name string, columns ...string) *rows.Table {
	t := &rows.Table{Database: database, Schema: "public", Name: name, Key: []int{0}}
	for _, c := range columns {
		t.Columns = append(t.Columns, rows.Column{Name: c, Type: "text"})
	}
	return t
}

func inserted(t *rows.Table, values ...string) *rows.Change {
	c := &rows.Change{Table: t, Op: rows.Inserted}
	for _, v := range values {
		c.New = append(c.New, rows.Value{Text: v})
	}
	return c
}

func contentOf(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	require.NoError(t, err)
	return string(b)
}

// A database may have the name of a file next to its directory.
func TestDatabasesDoNotTakeThePlaceOfFiles(t *testing.T) {
	var list []*rows.Change
	for _, name := range []string{"summary.json", "README.txt", "readme.TXT"} {
		list = append(list, inserted(table(name, "t", "a"), "1"))
	}
	dir, err := writeAll(t, Options{Format: CSV, Sync: true}, list, nil)
	require.NoError(t, err)
	assert.Contains(t, contentOf(t, dir, "summary.json"), "format_version")
	assert.Contains(t, contentOf(t, dir, "summary.json~2", "public.t.csv"), ",1\n")
	assert.Contains(t, contentOf(t, dir, "readme.TXT~3", "public.t.csv"), ",1\n")
}

// Incomplete statements have no effect: the file has no COMMIT.
func TestIncompleteStatementsAreNotCommitted(t *testing.T) {
	broken := errors.New("broken")
	list := []*rows.Change{inserted(table("db", "t", "a"), "1")}
	dir, err := writeAll(t, Options{Format: SQL}, list, broken)
	require.ErrorIs(t, err, broken)
	assert.Contains(t, contentOf(t, dir, "db", "lost.sql"), "INSERT INTO")
	assert.NotContains(t, contentOf(t, dir, "db", "lost.sql"), "COMMIT;")
	dir, err = writeAll(t, Options{Format: SQL}, list, nil)
	require.NoError(t, err)
	assert.Contains(t, contentOf(t, dir, "db", "lost.sql"), "COMMIT;")
}

// A value that is not known does not count as unchanged, even if it was empty.
func TestStatementsDoNotOmitUnknownValues(t *testing.T) {
	of := table("db", "t", "a", "b", "c")
	for name, values := range map[string][2]rows.Value{
		"missing": {{Text: ""}, {Missing: true}},
		"escaped": {{Text: `\xff`}, {Text: `\xff`, Escaped: true}},
		"both":    {{Text: `\xff`, Escaped: true}, {Text: `\xff`, Escaped: true}},
	} {
		c := &rows.Change{
			Table: of, Op: rows.Updated,
			Old: []rows.Value{{Text: "1"}, {Text: "old"}, values[0]}, New: []rows.Value{{Text: "1"}, {Text: "new"}, values[1]},
		}
		dir, err := writeAll(t, Options{Format: SQL}, []*rows.Change{c}, nil)
		require.NoError(t, err)
		assert.NotContains(t, contentOf(t, dir, "db", "lost.sql"), "UPDATE", name)
		assert.Contains(t, contentOf(t, dir, "db", "lost.sql"), notWhole, name)
	}
}

// However many tables there are, only a bounded number of files is open.
func TestManyTablesTakeLittleMemory(t *testing.T) {
	var list []*rows.Change
	for i := range 2000 {
		list = append(list, inserted(table("db", fmt.Sprint("t", i), "a"), "1"))
	}
	list = append(list, list...)
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, root.Close()) }()
	w := newWriter(Options{Dir: root, Format: CSV})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	require.NoError(t, w.write(t.Context(), func(yield func(*rows.Change, error) bool) {
		for _, c := range list {
			if !yield(c, nil) {
				return
			}
		}
	}))
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(16<<20))
	require.NoError(t, w.close())
	assert.Equal(t, 2, len(w.files)/1000)
}

// Changes waiting to be compared are limited by the memory that they take, not only by
// their text.
func TestBatchesOfWideRowsAreSmall(t *testing.T) {
	c := &rows.Change{New: make([]rows.Value, 1000)}
	var b batch
	n := 1
	for !b.add(c) {
		n++
	}
	assert.Less(t, n, 500)
}
