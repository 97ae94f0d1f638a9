package export

import (
	"bufio"
	"container/list"
	"context"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"

	"github.com/gorewind/gorewind/lost/rows"
)

// maxOpen is how many files are open at a time; a file that is needed again is
// reopened.
const maxOpen = 64

// writer writes the files.
type writer struct {
	o       Options
	files   map[*rows.Table]*file
	bySQL   map[string]*file // for SQL, by database
	used    map[string]bool  // paths as a case-insensitive file system sees them
	dirs    map[string]string
	open    list.List // elements are *file, most recently used first
	spare   []*bufio.Writer
	written map[*rows.Table]int64

	batch       batch // changes to be compared
	notCompared map[*rows.Table]string
	verdicts    map[string]int64
}

// file is a file that is being written.
type file struct {
	path    string
	f       *os.File
	w       *bufio.Writer
	element *list.Element
	begun   bool
}

func newWriter(o Options) *writer {
	return &writer{
		o: o, files: map[*rows.Table]*file{}, bySQL: map[string]*file{}, dirs: map[string]string{},
		used:    map[string]bool{strings.ToLower(summaryName): true, strings.ToLower(readmeName): true},
		written: map[*rows.Table]int64{}, notCompared: map[*rows.Table]string{}, verdicts: map[string]int64{},
	}
}

func (w *writer) write(ctx context.Context, changes iter.Seq2[*rows.Change, error]) error {
	for c, err := range changes {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if w.o.Limit > 0 && w.written[c.Table] >= w.o.Limit {
			continue
		}
		w.written[c.Table]++
		if w.o.Lookup == nil {
			if err := w.change(c, nil); err != nil {
				return notWritten(err)
			}
			continue
		}
		if w.batch.add(c) {
			if err := w.writeBatch(ctx); err != nil {
				return err
			}
		}
	}
	return w.writeBatch(ctx)
}

// writeBatch compares the changes in the batch, and writes them.
func (w *writer) writeBatch(ctx context.Context) error {
	if len(w.batch.changes) == 0 {
		return nil
	}
	if err := w.compare(ctx, &w.batch); err != nil {
		return err
	}
	for i := range w.batch.changes {
		c := &w.batch.changes[i]
		w.verdicts[c.verdict.what]++
		if err := w.change(&c.Change, &c.verdict); err != nil {
			return notWritten(err)
		}
	}
	clear(w.batch.changes)
	w.batch.changes, w.batch.size = w.batch.changes[:0], 0
	return nil
}

// change writes a change, with the result of the comparison, if there is one.
func (w *writer) change(c *rows.Change, v *verdict) error {
	f, err := w.file(c.Table)
	if err != nil {
		return err
	}
	begun := f.begun
	f.begun = true
	switch w.o.Format {
	case JSONL:
		return writeJSON(f.w, c, v)
	case SQL:
		if !begun {
			writeSQLHeader(f.w, w.o.About, c.Table.Database)
		}
		writeSQL(f.w, c, v)
	default:
		if !begun {
			writeCSVHeader(f.w, c.Table, v != nil)
		}
		writeCSV(f.w, c, v)
	}
	_, err = f.w.Write(nil) // returns any earlier error
	return err
}

// file returns the file of a table, opened.
func (w *writer) file(t *rows.Table) (*file, error) {
	f := w.files[t]
	if f == nil {
		name := t.Schema + "." + t.Name
		if w.o.Format == SQL {
			if f = w.bySQL[t.Database]; f == nil {
				f = &file{}
				w.bySQL[t.Database] = f
			}
			name = "lost"
		}
		if f.emptyPath() {
			f = w.give(f, t.Database, name)
		}
		w.files[t] = f
	}
	return f, w.reopen(f)
}

// reopen opens a file if it is closed.
func (w *writer) reopen(f *file) error {
	if f.f != nil {
		w.open.MoveToFront(f.element)
		return nil
	}
	if w.open.Len() >= maxOpen {
		if err := w.closeFile(w.open.Back().Value.(*file)); err != nil {
			return err
		}
	}
	if err := w.o.Dir.MkdirAll(path.Dir(f.path), 0o700); err != nil {
		return err
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if !f.begun {
		flags |= os.O_EXCL
	}
	var err error
	if f.f, err = w.o.Dir.OpenFile(f.path, flags, 0o600); err != nil {
		f.f = nil
		return err
	}
	if last := len(w.spare) - 1; last >= 0 {
		f.w, w.spare = w.spare[last], w.spare[:last]
		f.w.Reset(f.f)
	} else {
		f.w = bufio.NewWriterSize(f.f, 32<<10)
	}
	f.element = w.open.PushFront(f)
	return nil
}

func (f *file) emptyPath() bool { return f == nil || f.path == "" }

// give gives a file a name that no other file has.
func (w *writer) give(f *file, database, name string) *file {
	if f == nil {
		f = &file{}
	}
	dir, known := w.dirs[database]
	if !known {
		dir = w.unused("", fileName(database), "")
		w.dirs[database] = dir
	}
	f.path = w.unused(dir+"/", fileName(name), "."+string(w.o.Format))
	return f
}

func (w *writer) unused(dir, name, suffix string) string {
	p := dir + name + suffix
	for n := 2; w.used[strings.ToLower(p)]; n++ {
		p = fmt.Sprintf("%s%s~%d%s", dir, name, n, suffix)
	}
	w.used[strings.ToLower(p)] = true
	return p
}

// maxName is a length below the limit of any file system.
const maxName = 150

// fileName makes a file name of a table's name: letters, digits and harmless characters
// stay, everything else is escaped as in URLs.
func fileName(s string) string {
	var b strings.Builder
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
		if b.Len() > maxName {
			return b.String() + "~"
		}
	}
	if b.Len() == 0 {
		return "%"
	}
	return b.String()
}

func (w *writer) closeFile(f *file) error {
	w.open.Remove(f.element)
	err := f.w.Flush()
	if closing := f.f.Close(); err == nil {
		err = closing
	}
	w.spare = append(w.spare, f.w)
	f.f, f.w, f.element = nil, nil, nil
	return err
}

// endSQL ends a complete file. Without it, what was written has no effect.
func (w *writer) endSQL() error {
	for _, f := range w.bySQL {
		if err := w.reopen(f); err != nil {
			return err
		}
		writeSQLEnd(f.w)
	}
	return nil
}

func (w *writer) close() (err error) {
	for w.open.Len() > 0 {
		if e := w.closeFile(w.open.Front().Value.(*file)); err == nil {
			err = e
		}
	}
	return err
}

// The files beside the directories of the databases.
const (
	summaryName = "summary.json"
	readmeName  = "README.txt"
)

// finish writes the files other than the rows.
func (w *writer) finish(s *Summary) error {
	text, err := s.encode()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{summaryName: text, readmeName: []byte(readme(w.o.Format))} {
		if err := w.o.Dir.WriteFile(name, content, 0o600); err != nil {
			return err
		}
	}
	if !w.o.Sync {
		return nil
	}
	return fs.WalkDir(w.o.Dir.FS(), ".", func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f, err := w.o.Dir.Open(p)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		return f.Sync()
	})
}
